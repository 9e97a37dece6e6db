"""200 texts that try to run, to break the page, or to look like another text."""

from itertools import product

RUN = "hacked()"
BASES = (
    f"<script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    f"<svg onload={RUN}>",
    f"<svg><script href=data:,{RUN} /></svg>",
    f"<iframe srcdoc='<script>parent.{RUN}</script>'>",
    f"<a href=javascript:{RUN}>4</a>",
    f"javascript:{RUN}",
    f"<details open ontoggle={RUN}>",
    f"<math><mtext></form><form><mglyph><style></math><img src onerror={RUN}>",
    f"<style>@import'javascript:{RUN}';body{{display:none}}</style>",
    "<base href=//example.com/>",
    "<meta http-equiv=refresh content='0;url=//example.com'>",
    "<link rel=stylesheet href=//example.com/x.css>",
    "<img src=//example.com/pixel.png>",
    "<form action=//example.com><input autofocus onfocus=hacked()></form>",
    "</td></tr></table></main></body></html>",
    "<!-- never closed",
    "<plaintext>",
    f'" onmouseover="{RUN}" x="',
    f"' autofocus onfocus='{RUN}",
    f"`${{{RUN}}}`",
    f"{{{{constructor.constructor('{RUN}')()}}}}",
    "data: x\n\nevent: runs\ndata: [1]\n\n",
    "\u202egnp.4\u202c",
    "4\u200b\u200d\u2060",
    "__proto__",
    "constructor",
    r"$\href{javascript:hacked()}{4}$",
    r"$\htmlData{x=y}{4}$ $\includegraphics{//example.com/x.png}$",
    r"$\rule{100000em}{100000em}$",
    r"$\def\a{\a\a}\a$",
    "$" + r"\frac{1}{" * 100 + "x" + "}" * 100 + "$",
    r"$\unicode{x} \color{red$",
    "$$" + "{" * 500,
    "𝕬𝟜" * 20 + "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳",
    "x" * 5000,
    "9" * 3000 + ".5",
    "\x00\x07\x1b[31m4",
    "CON\r\nX-Injected: 1",
    "%3Cscript%3Ehacked()%3C/script%3E",
)
SHAPES = ("{}", "4 {}", "{} = 4", "\\text{{{}}}", "\n{}\t")

HOSTILE = tuple(shape.format(base) for shape, base in product(SHAPES, BASES))


DEEP = tuple(
    f"${opened * 280}x{'}' * 280}$" for opened in (r"\frac{1}{", r"\sqrt{", r"x^{", r"\overline{", r"\underbrace{")
)
"""TeX that is deeper than a browser can lay out."""

MOVING = (
    r"$\smash{\raisebox{20em}{\raisebox{20em}{MOVED}}}$",
    r"$\smash{\raisebox{-20em}{\raisebox{-20em}{MOVED}}}$",
    r"$\kern-20em\kern-20em\kern-20em\kern-20em MOVED$",
    r"$\rlap{\kern20em\kern20em\kern20em MOVED}$",
    r"$\mathllap{\rule{20em}{20em}\rule{20em}{20em}}MOVED$",
    "$" + r"\hspace{20em}" * 8 + "MOVED$",
    "$$" + r"\hspace{20em}" * 8 + "MOVED$$",
    "$" + r"\rule{20em}{20em}" * 200 + "$",
)
"""TeX that sets what it says elsewhere, or is wider than any window."""

UNSEEN = (
    "$\\text{\u202egnp.4\u202c}$",
    r"$\@char{8238}4$",
    "$4\u200b$",
    "$4\U000e0041$",
    "4\ufe0f",
    "4\u3164",
    "4\U000e0041",
)
"""Marks that cannot be seen, in formulas and beside them."""
