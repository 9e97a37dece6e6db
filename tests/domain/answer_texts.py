"""Texts that nobody should have written: soup of the grammar's own tokens, units repeated to the limit of an answer."""

from hypothesis import strategies as st

MOST_CHARS = 4096

_TOKENS = r"""
\frac \dfrac \sqrt \sqrt[3] \sqrt[ \binom \left \right \left( \right) \begin{pmatrix} \end{pmatrix} \begin{array}{cc}
\begin \end & \\ \{ \} { } ( ) [ ] | \lfloor \rfloor \lceil \rceil \langle \rangle ^ _ ^{ _{ ! !! ' % \% $ \$ \pm \mp
+ - * / ** = < > \le \ge \ne \approx \in \notin \equiv \cup \cap \setminus \emptyset \infty -\infty \pi e i x y z n
f(x) f( g(x) AB \theta \alpha \sin \cos \tan \sin^{-1} \log \log_2 \ln \lg \exp \gcd \max \min \cdot \times \div
\text{cm} \text{and} \text{or} \text{ \text \mathbf{5} \mathrm{m} \overline{3} 0.\overline{142857} \overline{AB} \hat
\vec{v} \circ ^\circ ^{\circ} \degree \, \! \; \quad ~ \ldots ... , ; : . 0 1 2 12 0.5 .5 1,234 1{,}234 1\,234 1e5
1E-9 100! 10^{10} 2^{1000} 52_8 _{10} _{16} 1\frac12 1/2 1/0 0^0 \frac10 cm km m/s percent degrees dollars any yes no
undefined (A) A. ½ ² √ π ∞ ≤ − ° × ₂ \sum \int \lim \to \prime \mid \land \lor \boxed{ \phantom{ \hspace{1cm}
\mathbb{R} \neg \not \choose x_{1} v^2_0 k_BT x^{\prime} f' |x|<2 \{x| \{x: \setminus\{2\} \mathbb{R}^+ \mid \forall
\\frac \\ \textcolor{red}{5} \color{red} \tag{1} \underline{ " ' ` ** * __ €5 US$ USD £ 0.\dot3 0.(3) x10^ pct per
(B) B) B. B: Option Choice - 3-2 5-10 2024-06-15 June 15, 3:30 PM 15:30 1.2.3 555-1234 H2O H_2O \ce{ CO2 -> \to Na^+
{"a":1} ['b'] 5个 5万 或 和 、 。 年 月 日 m/s^2 48 m mW MW \Omega \mu °C kg increase decrease for all where
\text{ for all } \text{ where } n\ge1 k\in\mathbb{Z} P(A|B)= a+b=7 a:b= nlogn U.S.A. min \lim_{ \text{ or }
"""
TOKENS = tuple(_TOKENS.split())
"""What the grammar knows, and what it nearly knows."""


def texts() -> st.SearchStrategy[str]:
    """Any text: Unicode with lone surrogates and NUL, token soup, soup within brackets, a unit repeated to the end."""
    anything = st.text(st.characters(), max_size=60)
    hostile = st.text(st.sampled_from("\x00\ud800\udfff\u200b\u0301½²√⁄１𝟙\\{}^_$&%!|,;."), max_size=30)
    soup = st.lists(st.sampled_from(TOKENS), max_size=40).flatmap(
        lambda tokens: st.sampled_from(["", " "]).map(lambda space: space.join(tokens))
    )
    around = st.sampled_from(
        [("(", ")"), ("{", "}"), (r"\{", r"\}"), (r"\sqrt{", "}"), (r"\frac{1}{1+", "}"), ("|", "|"), (r"\text{", "}")]
    )
    deep = st.builds(
        lambda pair, levels, inside: pair[0] * levels + inside + pair[1] * levels, around, st.integers(1, 600), soup
    )
    long = st.builds(
        lambda unit, size: (unit * (size // len(unit) + 1))[:size],
        soup.filter(bool),
        st.sampled_from([300, 2048, MOST_CHARS]),
    )
    return st.one_of(anything, hostile, soup, deep, long).map(lambda text: text[:MOST_CHARS])


def repeated(unit: str, between: str, size: int = MOST_CHARS) -> str:
    """As many units as fit."""
    return between.join([unit] * ((size + len(between)) // (len(unit) + len(between))))


def numbered(unit: str, between: str, size: int = MOST_CHARS) -> str:
    """Units with growing numbers, as many as fit: `#` is n, `@` is n + 1, `~` is n² + 1."""
    parts: list[str] = []
    length = 0
    for n in range(1, size):
        part = unit.replace("#", str(n)).replace("@", str(n + 1)).replace("~", str(n * n + 1))
        length += len(part) + len(between)
        if length > size:
            break
        parts.append(part)
    return between.join(parts)


def nested(opening: str, inside: str, closing: str, levels: int) -> str:
    """Brackets in brackets."""
    return opening * levels + inside + closing * levels
