"""Draw boxes, arrows and words as SVG, on a light card that is readable on dark pages too."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

INK, PAPER, LINE = "#1f2937", "#ffffff", "#6b7280"
FILLS = {
    "plain": "#f3f4f6",
    "trainer": "#dbeafe",
    "service": "#dcfce7",
    "store": "#fef3c7",
    "good": "#bbf7d0",
    "bad": "#fecaca",
    "note": "#ffffff",
}
FONT = "ui-sans-serif, system-ui, 'Segoe UI', Helvetica, Arial, sans-serif"
ROW = 18


@dataclass
class Drawing:
    """A card of this size; what is drawn later lies above what was drawn before.

    `title` is what a screen reader says of the picture.
    """

    width: int
    height: int
    title: str
    parts: list[str] = field(default_factory=list)

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        lines: Sequence[str],
        kind: str = "plain",
        *,
        bold: int = 1,
    ) -> None:
        """Draw a box with lines in its middle, the first `bold` of them in bold."""
        edge = "none" if kind == "note" else LINE
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="8" fill="{FILLS[kind]}" '
            f'stroke="{edge}"/>'
        )
        top = y + height / 2 - ROW * (len(lines) - 1) / 2
        for row, line in enumerate(lines):
            self.text(x + width / 2, top + row * ROW, line, bold=row < bold, size=14 if row < bold else 12)

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        bold: bool = False,
        size: int = 12,
        anchor: str = "middle",
        ink: str = INK,
    ) -> None:
        """Write words whose middle is at this height."""
        weight = "600" if bold else "400"
        self.parts.append(
            f'<text x="{x:g}" y="{y + 0.35 * size:g}" font-size="{size}" font-weight="{weight}" fill="{ink}" '
            f'text-anchor="{anchor}">{escape(words)}</text>'
        )

    def arrow(self, points: Sequence[tuple[float, float]], words: str = "", *, dashed: bool = False) -> None:
        """Draw an arrow through points, with words above the middle of its longest piece."""
        path = " ".join(f"{'L' if place else 'M'}{x:g},{y:g}" for place, (x, y) in enumerate(points))
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.parts.append(
            f'<path d="{path}" fill="none" stroke="{LINE}" stroke-width="1.5"{dash} marker-end="url(#tip)"/>'
        )
        if words:
            pieces = list(pairwise(points))
            (ax, ay), (bx, by) = max(pieces, key=lambda piece: _length(*piece))
            self.label((ax + bx) / 2, (ay + by) / 2, words.split("\n"))

    def line(self, x: float, top: float, bottom: float) -> None:
        """Draw an upright line."""
        self.parts.append(f'<path d="M{x:g},{top:g} V{bottom:g}" stroke="{LINE}" stroke-dasharray="2 4"/>')

    def label(self, x: float, y: float, lines: Sequence[str]) -> None:
        """Write lines on a piece of paper, over whatever is below."""
        width = max(map(len, lines)) * 6.4 + 8
        height = len(lines) * 15 + 2
        self.parts.append(
            f'<rect x="{x - width / 2:g}" y="{y - height / 2:g}" width="{width:g}" height="{height:g}" fill="{PAPER}"/>'
        )
        for row, line in enumerate(lines):
            self.text(x, y - 15 * (len(lines) - 1) / 2 + 15 * row, line, size=12, ink="#374151")

    def svg(self) -> str:
        """Return the picture."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" width="{self.width}" '
            f'height="{self.height}" role="img" font-family="{FONT}"><title>{escape(self.title)}</title>'
            '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
            f'orient="auto-start-reverse"><path d="M0,0 L10,5 L0,10 z" fill="{LINE}"/></marker></defs>'
            f'<rect width="{self.width}" height="{self.height}" rx="12" fill="{PAPER}"/>'
        )
        return "\n".join([head, *self.parts, "</svg>\n"])


def _length(one: tuple[float, float], other: tuple[float, float]) -> float:
    return abs(one[0] - other[0]) + abs(one[1] - other[1])
