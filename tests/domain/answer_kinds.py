"""Answers as people write them, by kind: what a lenient reader takes for one, and near misses that never are."""

from collections.abc import Iterator

SAME = r"""
# names
y_1=3 == y_{1}=3
y_{12}=3 == y_12=3
\alpha_2=7 == \alpha_{2}=7
t_{\max}=4 == t_{max}=4
t_{\text{max}}=4 == t_{\max}=4
v_{\mathrm{avg}}=60 == v_{avg}=60
P_{\triangle DEF}=24 == P_{\triangle{DEF}}=24
\text{Volume}=36\pi == Volume=36\pi
\text{perimeter} = 20 == Perimeter=20
b_n=2^n == b_{n}=2^{n}
T_{n+1}=3n == T_{n + 1}=3n
y_1<0 == y_{1}<0
p_1=2, p_2=5 == p_{1}=2, p_{2}=5
m_1\in[0,1] == m_{1}\in[0,1]
\theta_0=\frac{\pi}{6} == \theta_{0}=\frac{\pi}{6}
k_BT\ln 2 == T k_B \ln 2
g'(2) == g^{\prime}(2)
f''(x) == f^{\prime\prime}(x)
u_0^2/(2g) == \frac{u^2_0}{2g}
\frac{\hbar\omega}{2} == \frac{\omega\hbar}{2}
nRT == n R T
x_1+x_2 == x_{2}+x_{1}
x_{\min}=2 == x_{min}=2
\vec{F} == \vec F
# products
2^3 3^2 == 72
2^{3}\cdot3^{2}\cdot5 == 2^3 3^2 5
5^2 7 == 175
3\cdot 2^4 7 == 336
2^2\,5^3 == 500
a^2 b^3 == b^3a^2
# roots and logarithms
\sqrt{\frac{9}{y}} == \frac{3}{\sqrt{y}}
\sqrt{\frac{m}{n}} == \frac{\sqrt m}{\sqrt n}
\sqrt{\frac{2}{g}} == \frac{\sqrt2}{\sqrt g}
\sqrt{\frac{2h}{g}} == \frac{\sqrt{2gh}}{g}
\sqrt[3]{\frac{27}{y}} == \frac{3}{\sqrt[3]{y}}
\frac{1}{\sqrt{x}} == x^{-1/2}
\sqrt{\frac{y}{9}} == \frac{\sqrt y}{3}
\sqrt{\frac{x+1}{4}} == \frac{\sqrt{x+1}}{2}
\sqrt{8x^3} == 2x\sqrt{2x}
2\pi\sqrt{\frac{L}{g}} == \frac{2\pi\sqrt L}{\sqrt g}
\frac{1}{2\pi}\sqrt{\frac{k}{m}} == \frac{\sqrt{k/m}}{2\pi}
\sqrt{\frac{GM}{r}} == \frac{\sqrt{GM}}{\sqrt r}
\ln(xy) == \ln x+\ln y
\ln\frac{x}{y} == \ln x-\ln y
\ln\frac{1}{x} == -\ln x
\ln\sqrt{x} == \frac12\ln x
\log_2(8x) == 3+\log_2 x
\ln(2x) == \ln 2+\ln x
\sqrt[3]{x^3} == x
# sets
|x|<5 == (-5,5)
|x|\le 4 == [-4,4]
|x|\geq 2 == (-\infty,-2]\cup[2,\infty)
|x-3|<1 == (2,4)
|2x-1|\le 3 == [-1,2]
|y|>4 == y<-4 \text{ or } y>4
x^2>9 == (-\infty,-3)\cup(3,\infty)
x^2\le 2 == [-\sqrt2,\sqrt2]
x^2-5x+6<0 == (2,3)
\{t \mid t>4\} == (4,\infty)
\{x: x<-1\text{ or }x>1\} == (-\infty,-1)\cup(1,\infty)
\{x\in\mathbb{R}\mid x\ne 0\} == \mathbb{R}\setminus\{0\}
\{y \in \mathbb R : 0\le y\le 1\} == [0,1]
{x | x \ge 7} == [7,\infty)
\mathbb{R}\setminus\{1,2\} == (-\infty,1)\cup(1,2)\cup(2,\infty)
\mathbb{R}-\{4\} == x\ne 4
[0,10]\setminus\{5\} == [0,5)\cup(5,10]
x>1\text{ and }x<6 == (1,6)
x\ge 2, x\ne 3 == [2,3)\cup(3,\infty)
x>0,\ x\neq 1 == (0,1)\cup(1,\infty)
\mathbb{R}^{+} == x>0
\mathbb{R}_{\geq 0} == [0,\infty)
-1<2x+1<5 == (-1,2)
x \le 3 \text{ and } x > -2 == (-2,3]
2x>10 == x>5
3-x\ge 1 == x\le 2
x<1\lor x>4 == (-\infty,1)\cup(4,\infty)
(-\infty,5)\cap(2,\infty) == (2,5)
k\pi (k\in\mathbb{Z}) == k\pi, k\in\mathbb{Z}
# what is said behind
2k\pi+\frac{\pi}{6} == 2k\pi+\frac{\pi}{6}, k\in\mathbb{Z}
2k\pi+\frac{\pi}{6}, k\in\mathbb{Z} == 2k\pi+\frac{\pi}{6}\ (k\in\mathbb Z)
n\pi, n\in\mathbb{Z} == n\pi \text{ where } n \text{ is an integer}
n\pi \text{ for any integer } n == n\pi, n \in \mathbb{Z}
a_n=2n-1 == a_n=2n-1, n\ge 1
g(x)=3x == g(x)=3x \text{ for all } x
g(x)=3x == g(x)=3x \text{ for all real numbers } x
f(x)=kx == f(x)=kx, \text{ where } k \text{ is a constant}
f(x)=kx == f(x) = kx for all x
2^n == 2^n \quad (n\ge 1)
y=Ce^{2x} == y=Ce^{2x}, C\in\mathbb{R}
\frac{1}{1-x} == \frac{1}{1-x} \text{ for } |x|<1
f(x)=2x == f(x)=2x, x\in\mathbb{R}
x^2+c == x^2+c \text{ where } c \text{ is an arbitrary constant}
# named by an expression
|CD|=3 == 3
|z|=5 == 5
|\vec{a}|=2 == 2
P(B)=\frac13 == \frac13
P(A\cup B)=0.7 == 0.7
P(X>3)=\frac15 == \frac15
E(X)=2.5 == 2.5
\cos A=\frac35 == \frac35
\tan\theta=2 == 2
m+n=17 == 17
p+q=109 == 109
ab=6 == 6
a+b+c=12 == 12
x-y=3 == 3
100a+b=305 == 305
\angle ABC=60^\circ == 60^\circ
\angle A=30^\circ == 30
\sum_{i=1}^{5} i=15 == 15
\int_0^1 2x\,dx=1 == 1
\lim_{n\to\infty}a_n=2 == 2
x:y=3:4 == 3:4
S_1:S_2=4:9 == 4:9
f(2)=7 == 7
|A\cap B|=4 == 4
\lceil x\rceil=3 == 3
\det(A)=6 == 6
n(A)=12 == 12
\text{Area of } \triangle ABC=6 == 6
S=\pi r^2=9\pi == 9\pi
|AB|=\sqrt{9+16}=5 == 5
\gcd(12,18)=6 == 6
# doubled backslashes
\\sqrt{2} == \sqrt{2}
\\frac{\\pi}{4} == \frac{\pi}{4}
\\text{Tuesday} == Tuesday
45^\\circ == 45^\circ
\\{1,2\\} == \{1,2\}
\\left(1,2\\right) == (1,2)
5\\% == 5\%
2 \\cdot 3^2 == 18
\\begin{pmatrix}1\\\\2\\end{pmatrix} == \begin{pmatrix}1\\2\end{pmatrix}
# notation
6.02 x 10^23 == 6.02\times10^{23}
5 x 10^{-4} == 0.0005
4 x 10^3 == 4000
23 456 == 23456
1 234 567 == 1234567
"42" == 42
'42' == 42
“7” == 7
**12** == 12
*12* == 12
`3/4` == 3/4
**x=3** == 3
\textcolor{blue}{\frac12} == \frac12
\color{blue}{7} == 7
{\color{red} 7} == 7
7\tag{2} == 7
\underline{7} == 7
€20 == 20
£15 == 15
¥300 == 300
₹50 == 50
20€ == €20
US$20 == \$20
USD 20 == \$20
20 USD == \$20
EUR 7 == €7
0.\dot6 == \frac23
0.\dot{6} == 2/3
0.1\dot{6} == \frac16
0.\dot{1}4285\dot{7} == \frac17
0.(3) == 1/3
0.1(6) == 1/6
30 per cent == 30\%
30 pct == 0.3
30 percent == 30\%
# units
12 g == 12
15 m/s == 15
9.8 m/s^2 == 9.8\text{ m/s}^2
5 kg == 5\text{ kg}
12 V == 12\text{ volts}
3 A == 3\text{ amperes}
60 W == 60\text{ W}
100 J == 100
25 °C == 25^\circ\text{C}
300 K == 300\text{ K}
20 mL == 20\text{ ml}
5 km/h == 5\text{ km/h}
5 km per hour == 5\text{ km/h}
3 per day == 3
5 N == 5\text{ newtons}
50 Hz == 50
2.5\times10^{-3} mol == 2.5\times10^{-3}\text{ mol}
10 kg m/s == 10\text{ kg}\cdot\text{m/s}
4.2 J == 4.2\text{ J}
220 Ω == 220\,\Omega
220\Omega == 220\text{ ohms}
5 μm == 5\text{ μm}
8 hours == 8
8 hrs == 8 hours
6 in == 6 inches
6 ft == 6 feet
v=15 m/s == 15
m s^{-1} == m s^{-1}
7\text{ m s}^{-1} == 7\text{ m/s}
101 kPa == 101
# constants of trigonometry
\sin^2 t+\cos^2 t == 1
1+\tan^2 x == \sec^2 x
\sec^2 x-\tan^2 x == 1
\sin^{-1}1 == \frac{\pi}{2}
\arcsin\frac12 == \frac{\pi}{6}
\arctan 1 == \frac{\pi}{4}
\tan^{-1}\sqrt3 == \frac{\pi}{3}
\arccos(-\frac12) == \frac{2\pi}{3}
\cos15^\circ == \frac{\sqrt6+\sqrt2}{4}
\sin75^\circ == \frac{\sqrt6+\sqrt2}{4}
\tan75^\circ == 2+\sqrt3
\sin18^\circ == \frac{\sqrt5-1}{4}
\cos36^\circ == \frac{1+\sqrt5}{4}
\cos\frac{\pi}{12} == \frac{\sqrt2+\sqrt6}{4}
\cos^2 15^\circ-\sin^2 15^\circ == \frac{\sqrt3}{2}
2\sin15^\circ\cos15^\circ == \frac12
\sin 60^\circ == \frac{\sqrt3}{2}
# choices
(C) == C
C) == C
C. == C
Option C == C
option C == C
Choice (C) == C
\text{(C) }15 == C
\textbf{(C)} 15 == C
\text{C: }15 == C
C - the largest == C
C. the largest one == C
(C) \frac{1}{2} == C
C: 15 == C
\text{C. }\frac12 == \frac12
**C** == C
\textbf{Option C} == C
\mathrm{(C)} == C
A、C == A, C
A and C == A, C
(A), (C) == A, C
\boxed{C} == C
C) 15 == 15
The answer is C == C
# other domains
3:30 PM == 15:30
3:30 p.m. == 15:30
3:30pm == 3:30 PM
9 AM == 9:00 AM
09:00 == 9:00 AM
noon == 12:00 PM
2:05\text{ PM} == 14:05
June 5, 2021 == 2021-06-05
5 June 2021 == June 5, 2021
Jun 5, 2021 == 2021/06/05
June 5th, 2021 == 5 June 2021
25/12/2020 == December 25, 2020
12/25/2020 == 2020-12-25
the 5th of June, 2021 == 2021-06-05
July 4 == 4 July
July 4th == July 4
2021年6月5日 == 2021-06-05
CO2 == CO_2
\ce{CO2} == \mathrm{CO_2}
Fe2O3 == \text{Fe}_2\text{O}_3
Ca(OH)2 == Ca(OH)_2
H₂SO₄ == H_2SO_4
\ce{SO4^2-} == SO_4^{2-}
Na^+ == \ce{Na+}
N_2+3H_2\to 2NH_3 == N2 + 3H2 -> 2NH3
CH4 + 2O2 → CO2 + 2H2O == 2O_2+CH_4\rightarrow 2H_2O+CO_2
{"a": 1, "b": 2} == {"b":2,"a":1}
{'x': [1, 2]} == {"x": [1,2]}
["red","blue"] == ['red', 'blue']
{"ok": True} == {"ok": true}
3只 == 3
7本书 == 7
10厘米 == 10\text{ cm}
20岁 == 20
12元 == 12
8小时 == 8
是。 == 是
x=1或x=2 == 1,2
3和4 == 3,4
2、3 == 2,3
N.A.S.A. == NASA
A dog == dog
O(n^2) == O(n^{2})
O(n log n) == O(n\log n)
Θ(n) == \Theta(n)
U.K. == UK
50% increase == 50%
5% interest == 5\%
2/3 == \frac{2}{3}.
10 + 20 = 30 == 30
1,000 + (2 * 500) = 2,000 == 2000
# of all kinds
2400~\textup{cm}^2 == 2400
x = -1 \text{ or } x = 3 == \{-1,3\}
\mathbf{5} == 5
\mathsf{5} == 5
7 < a+b == a+b>7
11\frac12 == \frac{23}{2}
$5$ dollars == 5
5 \text{ units}^2 == 5\text{ square units}
\textbf{5} == 5
{5} == 5
\displaystyle\frac{1}{2} == 0.5
Answer: 5 == 5
x\approx 3.14 == 3.14
C_{1}=2 == C_1=2
E_{k}=12 == E_k=12
T_1:T_2=1:2 == 1:2
V_A=10 == V_{A}=10
R_{eq}=5 == R_{\text{eq}}=5
a_{10}=20 == a_10=20
\alpha+\beta=5 == 5
\tan\alpha=\frac34 == \frac34
|\overrightarrow{AB}|=5 == 5
|3+4i|=5 == 5
|z_1|=3 == 3
\angle BAC = 45^{\circ} == 45
m\angle A=30^\circ == 30
P(A \text{ and } B)=0.12 == 0.12
\text{Var}(X)=4 == 4
E[X]=3 == 3
\mathbb{E}[X]=3 == 3
S_{10}=55 == 55
a^2+b^2+c^2=14 == 14
a_1+a_2=3 == 3
\frac{a}{b}=\frac23 == \frac23
AB+BC=10 == 10
AB=5 == 5
AB\cdot CD=12 == 12
2a+3b=12 == 12
f(1)+f(2)=3 == 3
f(g(2))=5 == 5
f'(1)=3 == 3
x\in(-\infty,3) == x<3
x \in \mathbb{R}, x \neq 2 == (-\infty,2)\cup(2,\infty)
\{x|-1\leq x<4\} == [-1,4)
\{x : x\in\mathbb{R}, x\neq 0\} == x\neq0
\mathbb{R} \backslash \{0\} == x\neq 0
(-\infty, 0) \cup (0, +\infty) == \{x|x\ne0\}
x\neq 1, x\neq 2 == \mathbb{R}\setminus\{1,2\}
x \ne \pm 2 == \mathbb{R}\setminus\{-2,2\}
x>2 or x<-2 == |x|>2
x > 2 and x < 5 == 2<x<5
2 < x \text{ and } x < 5 == (2,5)
[1,3]\cup[2,5] == [1,5]
x(x-2)<0 == (0,2)
(x-1)(x-3)\ge 0 == (-\infty,1]\cup[3,\infty)
-x^2+4>0 == (-2,2)
x=\frac{\pi}{2}+k\pi, k\in\mathbb{Z} == \frac{\pi}{2}+k\pi
x = 2k\pi\ (k \in \mathbb{Z}) == 2k\pi
f(x)=x^2,\ x\in\mathbb{R} == f(x)=x^2
f(x)=x+1\text{ for all real }x == f(x)=x+1
f(n)=n+1 \text{ for all } n\in\mathbb{N} == f(n)=n+1
f(x) = ax + b where a and b are constants == f(x)=ax+b
f(x)=2x \forall x == f(x)=2x
f(x)=2x \quad \forall x\in\mathbb{R} == f(x)=2x
\frac{1}{x},\ x>0 == \frac1x
\\boxed{5} == 5
\\frac{\\sqrt{3}}{2} == \frac{\sqrt3}{2}
\\pi == \pi
(1, \\infty) == (1,\infty)
x \\in [0,1] == [0,1]
\\left[0,1\\right) == [0,1)
\\$5 == \$5
\\mathbf{x} == x
2.5 × 10^6 == 2500000
2.5 x 10^6 m == 2.5\times10^6
6.63 x 10^{-34} J s == 6.63\times10^{-34}
1.0\times 10^{5}\,\text{Pa} == 100000
1,234,567 == 1 234 567
12 000 m == 12000
\$1,000 == 1000
$1,000.00 == 1000
"(1,2)" == (1,2)
“x = 2” == x=2
'yes' == yes
**Yes** == yes
***5*** == 5
__5__ == 5
_5_ == 5
`x^2` == x^2
\textcolor{red}{\text{5}} == 5
\color{blue}{\frac{1}{2}} == \frac12
\colorbox{yellow}{5} == 5
£3.50 == 3.5
3.50 € == 3.5
5 EUR == €5
¥100 == 100
HK$5 == 5
25 cents == 25
0.\dot{2}\dot{7} == \frac{3}{11}
0.\overline{27} == 3/11
45 pct == 45\%
45\text{ per cent} == 45\%
45 percent == 0.45
12.5 % == 1/8
50\%\text{ of the total} == 50\%
100 kg == 100\text{ kg}
9.81 m/s² == 9.81\text{ m/s}^2
9.81\ \mathrm{m\,s^{-2}} == 9.81\text{ m/s}^2
3\times10^8\ \mathrm{m/s} == 3\times 10^8
1.5 V == 1.5\,\mathrm{V}
20 N m == 20\text{ N}\cdot\text{m}
0.5 mol/L == 0.5\text{ mol/L}
5 L == 5\text{ liters}
37 °C == 37
37°C == 37^\circ\text{C}
98.6 °F == 98.6
300 km == 300
15 min == 15\text{ minutes}
2 h == 2\text{ hours}
4 \Omega == 4
10\,\mu\text{F} == 10\text{ μF}
6 cm^2 == 6\text{ cm}^2
6 cm² == 6
7 square feet == 7
12 dollars per hour == 12
60 miles per hour == 60\text{ mph}
1200 rpm == 1200
5 people == 5
3 men == 3
\sin^2\theta+\cos^2\theta == 1
\cos^2x+\sin^2x == 1
\sin^{-1}\left(\frac{\sqrt3}{2}\right) == \frac{\pi}{3}
\cos^{-1}(0) == \frac{\pi}{2}
\tan^{-1}(1) == \frac{\pi}{4}
\arcsin 1 == \pi/2
\arccos\frac{1}{2} == \frac{\pi}{3}
\sin 105^\circ == \frac{\sqrt6+\sqrt2}{4}
\cos 75^\circ == \frac{\sqrt6-\sqrt2}{4}
\cot 15^\circ == 2+\sqrt3
\sin\frac{5\pi}{12} == \frac{\sqrt{6}+\sqrt{2}}{4}
2\sin 15^\circ == \frac{\sqrt6-\sqrt2}{2}
\tan 45^\circ+\tan 60^\circ == 1+\sqrt3
D == \textbf{D.}
D == (D).
D == D) None of these
D == \textbf{(D)}\ 45
D == \text{(D)}
D == Option (D)
D == choice D
D == \boxed{\text{D}}
D == D: 45
D == (D) 45\%
D == \textbf{D)}\ 45
D == \text{D) }45
D == D - none of the above
D == D. None of the above
D == Answer: D
D == The correct option is D
D == the answer is (D)
A, B == A and B
A,B,D == (A), (B), (D)
7:15 PM == 19:15
7:15 p.m. == 19:15
12:30 AM == 00:30
January 1, 2000 == 2000-01-01
1st January 2000 == January 1, 2000
Jan. 1, 2000 == January 1, 2000
March 14 == 14 March
2000/1/1 == 2000-01-01
31/12/1999 == December 31, 1999
NaOH == \text{NaOH}
Na2CO3 == Na_2CO_3
\mathrm{CH_4} == CH4
\text{CO}_2 == CO2
CO₂ == CO2
\ce{H+} == H^+
\ce{NO3-} == NO_3^-
2Na + Cl2 -> 2NaCl == 2Na+Cl_2\rightarrow 2NaCl
\ce{2H2 + O2 -> 2H2O} == 2H2 + O2 -> 2H2O
{"x": 1} == {"x": 1.0}
{"a":[1,2],"b":null} == {'b': None, 'a': [1, 2]}
["a", 1] == ['a', 1]
100人 == 100
36个 == 36
15千米 == 15\text{ km}
（1，2） == (1,2)
x＝5 == 5
x≥3 == [3,\infty)
3或5 == 3,5
A、B、D == A,B,D
Los Angeles == los angeles
an apple == apple
The Moon == moon
O(n \log n) == O(n\log n)
O(nlog n) == O(n \log n)
n log n == n\log n
O(2^n) == O(2^{n})
U.S. == US
true == True
TRUE == true
\text{True} == true
# choices without commas, inequations, units of physics, Chinese
ACD == A,C,D
ACD == \text{A, C, D}
ABD == \text{A, B and D}
AC == (A),(C)
\text{BD} == B, D
A、C、D == ACD
|x|\neq 2 == x\neq\pm2
|x|\ne 2 == (-\infty,-2)\cup(-2,2)\cup(2,\infty)
|x-1|\neq 3 == x\ne4, x\neq-2
6\text{ sq. cm} == 6\text{ cm}^2
6\text{ square cm} == 6 cm^2
6 sq. cm == 6 square cm
6 sq cm == 6\ \mathrm{cm}^2
6\text{ sq.\ cm} == 6\text{ cm}^2
24\text{ cu. in.} == 24\text{ in}^3
12 sq. ft. == 12\text{ ft}^2
3.0\times10^8\ \text{m/s} == 3\times 10^{8}\,\mathrm{m\,s^{-1}}
9.8\ \mathrm{m/s^2} == 9.8\ \text{m s}^{-2}
5\ \Omega == 5\text{ ohms}
2.5\ \mu\text{F} == 2.5\,\mu F
2.5 μF == 2.5\ \mu\mathrm{F}
5\ \mathrm{N\cdot m} == 5\text{ N m}
6\ \text{kg}\cdot\text{m/s} == 6 kg m/s
4.0 × 10³ N == 4000\text{ N}
60 km/h == 60\text{ kilometers per hour}
60 km/h == 60 km per hour
37°C == 37\text{ degrees Celsius}
100 m² == 100\text{ m}^2
24 cm³ == 24\text{ cubic centimeters}
5\frac{1}{2}\text{ in.} == 5.5\text{ inches}
E=mc^2 == mc^2
\sqrt{2gh} == (2gh)^{1/2}
\frac{mv^2}{r} == mv^2/r
\Delta x = 2 == 2
x=1\text{或}x=2 == x=1\text{ or }x=2
x_1=1，x_2=2 == x_1=1, x_2=2
x₁=1，x₂=2 == x_{1}=1,x_{2}=2
选A == A
选项B == B
故选C == C
答案：D == D
12平方厘米 == 12\text{ cm}^2
y=2x＋1 == y=2x+1
2∶3 == 2:3
x∈(0,1] == 0<x\le1
a≥2 == [2,+\infty)
(-\infty,+\infty) == \mathbb{R}
R == \mathbb{R}
x>1且x≠2 == (1,2)\cup(2,\infty)
①③④ == ①、③、④
①③ == ①,③
①③⑩ == 1, 3, 10
⑩⑳ == ⑩、⑳
C_{10}^{3} == 120
{10\choose 3} == \binom{10}{3}
\lg 2 == \log_{10}2
x\equiv 7\pmod{12} == x\equiv 7 \mod 12
x\equiv 7\pmod{12} == x \equiv 7 \ (\text{mod } 12)
x\equiv 3 \mod 10 \text{ or } x\equiv 4 \mod 10 == x\equiv 3\pmod{10} \text{ or } x\equiv 4\pmod{10}
x\equiv 3 \mod 10 or x\equiv 4 \mod 10 == x\equiv 3\pmod{10} or x\equiv 4\pmod{10}
x\equiv 3 \mod 10 \quad == x\equiv 3\pmod{10}
\overrightarrow{AB} == \vec{AB}
\text{(B) and (C)} == B, C
\$1{,}000 == 1000\text{ dollars}
x=\frac{-1\pm\sqrt5}{2} == \frac{-1+\sqrt5}{2},\frac{-1-\sqrt5}{2}
(x-1)^2+(y+2)^2=9 == x^2-2x+y^2+4y=4
y-3=2(x-1) == y=2x+1
\sin^{-1}\frac12 == \frac{\pi}{6}
∠A=30° == 30°
1/2 mv^2 == \frac{1}{2}mv^2
3小时 == 3\text{ h}
\text{No solution.} == \text{no solution}
n=3k+1\ (k\in\mathbb{Z}) == n=3k+1
10^{-3}\text{ kg} == 0.001\text{ kg}
1.5\times 10^{-3} == 0.0015
18\pi\text{ cubic units} == 18\pi
\frac{20}{3}\text{ square units} == \frac{20}{3}
7.2\times10^{4}\ \text{J} == 7.2\times 10^4 J
45 mph == 45\text{ miles per hour}
3 m == 3\text{ m}
500\ \text{nm} == 500 nm
0.5\ \text{mol/L} == 0.5\text{ mol}\cdot\text{L}^{-1}
1.2\ \text{g/cm}^3 == 1.2\ \mathrm{g\,cm^{-3}}
-13.6\ \text{eV} == -13.6 eV
甲 == \text{甲}
3x+2y=7 == 3x + 2y - 7 = 0
\frac{n(n+1)}{2} == \frac{n^2+n}{2}
8\sqrt{3}+4 == 4(1+2\sqrt3)
\{(1,2),(3,4)\} == (1,2),(3,4)
\text{Yes, it is} == \text{yes, it is}
x^2\neq4 == x\neq\pm2
2x\neq4 == x\neq2
{n\choose k} == \binom{n}{k}
2{5 \choose 2} == 20
x^{5 \choose 2} == x^{10}
\begin{pmatrix}1\\[2pt]2\end{pmatrix} == \begin{pmatrix}1\\2\end{pmatrix}
1, 2, 3, ... == 1,2,3,\ldots
x^2~+~3x == x^2+3x
a_2~=~60 == a_2=60
"""
"""Each line is one answer to a lenient reader."""

DIFFERENT = r"""
x_1=5 == x_2=5
x_{12}=5 == x_{1}=5
v_0^2 == v_2^0
a_n=2n == a_n=2n+1
x_{\max}=4 == x_{\min}=4
k_B == k_b
2^6 3^5 == 2^5 3^6
2^3 3 == 2^{33}
2 3 == 6
\sqrt{\frac{4}{x}} == \frac{4}{\sqrt{x}}
\sqrt{\frac{a}{b}} == \frac{a}{\sqrt b}
\sqrt{x^2} == x
\sqrt{x^2y} == x\sqrt y
\sqrt[4]{x^2} == \sqrt x
(x^2)^{1/4} == \sqrt{x}
\ln(x^2) == 2\ln x
\ln(x+y) == \ln x+\ln y
\ln(xy) == \ln x\ln y
\sqrt{a+b} == \sqrt a+\sqrt b
\log_2(8x) == 3\log_2 x
|x|<2 == |x|\le 2
|x|<2 == |x|>2
|x|<2 == (-2,2]
|x|>2 == (2,\infty)
x^2<4 == x<2
x^2>4 == x>2
|x-1|<2 == (-2,2)
\{y|x>2\} == \{x|x>2\}
\{x|x>2\} == \{x|x\ge 2\}
\{x|x>2\} == \{2\}
\mathbb R\setminus\{2\} == \mathbb{R}
\mathbb R\setminus\{2\} == \mathbb{R}\setminus\{-2\}
\mathbb{R}^+ == \mathbb{R}
\mathbb{R}^+ == [0,\infty)
\mathbb{R}^+ == \mathbb{R}^-
x<2\text{ and }x>1 == x<2\text{ or }x>1
x<1\text{ or }x>2 == (1,2)
x\ge0,x\ne1 == x\ge0
x\ge0,x\ne1 == x\ge 1
k\pi,k\in\mathbb Z == k\pi,k\in\mathbb N
k\pi,k\in\mathbb Z == 2k\pi,k\in\mathbb Z
n+1,n\ge1 == n+1,n\ge2
f(x)=x \text{ for all } x == f(x)=2x \text{ for all } x
f(x)=x \text{ for } x>0 == f(x)=x\text{ for } x<0
f(x)=cx \text{ where } c=2 == f(x)=cx
\forall x>0, f(x)=0 == f(x)=0
\exists x, f(x)=0 == f(x)=0
x^2=4 == 4
x^2=4 == 2
2x=10 == 10
x^2+y^2=25 == 25
2^x=8 == 8
\log_2 x=3 == 3
|x-1|=2 == 2
2\sin x=1 == 1
x-y=0 == 0
r\cos\theta=5 == 5
a+b=7 == a+b=8
a+b=7 == c+d=7
P(A)=\frac14 == P(B)=\frac14
P(A|B)=\frac14 == P(B|A)=\frac14
|AB|=1 == |CD|=1
\sin A=\frac12 == \cos A=\frac12
a:b=2:3 == b:a=2:3
a:b=2:3 == 3:2
3 x 10^8 == 3 x 10^9
3 x 10^8 == 30x10^8
12 345 == 12345678
12 345 == 12, 345
100 200 == 100, 200
€5 == \$5
£5 == €5
US\$5 == HK\$5
¥5 == \$5
0.\dot3 == 0.3
0.\dot1\dot2 == 0.1\dot2
0.(3) == 0
0.1(6) == 0.6
5\% == 0.5
50\% increase == 50\% decrease
50\% increase == 5\% increase
20 percent more == 20 percent less
30\%\text{ red} == 30\%\text{ blue}
10 percent higher == 10 percent lower
5% acid == 5% base
48 m == 48 s
48 m == 48 km
12 V == 12 W
5 mW == 5 MW
5\text{ mW} == 5\text{ MW}
5 mm == 5 Mm
3 Pa == 3 pA
10 m/s == 10 m/s^2
10 m/s == 10 s/m
5 per hour == 5 per day
25^\circ C == 25^\circ F
5 g == 5 kg
2 kg == 2 lb
6 in == 6 ft
100\Omega == 100\text{ V}
5\text{ mg} == 5\text{ Mg}
5 kN == 5 kn
(A) and (B) == A
(A) and (B) == B
(A) and (B) == A or B
(A), (B) == (A), (C)
A) 3, B) 4 == A
A. 3 and B. 5 == B
(A) 3; (B) 4 == A
A、B == A
Option A and Option B == A
A and B == A
Both A and B == A
A or B == A and B
B - foo == C - foo
(A) 12 == B
Option B == Option C
A - 5 == A
E == E=mc^2
A) 12 == A) 13
CO == Co
NO == No_2
Si == SI
HF == Hf
SN == Sn
CS == Cs
COS == CoS
\text{CO} == \text{Co}
pb == Pb
mm == MM
kB == KB
Mb == MB
pH == PH
Ph == pH
2024-06-15 == 2024-05-16
2024-06-15 == 2003
06/15/2024 == 06/16/2024
05/06/2024 == 06/05/2024
June 5, 2021 == June 6, 2021
June 5, 2021 == June 5, 2022
June 5 == July 5
1/2/2024 == \frac{1}{4048}
3-2 == 1
3-2 == 4-3
21-14 == 7
5-10\text{ minutes} == -5\text{ minutes}
5-10 == -5
10-12 == 12-10
3:2 == 2:3
3:30 PM == 3:30 AM
3:30 PM == 3:30
15:30 == 5:30
15:30 == 15:31
1.2.3 == 1.2.4
1.2.3 == 3.6
v1.2 == v1.3
2.10.1 == 2.1.1
555-1234 == -679
(555) 123-4567 == 555-123-4567 x2
(555) 123-4567 == -2466420
192.168.0.1 == 192.168.0.2
H2O == H2O2
H2O == HO2
CO2 == CO
CO2 == 2CO
CO2 == C2O
C6H12O6 == C12H22O11
\ce{Fe^2+} == \ce{Fe^3+}
SO_4^{2-} == SO_3^{2-}
2H_2+O_2\to2H_2O == 2H_2O\to2H_2+O_2
2H_2+O_2\to2H_2O == H_2+O_2\to H_2O
H_2O(g) == H_2O(l)
NaCl == NaCl2
{"a":1} == {"a":2}
{"a":1} == {"b":1}
{"a":1} == {"a":"1"}
["a","b"] == ["b","a"]
[1,"a"] == ["1","a"]
5个 == 6个
5万 == 5
5倍 == 5
5米 == 5厘米
5个半 == 5
5元 == 5美元
是 == 否
A、C == A、B
x=5或x=3 == x=5
\sin15^\circ == \cos15^\circ
\sin^{-1}1 == 1
\sin^{-1}\frac12 == \frac{\pi}{3}
\tan15^\circ == 2+\sqrt3
\sin^2x+\cos^2x == 2
\sin^2x+\cos^2y == 1
\sin^2x-\cos^2x == 1
\arctan 1 == \frac{\pi}{3}
\lim_{x\to0}\frac{\sin x}{x} == 0
\lim_{x\to0}\frac{\sin 2x}{x} == 1
"5" == "6"
**A** == **B**
5 apples == 5 oranges
50\% == 50 cm
x+1 == "x-1"
5! == 5
f(x)=2x == f(x)=2x^2
A_1 == A_2
North == South
-5 == 5
5 or 6 == 5
5 to 6 == 5
at least 5 == 5
5+ == 5
>5 == 5
about 5 == 5
3 x 4 == 12x
3 dozen == 3
5 squared == 5
5^{th} == 5^{2}
10 m^2 == 10 m
10 m^2 == 10 m^3
\$5 million == \$5
5k == 5
2024 == 2024.1
1st == 2nd
US == us
IT == it
MW == mW
f(A)=5 == f(B)=5
x=5 m == x=5 s
U.S. == U.K.
-3-2 == -1
1e3 == e^3
x(x-2)=0 == 0
x(x-2)<0 == (-\infty,0)
n(n+1)=30 == 30
x^2+bx+c=0 == 0
ax+by=7 == 7
xy=6 == 6
y=2x+1 == 1
x^2=9 == 9
\sqrt{x}=3 == 3
3x+2=11 == 11
e^x=5 == 5
|x+2|=7 == 7
\sin(x+1)=0 == 0
a+b\ne 7 == 7
a+b>7 == 7
a+b>7 == a+b=7
P(A)>\frac14 == \frac14
f(x)=5 \text{ for } x>0 == f(x)=5\text{ for }x<0
x=k\pi == x=2k\pi
k\pi, k\in\mathbb{Z} == 2k\pi+\frac{\pi}{2}
\{x|x>2\} == \{x|x<2\}
\{x|1<x<2\} == \{1,2\}
x\ne 2 == 2
x\ne 2 == x=2
x\ne\pm2 == x=\pm2
|x|\le 3 == [0,3]
|x|\ge 3 == [3,\infty)
x^2<4 == (0,2)
x^2-5x+6<0 == (2,3]
x^2-5x+6>0 == (2,3)
x<2, x>5 == (2,5)
x>1, x<5 == x>1
[0,5]\setminus\{2\} == [0,5]
[0,5]\setminus\{2\} == [0,2)\cup(2,5)
(1,3)\cap(2,5) == (1,5)
(1,3)\cup(2,5) == (2,3)
\mathbb{R}_{\ge0} == (0,\infty)
\mathbb{Z}^+ == \mathbb{R}^+
\mathbb{Z} == \mathbb{R}
\sqrt{x^3} == x^2
\sqrt[3]{x^2} == x
\sqrt{\frac{x}{y}} == \sqrt{\frac{y}{x}}
\sqrt{\frac{1}{n}} == \frac{1}{n}
\sqrt{xy} == xy
\ln\frac{x}{y} == \frac{\ln x}{\ln y}
\ln x^3 == (\ln x)^3
\log_2 x == \log_3 x
\log x == \ln x
\sin^2 x == \sin x^2
\sin^{-1}x == \frac{1}{\sin x}
\sin^2 2x+\cos^2 x == 1
\arcsin\frac{1}{2} == \arccos\frac12
2^6 3^5 == 2^6+3^5
10^2 3 == 10^{23}
12 345 == 12.345
1 000 == 1.000
1 00 == 100
5 x 10^3 == 5x10^{-3}
1.5 x 10^3 == 1.5x^3
3 \times 4 == 3 x 4
0.\dot{1}\dot{2} == 0.\dot{1}2
0.(12) == 0.1(2)
0.3 == 0.\dot{3}
$5 == 5%
€5 == 5%
5 euros == 5 pounds
\$5 == 5 cents
USD 5 == CAD 5
A$5 == US$5
5\% == 5 per thousand
50% == 50 percentage points off
25% discount == 25% markup
10% gain == 10% loss
40\%\text{ of boys} == 40\%\text{ of girls}
15\% higher == 15\% lower
5 m == 5 min
5 m == 5 mi
5 mA == 5 MA
5 kg == 5 kJ
5 pF == 5 PF
5 J/s == 5 J s
5 m/s == 5 m s
5 m^2 == 5 m_2
9.8 m/s^2 == 9.8 m/s^3
2 h == 2 min
10 N == 10 N m
10 C == 10 F
5 Pa == 5 kPa
5 mol == 5 mol/L
60 mph == 60 km/h
3 days == 3 weeks
5 men == 5 women
3 A == 3 B
A and C == A and B
A, C == A
(A) x or (B) y == A
B) and C) == B
(B) or (C) == B
(A), (B), (C) == (A)
\text{(A) and (C)} == C
Options A and C == A
A. I and II == B. I and II
C - red == D - red
(C) 12 == (C) 13
C or D == C
neither A nor B == A
not B == B
AC == CA
Al == AL
Au == AU
Cu == CU
Fe == FE
In == IN
Os == OS
Po == PO
Sc == SC
Hs == HS
kw == KW
Mhz == mHz
eV == EV
Am == am
Pm == pm
NaCl == NACl
KCl == KCL
CaO == CAO
HCl == HCL
CO == co
2023-01-02 == 2023-02-01
2023-01-02 == 2020
01/02/2023 == 02/01/2023
1/2 == 1/2/2023
12-25 == 12/25
2/3/4 == \frac{2}{12}
May 5 == May 6
May 5, 2020 == May 2020
1 May == 5 May
Monday, May 4 == Tuesday, May 4
10:30 AM == 10:30 PM
10:30 == 10:03
22:30 == 10:30 AM
12:00 PM == 12:00 AM
3-1 == 2
2-0 == 2
7-5, 6-4 == 2, 2
7-5, 6-4 == 6-4, 5-7
10-20 == -10
1990-1995 == -5
pages 5-10 == 5
5-10 kg == 5 kg
100-200\text{ m} == -100\text{ m}
\$5-\$10 == -\$5
5%-10% == -5%
1.0.0 == 1.0
v2.0 == 2.1
2.1.3 == 2.13
123-456-7890 == -8223
+1 555-123-4567 == 311
(800) 555-1212 == 800
ISBN 0-306 == -306
H2 == 2H
O2 == O3
N2 == 2N
C2H4 == CH2
H2SO4 == H2SO3
CH3OH == CH4O2
Na+ == Na
Fe^{2+} == Fe^{3+}
Cl^- == Cl
A+B\to C == A+C\to B
N2+3H2->2NH3 == N2+H2->NH3
2H2O == 4HO
H_2 + O_2 == H_2O
{"a": 1, "b": 2} == {"a": 2, "b": 1}
{"a": [1,2]} == {"a": [2,1]}
{"a": true} == {"a": "true"}
{"a": null} == {}
["a"] == ["a","a"]
{'a': 'b'} == {'a': 'c'}
3个 == 3个半
3百 == 3
3千克 == 3克
3倍 == 3
第3 == 3
3元 == 3角
3月5日 == 3月6日
对 == 错
甲 == 乙
甲和乙 == 甲或乙
3或5 == 3
大于5 == 小于5
O(n) == O(n^2)
O(n log n) == O(n)
O(n log n) == O(log n)
O(n) == \Theta(n)
n log n == n^2
yes == no
true == false
increasing == decreasing
even == odd
up == down
x_1 == x^1
x_1=2 == y_1=2
x_1=2, x_2=3 == x_1=3, x_2=2
a_n=2^n == a_n=n^2
a_{n+1}=2 == a_n=2
f'(x) == f''(x)
\vec{a} == \vec{b}
\bar{x}=5 == x=6
k_BT == k_B
V_1:V_2=1:2 == V_2:V_1=1:2
AB:CD=2:3 == AC:BD=2:3
\textcolor{red}{5} == \textcolor{red}{6}
5\tag{1} == 1
\color{red}5 == red
\\frac{1}{2} == \frac{2}{1}
"5 apples" == "6 apples"
**5** == **6**
5*3 == 5
*5 == 6
1,2 == 1.2
1,000 == 1
1,000 == 1, 000
# choices without commas, inequations, units of physics, Chinese
ACD == A,C
ACD == A,B,D
ACD == A
CAD == A,C,D
AB == BA
AC == A
A,C == C
|x|\neq2 == x\neq2
|x|\neq2 == |x|=2
|x|\neq2 == |x|\neq3
|x|\neq -2 == |x|\neq2
6\text{ sq. cm} == 6\text{ cm}
6 sq. cm == 6 sq. m
6\text{ cm}^2 == 6\text{ cm}^3
6 sq. cm == 6 cu. cm
6\text{ cm}^2 == 36\text{ cm}^2
9.8\text{ m/s} == 9.8\text{ m/s}^2
9.8\text{ m s} == 9.8\text{ m/s}
5\text{ N} == 5\text{ kN}
1\text{ mW} == 1\text{ MW}
2.5\ \mu\text{F} == 2.5\text{ mF}
2.5\ \mu\text{F} == 2.5\text{ F}
60 km/h == 60 m/h
37°C == 37°F
\log_2 3 == \log_3 2
①③ == ①②
①③ == ③
①③⑩ == ①③
①⑩ == ①
选A == 选B
选A == B
x>1且x≠2 == x>1
x=1或x=2 == x=1
x_1=1，x_2=2 == x_1=2，x_2=1
2:3 == 3:2
C_{10}^{3} == C_{10}^{4}
C_{10}^{3} == 10
x\equiv 7\pmod{12} == x\equiv 7\pmod{11}
x\equiv 7\pmod{12} == 7
x\equiv 7\pmod{12} == x\equiv 5\pmod{12}
10\text{ m/s east} == 10\text{ m/s west}
[2,+\infty) == (2,+\infty)
12平方厘米 == 12厘米
3小时 == 3分钟
0.1\dot6 == 0.\dot1\dot6
\vec{AB} == \vec{BA}
5.5\text{ in.} == 5.5\text{ in}^2
4.0×10³ == 4.0\times10^{-3}
\frac12mv^2 == \frac{1}{2mv^2}
乙和丙 == 乙
乙和丙 == 乙或丙
0.5\ \text{mol/L} == 0.5\text{ mol}
1.2\text{ g/cm}^3 == 1.2\text{ kg/m}^3
y=2x+1 == y=2x-1
e^{i\pi/4} == e^{-i\pi/4}
-13.6\text{ eV} == 13.6\text{ eV}
500\text{ nm} == 500\text{ Nm}
\{(1,2),(3,4)\} == (1,4),(3,2)
\text{Yes, it is} == \text{No, it is not}
3 m == 3\text{ mm}
\text{increasing} == \text{decreasing}
ABC == A,B
18\pi\text{ cubic units} == 18\pi\text{ square units}
45 mph == 45\text{ km per hour}
6 squared cm == 6 cm
100 \text{ sq. m} == 100 \text{ m}
(A) x or (B) y == A and B
A or C == AC
AB == B, A, C
ABCD == A, B, D, C, E
|x|\neq2 == x^2\neq2
|x-1|\neq3 == x\neq4
{10\choose 3} == {10\choose 4}
x\equiv 7\pmod{12} == x\equiv 7\pmod{21}
x\equiv 5 \mod p^2 == x\equiv 5 \pmod{p}^2
x\equiv 5 \mod abc^2 == x\equiv 5 \pmod{a}bc^2
x\equiv 5 \mod n+1 == x\equiv 5 \pmod{n}+1
x\equiv 5 \mod 2 k == x\equiv 5 \pmod{2} k
(A,B] == (B,A]
(A,B] == A,B
(A,B) == (B,A)
() == \emptyset
yes, no == no, yes
①③ == 13
\sum\vec{a} == \sum\vec{b}
\begin{cases}1\\2\end{cases} == \begin{gathered}1\\2\end{gathered}
\sum_{k=1}^{3}\bar{x} == \sum_{k=1}^{3}\bar{y}
1, 2, 3, ... == 1, 2, 3
~5 == 5
x~5 == 5x
"""
"""Each line is two answers, in either mode."""


def pairs(lines: str) -> Iterator[tuple[str, str]]:
    """The two answers of each line."""
    for line in lines.splitlines():
        one, between, other = line.partition(" == ")
        if between:
            yield one, other
