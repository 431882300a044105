# SPDX-License-Identifier: MIT OR Apache-2.0
"""A sequence diagram: lifelines, and arrows between them from top to bottom.

It is narrow, so that its text can be read on a phone. What comes from outside
comes from a box above the lifelines, and what goes out goes to one below.
"""

from dataclasses import dataclass
from pathlib import Path

from .svg import MARGIN, NARROW_STYLE, Svg, line

STYLE = NARROW_STYLE + """
.life { stroke: $gray; stroke-dasharray: 2 4 }
.held { fill: $pale_violet; stroke: $violet }
.events { stroke: $violet; fill: $violet; stroke-dasharray: 5 3 }
.request, .answer { stroke: $blue; fill: $blue }
.rejected { stroke: $red; fill: $red }
.clear { stroke: $green; fill: $green }
path.events, path.request, path.answer { fill: none }
path.rejected, path.clear { fill: none }
.refusal { fill: $red; font-weight: bold }
.note { fill: $ground; stroke: $red }
"""

COLUMN, BOX_WIDTH, BOX_HEIGHT = 117, 109, 34
LINE = 17
# Beside the outer lifelines' columns.
EDGE = MARGIN - 4
# Of the arrows that come in and go out.
STEM = 38
# Of a span, to either side of its lifeline.
HALF_BAR = 5


@dataclass(frozen=True)
class Lifeline:
    name: str
    # `ours` or `server`.
    kind: str


@dataclass(frozen=True)
class Arrow:
    """From one lifeline to another, or from or to something outside."""

    source: str
    target: str
    kind: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Span:
    """A part of a lifeline, from the beginning or the end of one arrow to that
    of another, by their numbers."""

    lifeline: str
    first: int
    last: int
    label: str


class SequencePicture:
    """The first arrow may come from outside, and the last one go there."""

    def __init__(
        self,
        lifelines: list[Lifeline],
        arrows: list[Arrow],
        spans: list[Span] | None = None,
        note: tuple[str, ...] = (),
    ) -> None:
        self._lifelines = lifelines
        self._arrows = arrows
        self._spans = spans or []
        self._note = note
        self._columns = {
            one.name: EDGE + (number + 0.5) * COLUMN
            for number, one in enumerate(lifelines)
        }
        self._width = 2 * EDGE + len(lifelines) * COLUMN
        self._top: float = MARGIN
        if self._comes_in(arrows[0]):
            self._top += BOX_HEIGHT + STEM
        # Where each arrow is.
        self._rows: list[float] = []
        y: float = self._top + BOX_HEIGHT + 4
        for arrow in arrows:
            if self._is_inside(arrow):
                y += LINE * len(arrow.lines) + 15
            self._rows.append(y)
        self._end = y + 6
        bottom = self._end
        if self._goes_out(arrows[-1]):
            bottom = y + STEM + BOX_HEIGHT
        self._note_top = bottom + MARGIN
        if note:
            bottom = self._note_top + LINE * len(note) + 14
        self._svg = Svg(self._width, bottom + MARGIN, STYLE)

    def write(self, path: Path, title: str, description: str) -> None:
        for x in self._columns.values():
            start = self._top + BOX_HEIGHT
            self._svg.add(
                "line", x1=x, x2=x, y1=start, y2=self._end, class_="life"
            )
        for span in self._spans:
            self._draw_span(span)
        for one in self._lifelines:
            self._box(one.name, self._top, one.kind)
        for index, (arrow, y) in enumerate(zip(self._arrows, self._rows)):
            if self._is_inside(arrow):
                self._draw(arrow, y)
            elif self._comes_in(arrow):
                self._draw_outside(arrow, MARGIN, arrow.target, arrow.source)
            else:
                self._draw_outside(arrow, y, arrow.source, arrow.target)
            for span in self._spans:
                if span.first == index:
                    self._label_span(span)
        if self._note:
            self._draw_note()
        self._svg.write(path, title, description)

    def _comes_in(self, arrow: Arrow) -> bool:
        return arrow.source not in self._columns

    def _goes_out(self, arrow: Arrow) -> bool:
        return arrow.target not in self._columns

    def _is_inside(self, arrow: Arrow) -> bool:
        return not self._comes_in(arrow) and not self._goes_out(arrow)

    def _box(self, lifeline: str, y: float, kind: str, text: str = "") -> None:
        x = self._columns[lifeline] - BOX_WIDTH / 2
        self._svg.labeled_box(
            x, y, BOX_WIDTH, BOX_HEIGHT, kind, text or lifeline
        )

    def _draw(self, arrow: Arrow, y: float) -> None:
        start, end = (
            self._columns[name] for name in [arrow.source, arrow.target]
        )
        tip = "right" if start < end else "left"
        self._svg.arrow(line(start, y, end, y), arrow.kind, tip)
        least: float = MARGIN
        if any(self._rows[span.last] == y for span in self._spans):
            least = min(start, end) + HALF_BAR + 4
        kind = " refusal" if arrow.kind == "rejected" else ""
        beside = y - 8 - LINE * (len(arrow.lines) - 1)
        for row, text in enumerate(arrow.lines):
            # As wide as letters are, and inside the picture.
            half = 4.2 * len(text)
            x = max((start + end) / 2, least + half)
            x = min(x, self._width - MARGIN - half)
            class_ = f"small middle label{kind}"
            self._svg.text(x, beside + LINE * row, text, class_)

    def _draw_outside(
        self, arrow: Arrow, y: float, lifeline: str, outside: str
    ) -> None:
        """What comes in has its box at `y`, what goes out has it at the end
        of the stem from there."""
        x = self._columns[lifeline]
        if self._comes_in(arrow):
            self._box(lifeline, y, "element", outside)
            y += BOX_HEIGHT
        self._svg.arrow(line(x, y, x, y + STEM), arrow.kind, "down")
        for row, text in enumerate(arrow.lines):
            beside = y + STEM / 2 + 4 + LINE * row
            self._svg.text(x + 12, beside, text, "small label")
        if self._goes_out(arrow):
            self._box(lifeline, y + STEM, "element", outside)

    def _draw_span(self, span: Span) -> None:
        x, top = self._columns[span.lifeline], self._start(span)
        height = self._rows[span.last] - top
        self._svg.box(x - HALF_BAR, top, 2 * HALF_BAR, height, "held")

    def _label_span(self, span: Span) -> None:
        x, y = self._columns[span.lifeline] + 12, self._start(span) + 21
        self._svg.text(x, y, span.label, "small label")

    def _start(self, span: Span) -> float:
        if self._is_inside(self._arrows[span.first]):
            return self._rows[span.first]
        return self._top + BOX_HEIGHT

    def _draw_note(self) -> None:
        y, width = self._note_top, self._width - 2 * MARGIN
        height = LINE * len(self._note) + 14
        self._svg.labeled_box(MARGIN, y, width, height, "note", *self._note)
