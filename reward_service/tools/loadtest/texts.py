"""Write responses as a language model does: prose, LaTeX and a final box. Deterministic."""

import json
import random

_SENTENCES = (
    "Let me work through this step by step, keeping track of what is given and what is asked.\n\n",
    "First, we set $x = {a}$ and notice that the expression factors as $(x - {b})(x + {a})$.\n",
    "Expanding, we obtain \\[ \\frac{{{a}x^2 + {b}x}}{{x - {c}}} = {a}x + \\frac{{{b}}}{{x - {c}}}. \\]\n",
    'Since "each" of the {a} terms appears exactly {b} times, their sum is ${a} \\cdot {b} \\cdot {c}$.\n',
    "**Step {c}.** We substitute $y = \\sqrt{{x + {a}}}$, so that $y^2 - {a} = x$ and $dx = 2y\\,dy$.\n",
    "Wait, that does not look right: for $n = {b}$ the left-hand side is {a}, but the right-hand side is {c}.\n",
    "Let me check it again with $n = {a}$: $\\binom{{{a}}}{{{c}}} \\equiv {b} \\pmod{{{a}}}$, which is consistent.\n",
    "\\begin{{align*}}\n S_{{{a}}} &= \\sum_{{k=1}}^{{{a}}} k^{{{c}}} \\\\\n"
    " &= \\left\\lfloor \\frac{{{b}}}{{2}} \\right\\rfloor\n\\end{{align*}}\n",
    "By the triangle inequality, $|z - {a}| \\leq |z| + {a}$, and so the distance is at most {b}.\n",
    "Hmm, we have to be careful here, because the order of the {c} groups does not matter.\n\n",
    "So there are $\\frac{{{a}!}}{{{b}! \\cdot {c}!}}$ ways, of which exactly one in {c} is counted twice.\n",
    "The area of $\\triangle ABC$ is therefore $\\frac{{1}}{{2}} \\cdot {a} \\cdot {b} \\cdot \\sin {c}^\\circ$.\n",
    "Alternatively, one can think of this as a walk on the integers from ${a}$ to ${b}$ in {c} steps.\n",
    "- If $p \\mid {a}$, then $p \\mid {b}$ too, a contradiction.\n- If not, then $\\gcd(p, {a}) = 1$, as claimed.\n",
    "Putting $f(t) = t^{{{c}}} - {a}t + {b}$, we see that $f'(t) = {c}t^{{{b}}} - {a}$ vanishes once.\n\n",
)
# About one response in four holds characters beyond Latin-1, which Python stores at two bytes each.
_BEYOND_LATIN = "So α ≤ β − {a}, and hence the angle is {b}°.\n"
_LATIN = "So the angle is {b} degrees, and we are nearly there.\n"
_CLOSING = "\nTherefore, the final answer is:\n\n\\[ \\boxed{{{answer}}} \\]\n"


def response(seed: int, answer: str | None, size: int) -> str:
    """A response whose JSON takes about `size` bytes; it ends in its boxed answer, or without a box for None."""
    rng = random.Random(seed)
    odd = _BEYOND_LATIN if seed % 4 == 0 else _LATIN
    closing = "\nI cannot find the answer." if answer is None else _CLOSING.format(answer=answer)
    parts = [odd.format(a=rng.randint(2, 99), b=rng.randint(2, 89))]
    left = size - json_size(parts[0]) - json_size(closing)
    while left > 0:
        sentence = rng.choice(_SENTENCES).format(a=rng.randint(2, 99), b=rng.randint(2, 99), c=rng.randint(2, 9))
        parts.append(sentence)
        left -= json_size(sentence)
    return "".join((*parts, closing))


def prompt(seed: int) -> str:
    """A question within a chat template, as OpenRLHF sends it in front of the response."""
    rng = random.Random(seed)
    a, b, c = rng.randint(2, 99), rng.randint(2, 99), rng.randint(2, 9)
    return (
        "<|im_start|>system\nLet's think step by step and output the final answer within \\boxed{}.<|im_end|>\n"
        f"<|im_start|>user\nLet $S$ be the set of integers $n$ with ${a} \\leq n^{c} \\leq {a * b}$. What is the "
        f"probability that the sum of {c} elements of $S$ is divisible by ${b}$?<|im_end|>\n<|im_start|>assistant\n"
    )


def json_size(text: str) -> int:
    """The bytes that a text takes in JSON, without its quotes."""
    return len(json.dumps(text)) - 2
