# SPDX-License-Identifier: MIT OR Apache-2.0
"""What pictures are made of: colors for light and dark, shapes, text."""

import html
from pathlib import Path
from string import Template

# Each color for a light page and for a dark one. The test of the pictures
# wants text to have a contrast of 4.5 to its ground.
COLORS = {
    "ink": ("#1f2328", "#e6edf3"),
    "muted": ("#424a53", "#b1bac4"),
    "ground": ("#ffffff", "#0d1117"),
    "rim": ("#d0d7de", "#3d444d"),
    "panel": ("#f6f8fa", "#1c2128"),
    "gray": ("#6e7781", "#9198a1"),
    "file": ("#8c959f", "#768390"),
    "blue": ("#0969da", "#58a6ff"),
    "pale_blue": ("#ddf4ff", "#0c2d4d"),
    "amber": ("#9a6700", "#d29922"),
    "pale_amber": ("#fff1d6", "#3a2a06"),
    "gold": ("#bf8700", "#d29922"),
    "orange": ("#bc4c00", "#f0883e"),
    "green": ("#1a7f37", "#3fb950"),
    "violet": ("#8250df", "#bc8cff"),
    "pale_violet": ("#d8b9ff", "#4c2f80"),
    "red": ("#cf222e", "#ff7b72"),
}

# Of every picture. It has its own ground, so that it can be read where the
# page is light and the viewer prefers dark, or the other way round.
STYLE = """
text { font: 13px sans-serif; fill: $ink }
.small { font-size: 12px; fill: $muted }
.title { font-size: 15px; font-weight: bold }
.middle { text-anchor: middle }
.end { text-anchor: end }
.ground { fill: $ground; stroke: $rim }
"""

# Of those that fit on a narrow screen.
NARROW_STYLE = """
text, .small { font-size: 14px }
path { fill: none; stroke-width: 2 }
.element { fill: $panel; stroke: $gray }
.ours { fill: $pale_amber; stroke: $amber; stroke-width: 2 }
.server { fill: $pale_blue; stroke: $blue }
.label { paint-order: stroke; stroke: $ground; stroke-width: 5px }
"""

MARGIN = 16


class Svg:
    """A picture as text."""

    def __init__(self, width: float, height: float, style: str) -> None:
        self._width, self._height = number(width), number(height)
        self._style = for_light_and_dark(STYLE + style)
        self._lines: list[str] = []

    def add(self, name: str, content: str = "", **attributes: object) -> None:
        written = "".join(
            f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
            for key, value in attributes.items()
        )
        end = f">{content}</{name}>" if content else "/>"
        self._lines.append(f"<{name}{written}{end}")

    def text(self, x: float, y: float, text: str, class_: str = "") -> None:
        kind = {"class_": class_} if class_ else {}
        self.add("text", escape(text), x=x, y=y, **kind)

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        class_: str,
        rounding: float = 0,
    ) -> None:
        self.add(
            "rect",
            x=x,
            y=y,
            class_=class_,
            width=width,
            height=height,
            rx=rounding,
        )

    def labeled_box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        class_: str,
        *lines: str,
    ) -> None:
        """A box with lines of the same size in its middle."""
        self.box(x, y, width, height, class_, rounding=5)
        y += height / 2 + 5 - 8.5 * (len(lines) - 1)
        for row, text in enumerate(lines):
            self.text(x + width / 2, y + 17 * row, text, "middle")

    def arrow(self, path: str, class_: str, tip: str, about: str = "") -> None:
        """`tip` is which way it points: up, down, left or right."""
        x, y = (float(word) for word in path.split()[-2:])
        dx, dy = {
            "up": (0, -1),
            "down": (0, 1),
            "left": (-1, 0),
            "right": (1, 0),
        }[tip]
        # The line ends in the middle of its head.
        words = path.split()
        words[-2:] = number(x - 6 * dx), number(y - 6 * dy)
        title = f"<title>{escape(about)}</title>" if about else ""
        self.add("path", title, d=" ".join(words), class_=class_)
        corners = [
            (x, y),
            (x - 8 * dx - 4 * dy, y - 8 * dy - 4 * dx),
            (x - 8 * dx + 4 * dy, y - 8 * dy + 4 * dx),
        ]
        points = " ".join(f"{number(x)},{number(y)}" for x, y in corners)
        self.add("polygon", points=points, class_=class_)

    def write(self, path: Path, title: str, description: str) -> None:
        path.write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img"'
            f' aria-labelledby="title desc" width="{self._width}"'
            f' height="{self._height}"'
            f' viewBox="0 0 {self._width} {self._height}">\n'
            "<!-- SPDX-License-Identifier: MIT OR Apache-2.0 -->\n"
            f'<title id="title">{escape(title)}</title>\n'
            f'<desc id="desc">{escape(description)}</desc>\n'
            f"<style>{self._style}</style>\n"
            f'<rect class="ground" x="0.5" y="0.5" rx="6"'
            f' width="{float(self._width) - 1}"'
            f' height="{float(self._height) - 1}"/>\n'
            + "\n".join(self._lines)
            + "\n</svg>\n",
            encoding="utf-8",
        )


def for_light_and_dark(style: str) -> str:
    """The style sheet with its colors, and those that differ in the dark."""
    light, dark = (
        {name: pair[index] for name, pair in COLORS.items()}
        for index in range(2)
    )
    return (
        Template(style).substitute(light)
        + "@media (prefers-color-scheme: dark) {\n"
        + Template(colors_alone(style)).substitute(dark)
        + "}\n"
    )


def colors_alone(style: str) -> str:
    """The rules that name a color, without whatever else they say."""
    rules = ""
    for rule in style.splitlines():
        selector, _, rest = rule.partition(" {")
        declarations = rest.rstrip(" }").split(";")
        colors = [one.strip() for one in declarations if "$" in one]
        if colors:
            rules += f"{selector} {{ {'; '.join(colors)} }}\n"
    return rules


def number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def escape(value: object) -> str:
    text = number(value) if isinstance(value, float) else str(value)
    return html.escape(text)


def line(x: float, y: float, end_x: float, end_y: float) -> str:
    return curve((x, y), (end_x, end_y)).replace("C", "L")


def curve(start: tuple[float, float], *points: tuple[float, float]) -> str:
    words = [f"{number(x)} {number(y)}" for x, y in (start, *points)]
    return f"M {words[0]} C {' '.join(words[1:])}"
