"""Responses that hang, blow up or confuse a symbolic grader, with a truth for each and whether the two are equal.

It needs the standard library alone: programs in the environments of other frameworks read it too.
"""

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SHARED = Path(__file__).parents[3] / "shared" / "data" / "equivalence" / "adversarial_dev.json.gz"
EQUAL_IN_SHARED = frozenset(
    {
        "poly_1000", "set_1000_vs_perm", "sqrtset_60", "radical_deny", "trig_exact", "unicode_digits", "unicode_super",
        "unicode_frac", "zwsp",
    }
)  # fmt: skip
"""The rows of the shared file whose two texts are equal; all others are different, whatever a grader can prove."""


@dataclass(frozen=True)
class HostileAnswer:
    """A response, the truth that it is graded against, and whether `same` would be right."""

    name: str
    response: str
    truth: str
    equal: bool = False


def own_hostile() -> list[HostileAnswer]:
    """Those made here."""
    nested = r"\sqrt{1+" * 300 + "1" + "}" * 300
    return [
        HostileAnswer("tower", r"\boxed{9^{9^{9^{9}}}}", "9"),
        HostileAnswer("tower in a truth", r"\boxed{9}", r"9^{9^{9^{9}}}"),
        HostileAnswer("towers", r"\boxed{9^{9^{9^{9}}}}", r"9^{9^{9^{8}}}"),
        HostileAnswer("power", r"\boxed{3^{987654321}}", r"3^{987654322}"),
        HostileAnswer("factorial", r"\boxed{(50!)!}", r"(51!)!"),
        HostileAnswer("roots", rf"\boxed{{{nested}}}", "1.618"),
        HostileAnswer("fractions", r"\boxed{" + r"\frac{1}{1+" * 200 + "x" + "}" * 201, "x"),
        HostileAnswer("expansion", r"\boxed{(a+b+c+d)^{90}}", r"(a+b+c+d)^{89}(a+b+c-d)"),
        HostileAnswer("integral", r"\boxed{\int_{0}^{1} \sin(x^{x}) e^{x^{3}} dx}", r"\int_{0}^{1} \sin(x^{x}) dx"),
        HostileAnswer("series", r"\boxed{\sum_{n=1}^{\infty} \frac{1}{n^{3}+n}}", r"\sum_{n=1}^{\infty} \frac{1}{n^3}"),
        HostileAnswer("sum", r"\boxed{\sum_{k=1}^{90000000} \frac{1}{k^{2}}}", r"\frac{\pi^{2}}{6}"),
        HostileAnswer("limit", r"\boxed{\lim_{x \to 0} x^{x^{x}}}", "1"),
        HostileAnswer("sine", r"\boxed{\sin(10^{10^{6}})}", "0"),
        HostileAnswer("digits", r"\boxed{" + "7" * 90_000 + "}", "7"),
        HostileAnswer("commas", r"\boxed{" + "1," * 2_000 + "1}", "1"),
        HostileAnswer("open boxes", r"\boxed{" * 20_000, "1"),
        HostileAnswer("open braces", r"\boxed{" + "{" * 20_000, "1"),
        HostileAnswer("announcements", "The answer is not 5. " * 10_000, "5"),
        HostileAnswer("questions", "答案是5吗？" * 10_000, "5"),
        HostileAnswer("tags", "<answer>" * 20_000 + "5", "5"),
        HostileAnswer("code", 'The answer is __import__("os").system("true")', "0"),
        HostileAnswer("nothing", "", "0"),
        HostileAnswer("half a character", "\ud800 \\boxed{1\x002}", "12"),
        HostileAnswer("question", "is it 5? no", "5"),
        HostileAnswer("denial", "the answer is not 5", "5"),
        HostileAnswer("identity", r"\boxed{\sin 2x}", r"2\sin x\cos x", equal=True),
        HostileAnswer("roots that vanish", r"\boxed{\sqrt[3]{2+\sqrt{5}}+\sqrt[3]{2-\sqrt{5}}}", "1", equal=True),
        HostileAnswer("half", r"so \boxed{\dfrac{1}{2}}", "0.5", equal=True),
    ]


def shared_hostile() -> list[HostileAnswer]:
    """Those of the shared data; none where it is not at hand."""
    if not SHARED.exists():
        return []
    rows: Sequence[dict[str, str]] = json.loads(gzip.decompress(SHARED.read_bytes()))
    return [HostileAnswer(row["id"], row["text"], row["pair"] or "7", row["id"] in EQUAL_IN_SHARED) for row in rows]


def wrong(texts: Sequence[HostileAnswer], verdicts: Sequence[str]) -> list[str]:
    """The texts that were called equal and are not, and those whose equality is easily seen and was denied."""
    return [
        text.name
        for text, verdict in zip(texts, verdicts, strict=True)
        if (verdict == "same" and not text.equal) or (verdict == "different" and text.equal)
    ]
