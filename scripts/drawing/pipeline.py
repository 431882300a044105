# SPDX-License-Identifier: MIT OR Apache-2.0
"""`pipeline.svg`: the elements of a pipeline and their links, as GStreamer
tells of them."""

from collections.abc import Callable
from pathlib import Path

from .gstreamer import Gst, is_decryptor, is_ours, klass_of, name_of
from .svg import MARGIN, Svg, curve, line
from .tune import Link

STYLE = """
path { fill: none; stroke-width: 2 }
.element { fill: $panel; stroke: $gray }
.ours { fill: $pale_amber; stroke: $amber; stroke-width: 2 }
.server { fill: $pale_blue; stroke: $blue }
.packed { stroke: $gray; fill: $gray }
.protected { stroke: $orange; fill: $orange }
.clear { stroke: $green; fill: $green }
.events { stroke: $violet; fill: $violet; stroke-dasharray: 5 3 }
.answer { stroke: $blue; fill: $blue }
path.packed, path.protected, path.clear { fill: none }
path.events, path.answer { fill: none }
"""

BOX_WIDTH, BOX_HEIGHT = 112, 40
# From one box to the next one.
COLUMN, ROW = BOX_WIDTH + 24, 105

CAPTIONS = {
    "packed": "as it is downloaded",
    "protected": "encrypted",
    "clear": "decrypted",
}


class PipelinePicture:
    """Elements from left to right, a row for each stream."""

    def __init__(self, links: list[Link]) -> None:
        self._links = links
        self._elements = list(
            dict.fromkeys(
                one for link in links for one in (link.source, link.sink)
            )
        )
        self._streams = [
            element
            for element in self._elements
            if not any(link.source == element for link in links)
        ]
        # The picture above.
        self._streams.sort(key=lambda sink: "Video" not in klass_of(sink))
        self._columns = {one: self._column(one) for one in self._elements}
        self._rows = {one: self._row(one) for one in self._elements}
        columns = max(self._columns.values()) + 1
        rows = 2 * len(self._streams) - 1
        self._top = MARGIN + 52
        width = 2 * MARGIN + columns * COLUMN - (COLUMN - BOX_WIDTH)
        height = self._top + (rows - 1) * ROW + BOX_HEIGHT + 52 + MARGIN
        self._svg = Svg(width, height, STYLE)

    def write(self, path: Path) -> None:
        for link in self._links:
            self._draw(link)
        for element in self._elements:
            kind = "ours" if is_ours(element) else "element"
            self._box(self._place(element), kind, name_of(element))
        self._draw_server("auth service", "token", is_asker)
        self._draw_server("license server", "keys", is_decryptor)
        self._draw_legend()
        ways = "; ".join(
            f"{name_of(link.source)} to {name_of(link.sink)}"
            f" ({link.caps or 'no caps'}{self._events(link)})"
            for link in self._links
        )
        self._svg.write(
            path,
            "A pipeline with sessiontoken and clearkeydec",
            "Drawn by scripts/pictures from a pipeline that played, with"
            f" {Gst.version_string()}. {ways}. One request to the auth service"
            " and one to the license server serve both streams.",
        )

    @staticmethod
    def _events(link: Link) -> str:
        if not link.has_events:
            return ""
        token = " with the token" if link.has_tokens else ""
        return f", protection events{token}"

    def _column(self, element: Gst.Element) -> int:
        """Behind all that it gets something from."""
        sources = [link.source for link in self._links if link.sink == element]
        return 1 + max((self._column(one) for one in sources), default=-1)

    def _row(self, element: Gst.Element) -> float:
        """That of its stream, or between those of its streams."""
        rows = [
            2 * number
            for number, sink in enumerate(self._streams)
            if self._reaches(element, sink)
        ]
        return sum(rows) / len(rows)

    def _reaches(self, element: Gst.Element, sink: Gst.Element) -> bool:
        return element == sink or any(
            self._reaches(link.sink, sink)
            for link in self._links
            if link.source == element
        )

    def _place(self, element: Gst.Element) -> tuple[float, float]:
        return self._corner(self._columns[element], self._rows[element])

    def _corner(self, column: float, row: float) -> tuple[float, float]:
        return MARGIN + column * COLUMN, self._top + row * ROW

    def _box(
        self, corner: tuple[float, float], class_: str, *lines: str
    ) -> None:
        x, y = corner
        self._svg.box(x, y, BOX_WIDTH, BOX_HEIGHT, class_, rounding=5)
        x += BOX_WIDTH / 2
        y += BOX_HEIGHT / 2 + 4.5 - 8 * (len(lines) - 1)
        for row, text in enumerate(lines):
            small = " small" if row else ""
            self._svg.text(x, y + 16 * row, text, "middle" + small)

    def _draw(self, link: Link) -> None:
        x, y = self._place(link.source)
        x, y = x + BOX_WIDTH, y + BOX_HEIGHT / 2
        sink_x, sink_y = self._place(link.sink)
        sink_y += BOX_HEIGHT / 2
        middle = (x + sink_x) / 2
        if y == sink_y:
            path = line(x, y, sink_x, y)
        else:
            bends = [(middle, y), (x, sink_y)]
            path = curve((x, y), *bends, (sink_x, sink_y))
            # Which of the streams it is.
            beside = sink_y - 8 if sink_y < y else sink_y + 17
            self._svg.text(sink_x - 10, beside, link.pad, "small end")
        self._svg.arrow(path, kind_of(link), "right", link.caps)
        if link.has_events and y == sink_y:
            self._draw_events(link)

    def _draw_events(self, link: Link) -> None:
        """Beside the stream: outside, where there is room."""
        x, y = self._place(link.source)
        sink_x, _ = self._place(link.sink)
        start, end = x + BOX_WIDTH / 2 + 8, sink_x + BOX_WIDTH / 2 - 8
        is_last = self._rows[link.source] == 2 * len(self._streams) - 2
        lines = ["protection events"]
        if link.has_tokens:
            lines.append("with the token")
        if is_last:
            edge, far, tip = y + BOX_HEIGHT, y + BOX_HEIGHT + 24, "up"
            first = far + 13
        else:
            edge, far, tip = y, y - 24, "down"
            first = far - 6 - 14 * (len(lines) - 1)
        bends = [(start, far), (end, far)]
        path = curve((start, edge), *bends, (end, edge))
        self._svg.arrow(path, "events", tip)
        middle = (start + end) / 2
        for row, text in enumerate(lines):
            self._svg.text(middle, first + 14 * row, text, "small middle")

    def _draw_server(
        self, name: str, gives: str, is_customer: Callable[[Gst.Element], bool]
    ) -> None:
        """Between the streams that it serves."""
        customers = [one for one in self._elements if is_customer(one)]
        column = max(self._columns[one] for one in customers)
        row = sum(self._rows[one] for one in customers) / len(customers)
        x, y = self._corner(column, row)
        middle = x + BOX_WIDTH / 2
        for customer in customers:
            _, other = self._place(customer)
            if other < y:
                start, end, tip = y, other + BOX_HEIGHT, "up"
            else:
                start, end, tip = y + BOX_HEIGHT, other, "down"
            path = line(middle, start, middle, end)
            self._svg.arrow(path, "answer", tip)
            beside = (start + end) / 2 + 4
            self._svg.text(middle + 8, beside, gives, "small")
        self._box((x, y), "server", name, "one request")

    def _draw_legend(self) -> None:
        """What the colors are, and the caps of the links that have them."""
        decryptors = [one for one in self._elements if is_decryptor(one)]
        column = 1 + max(self._columns[one] for one in decryptors)
        x, y = self._corner(column, len(self._streams) - 1)
        # Around the middle.
        y += BOX_HEIGHT / 2 - 19 * len(CAPTIONS) + 9
        for kind, caption in CAPTIONS.items():
            caps = [one.caps for one in self._links if kind_of(one) == kind]
            names = ", ".join(sorted({one for one in caps if one}))
            self._svg.arrow(line(x, y, x + 30, y), kind, "right")
            self._svg.text(x + 40, y + 4, caption)
            self._svg.text(x + 40, y + 19, names, "small")
            y += 38


def is_asker(element: Gst.Element) -> bool:
    return is_ours(element) and not is_decryptor(element)


def kind_of(link: Link) -> str:
    if link.caps in ["application/x-cenc", "application/x-cbcs"]:
        return "protected"
    # Demuxers come before decryptors.
    klass = klass_of(link.source) + klass_of(link.sink)
    return "packed" if "Demux" in klass else "clear"
