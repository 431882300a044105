# SPDX-License-Identifier: MIT OR Apache-2.0
"""`timeline.svg`: what one tune waits for, with `prefetch` and without."""

from pathlib import Path

from .gstreamer import Gst
from .svg import MARGIN, Svg, number
from .tune import (
    DECRYPTED,
    FIRST_SEGMENTS,
    HELD,
    INIT_SEGMENTS,
    LICENSE,
    MANIFEST,
    PICTURE,
    TOKEN,
    Tune,
)

STYLE = """
.row { fill: $panel }
.grid { stroke: $rim }
.file { fill: $file }
.token { fill: $blue }
.held { fill: $pale_violet; stroke: $violet }
.license { fill: $gold }
.mark { fill: $green }
.value { paint-order: stroke; stroke: $ground; stroke-width: 4px }
"""

# Runs of each kind; the one with the median time is drawn.
RUNS = 5

LABELS, PLOT = 160, 760
STEP, PANEL_HEAD = 24, 34

KINDS = {
    MANIFEST: "file",
    INIT_SEGMENTS: "file",
    FIRST_SEGMENTS: "file",
    TOKEN: "token",
    HELD: "held",
    LICENSE: "license",
    DECRYPTED: "mark",
    PICTURE: "mark",
}


class TimelinePicture:
    """A panel for each tune, on one scale."""

    def __init__(self, tunes: list[Tune]) -> None:
        self._tunes = tunes
        last = max(end for tune in tunes for _, end in tune.steps.values())
        # In whole grid lines, with room for what is written at the last mark.
        self._most = 50 * (int(last * 1.12) // 50 + 1)
        self._panel = PANEL_HEAD + len(KINDS) * STEP + 12
        self._axis = MARGIN + len(tunes) * self._panel
        width = 2 * MARGIN + LABELS + PLOT
        self._svg = Svg(width, self._axis + 40, STYLE)

    def write(self, path: Path) -> None:
        for index, tune in enumerate(self._tunes):
            self._draw(tune, MARGIN + index * self._panel)
        for time in range(0, self._most + 1, 50):
            x, y = self._x(time), self._axis + 10
            self._svg.text(x, y, str(time), "small middle")
        x, y = self._x(self._most / 2), self._axis + 28
        self._svg.text(x, y, "milliseconds from PLAYING", "small middle")
        told = " ".join(
            f"With {setting(tune)}: "
            + ", ".join(f"{step} {span(*tune.steps[step])}" for step in KINDS)
            + "."
            for tune in self._tunes
        )
        self._svg.write(
            path,
            "What one tune waits for, with prefetch and without",
            f"Drawn by scripts/pictures from the median of {RUNS} runs of each"
            f" kind, with {Gst.version_string()}. {told}",
        )

    def _x(self, time: float) -> float:
        return MARGIN + LABELS + PLOT * time / self._most

    def _draw(self, tune: Tune, top: float) -> None:
        default = " (the default)" if tune.prefetch else ""
        self._svg.text(MARGIN, top + 18, setting(tune) + default, "title")
        rows = top + PANEL_HEAD
        for index in range(0, len(KINDS), 2):
            y = rows + index * STEP
            self._svg.box(MARGIN, y, LABELS + PLOT, STEP, "row")
        for time in range(0, self._most + 1, 50):
            x = self._x(time)
            end = rows + len(KINDS) * STEP
            self._svg.add("line", x1=x, x2=x, y1=rows, y2=end, class_="grid")
        for index, (step, kind) in enumerate(KINDS.items()):
            y = rows + index * STEP
            self._svg.text(MARGIN + 6, y + 16, step)
            self._draw_step(kind, *tune.steps[step], y)

    def _draw_step(
        self, kind: str, start: float, end: float, y: float
    ) -> None:
        left, right = self._x(start), self._x(end)
        if kind == "mark":
            middle = y + STEP / 2
            corners = [(-6, 0), (0, -7), (6, 0), (0, 7)]
            points = " ".join(
                f"{number(left + dx)},{number(middle + dy)}"
                for dx, dy in corners
            )
            self._svg.add("polygon", points=points, class_=kind)
            right += 6
        else:
            width = max(right - left, 2)
            self._svg.box(left, y + 4, width, STEP - 8, kind, rounding=2)
            right = left + width
        self._svg.text(right + 6, y + 16, span(start, end), "small value")


def setting(tune: Tune) -> str:
    return f"prefetch={str(tune.prefetch).lower()}"


def span(start: float, end: float) -> str:
    if start == end:
        return f"{start:.0f} ms"
    return f"{start:.0f} to {end:.0f} ms"
