# SPDX-License-Identifier: MIT OR Apache-2.0
"""`hls.svg`: HLS through the loopback server of `hlsdrmdemux`."""

from pathlib import Path

from .gstreamer import give_up
from .hls_run import INIT_SEGMENT, KEY, PLAYLIST, SEGMENT, Hls
from .svg import MARGIN, NARROW_STYLE, Svg, line

STYLE = NARROW_STYLE + """
.frame { fill: $ground; stroke: $amber; stroke-width: 2 }
.packed { stroke: $gray; fill: $gray }
.protected { stroke: $orange; fill: $orange }
.clear { stroke: $green; fill: $green }
.answer { stroke: $blue; fill: $blue }
path.packed, path.protected, path.clear, path.answer { fill: none }
"""

ORDER = [PLAYLIST, INIT_SEGMENT, KEY, SEGMENT]

WIDTH = 492
LINE, BOX_HEIGHT = 17, 34
# Where arrows are: to the demuxer, to the server, and from there.
DIRECT, FETCHED, SERVED, TOKEN = 56, 208, 156, 410
# From the end of one row of boxes to the next one: two lines, or three.
SHORT, LONG = 58, 74
# Letters in a line.
MOST = 27


class HlsPicture:
    """From the origin at the top down to the decoder."""

    def __init__(self, seen: Hls) -> None:
        self._seen = seen
        demuxers = sorted(seen.inside - {"sessiontoken"})
        if len(demuxers) != 1 or "sessiontoken" not in seen.inside:
            give_up(f"`hlsdrmdemux` has inside: {sorted(seen.inside)}")
        self._demuxer = demuxers[0]
        kinds = [kind for kind in ORDER if kind in seen.from_server]
        self._served = [seen.from_server[kind] for kind in kinds]
        self._fetched = [
            "segments to decrypt" if kind == SEGMENT else kind
            for kind in kinds
        ]
        others = "other " if SEGMENT in kinds else ""
        self._direct = [
            others + kind if kind == SEGMENT else kind
            for kind in ORDER
            if kind in seen.from_origin
        ]
        # The tops of the rows of boxes.
        self._frame = MARGIN + BOX_HEIGHT + SHORT
        self._server = self._frame + 32
        self._inside = self._server + BOX_HEIGHT + LONG
        self._end = self._inside + BOX_HEIGHT + 14
        self._chain = self._end + 48
        height = self._chain + BOX_HEIGHT + MARGIN
        self._svg = Svg(WIDTH, height, STYLE)

    def write(self, path: Path) -> None:
        right = WIDTH - MARGIN
        self._svg.box(
            MARGIN,
            self._frame,
            right - MARGIN,
            self._end - self._frame,
            "frame",
            rounding=8,
        )
        self._svg.text(right - 12, self._frame + 21, "hlsdrmdemux", "end")
        self._box(MARGIN, MARGIN, right, "server", "origin")
        name = "loopback server (127.0.0.1)"
        self._box(DIRECT + 56, self._server, right - 16, "ours", name)
        name = f"{self._demuxer} (stock demuxer)"
        self._box(MARGIN + 16, self._inside, 290, "element", name)
        self._box(350, self._inside, right - 16, "ours", "sessiontoken")
        self._draw_arrows()
        self._draw_chain()
        self._svg.write(
            path,
            "HLS through the loopback server of hlsdrmdemux",
            "Drawn by scripts/pictures from three presentations that played."
            f" The loopback server gets from the origin:"
            f" {', '.join(self._fetched)}. {self._demuxer} gets from that"
            f" server: {', '.join(self._served)}; and from the origin:"
            f" {', '.join(self._direct)}. A sessiontoken inside hlsdrmdemux"
            " has the token for requests for keys. The streams go on through:"
            f" {', '.join(name for name, _ in self._seen.chain)}.",
        )

    def _box(
        self, x: float, y: float, end: float, kind: str, text: str
    ) -> None:
        self._svg.labeled_box(x, y, end - x, BOX_HEIGHT, kind, text)

    def _draw_arrows(self) -> None:
        top, end = MARGIN + BOX_HEIGHT, self._server + BOX_HEIGHT
        self._arrow(DIRECT, top, self._inside, "packed", self._direct)
        self._arrow(FETCHED, top, self._server, "packed", self._fetched)
        self._arrow(SERVED, end, self._inside, "packed", self._served)
        path = line(TOKEN, self._inside, TOKEN, end)
        self._svg.arrow(path, "answer", "up")
        beside = (self._inside + end) / 2 + 5
        self._svg.text(TOKEN + 10, beside, "token", "small")

    def _arrow(
        self, x: float, start: float, end: float, kind: str, words: list[str]
    ) -> None:
        """Down, with the words beside its beginning."""
        self._svg.arrow(line(x, start, x, end), kind, "down")
        for row, text in enumerate(in_lines(words)):
            self._svg.text(x + 10, start + 24 + LINE * row, text, "small")

    def _draw_chain(self) -> None:
        """The elements behind, and the decoder."""
        names = [name for name, _ in self._seen.chain] + ["decoder"]
        caps = [""] + [caps for _, caps in self._seen.chain]
        gap = 18
        width = (WIDTH - 2 * MARGIN - gap * (len(names) - 1)) / len(names)
        y = self._chain
        for number, (name, before) in enumerate(zip(names, caps)):
            x = MARGIN + number * (width + gap)
            kind = "ours" if name in ["sessiontoken", "clearkeydec"] else ""
            self._box(x, y, x + width, kind or "element", name)
            if before:
                is_clear = not before.startswith("application/")
                middle = y + BOX_HEIGHT / 2
                path = line(x - gap, middle, x, middle)
                kind = "clear" if is_clear else "protected"
                self._svg.arrow(path, kind, "right")
        self._arrow(MARGIN + width / 2, self._end, y, "protected", ["streams"])


def in_lines(words: list[str]) -> list[str]:
    """With commas, and a line for as many as fit."""
    lines: list[str] = []
    for word in words:
        if lines and len(f"{lines[-1]} {word},") <= MOST:
            lines[-1] += f" {word},"
        else:
            lines.append(f"{word},")
    return [*lines[:-1], lines[-1].removesuffix(",")]
