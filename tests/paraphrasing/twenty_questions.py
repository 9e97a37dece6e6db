"""Questions that no benchmark has, of a kind that many have; no answer is in its question."""

QUESTIONS: tuple[tuple[str, str], ...] = (
    ("A ferry carries 38 cars on each trip. How many cars does it carry on 7 trips?", "266"),
    ("What is the remainder when $5^{13}$ is divided by 11?", "4"),
    ("Find the sum of all positive divisors of 42.", "96"),
    ("Nadia reads 16 pages a day. After how many days has she read a book of 240 pages?", "15"),
    ("If $3x - 8 = 2x + 9$, what is $x$?", "17"),
    ("A rectangle is 9 cm wide and 14 cm long. What is its perimeter in centimeters?", "46"),
    ("How many three-digit numbers are divisible by 37?", "27"),
    ("A shirt that costs 60 dollars is sold at a discount of 35%. What is its price in dollars?", "39"),
    ("The mean of five numbers is 13. Four of them are 8, 11, 15 and 19. What is the fifth number?", "12"),
    ("What is the greatest common divisor of 84 and 126?", "42"),
    ("A train travels at 75 km per hour. How many kilometers does it travel in 4 hours?", "300"),
    ("In how many ways can 3 of 8 runners be chosen, if their order does not matter?", "56"),
    ("The legs of a right triangle are 20 and 21. How long is its hypotenuse?", "29"),
    ("Omar has twice as many stamps as Ines. Together they have 51. How many stamps has Ines?", "17"),
    ("Let $f(x) = 2x^2 - 5x + 1$. What is $f(4)$?", "13"),
    ("A tank holds 90 liters and loses 6 liters an hour. After how many hours are 30 liters left?", "10"),
    ("What is the smallest prime number that is greater than 90?", "97"),
    ("Two dice are thrown. What is the probability that their sum is 9? Give it as a fraction.", "1/9"),
    ("A pie is cut into 12 equal pieces, of which 5 are eaten. How many pieces are left?", "7"),
    ("The sum of three consecutive odd integers is 63. What is the largest of them?", "23"),
)
