#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Plays protected DASH and draws what happened.

The folder gets `pipeline.svg`, the elements of the pipeline and their links
as GStreamer tells of them, and `timeline.svg`, what one tune waits for, with
`prefetch` and without. `scripts/pictures` runs it for the documentation, with
a head-end whose answers take their time.

The times are those at which probes see data and events, which is when a file
has come and an event goes on. How long token and license took the elements
say themselves, on the bus.
"""

import argparse
import html
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

try:
    import gi

    gi.require_version("Gst", "1.0")
    from gi.repository import GLib, Gst
except (ImportError, ValueError) as error:
    sys.exit(
        f"pictures: {error}. {sys.executable} needs GStreamer: on Debian"
        " install python3-gi and gir1.2-gstreamer-1.0, which are for"
        " /usr/bin/python3."
    )

# That of the README. The sinks do not wait for the time to show what comes,
# so that a run ends when all has come.
PIPELINE = """
souphttpsrc name=manifest ! dashdemux name=d
d.video_00 ! qtdemux ! sessiontoken name=token ! clearkeydec name=decryptor
    ! h264parse ! avdec_h264 ! fakevideosink name=screen sync=false
d.audio_00 ! qtdemux ! sessiontoken ! clearkeydec
    ! aacparse ! avdec_aac ! fakeaudiosink sync=false
"""

# Runs of each kind; the one with the median time is drawn.
RUNS = 5

# Far longer than any run takes.
PATIENCE = 60 * Gst.SECOND

# What the bars of the timeline are called, and the marks behind them.
MANIFEST = "manifest"
INIT_SEGMENTS = "init segments"
FIRST_SEGMENTS = "first segments"
TOKEN = "token request"
HELD = "protection event held"
LICENSE = "license request"
DECRYPTED = "first decrypted buffer"
PICTURE = "first picture"
# What these are worked out from.
ASKED = "protection event"
RELEASED = "protection event with a token"

DATA = Gst.PadProbeType.BUFFER | Gst.PadProbeType.BUFFER_LIST


# What happens.


@dataclass
class Link:
    """From one element of the pipeline to another."""

    source: Gst.Element
    sink: Gst.Element
    pad: str
    caps: str
    # Protection events went this way, and had a token then.
    has_events: bool
    has_tokens: bool


class Times:
    """When something began and when it ended, in µs, by what it was.

    Threads of GStreamer's write it, one reads it in the end.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun: dict[str, int] = {}
        self._ended: dict[str, list[int]] = {}

    def begin(self, what: str, at: int) -> None:
        """Only the first time counts."""
        with self._lock:
            self._begun.setdefault(what, at)

    def end(self, what: str, at: int) -> None:
        with self._lock:
            self._ended.setdefault(what, []).append(at)

    def begun(self, what: str) -> int:
        if what not in self._begun:
            give_up(f"nothing was seen of this step: {what}")
        return self._begun[what]

    def ended(self, what: str) -> int:
        """The last of them, where there were several."""
        if what not in self._ended:
            give_up(f"no end was seen of this step: {what}")
        return max(self._ended[what])


@dataclass
class Tune:
    """One run, from PLAYING to the end."""

    prefetch: bool
    # In ms from PLAYING; a mark ends where it begins.
    steps: dict[str, tuple[float, float]]
    links: list[Link]


class Run:
    """Watches one pipeline."""

    def __init__(self, uri: str, location: str, prefetch: bool) -> None:
        self._times = Times()
        self._prefetch = prefetch
        self._protected: dict[Gst.Pad, bool] = {}
        self._downloads: dict[Gst.Element, int] = {}
        self._latencies: dict[str, list[int]] = {"token": [], "license": []}
        self._pipeline = Gst.parse_launch(PIPELINE)
        self._by_name("manifest").set_property("location", uri)
        for element in self._elements():
            match name_of(element):
                case "sessiontoken":
                    element.set_property("location", location)
                    element.set_property("prefetch", prefetch)
                    pad = element.get_static_pad("sink")
                    watch_events(pad, self._see_protection, ASKED)
                case "clearkeydec":
                    # The first sample has the license requested.
                    pad = element.get_static_pad("sink")
                    pad.add_probe(DATA, self._see_data, LICENSE)
            for pad in element.pads:
                self._watch_for_events(element, pad)
            element.connect("pad-added", self._watch_for_events)
        self._watch_the_stream()

    def play(self) -> Tune:
        bus = self._pipeline.get_bus()
        bus.enable_sync_message_emission()
        bus.connect("sync-message::element", self._hear)
        bus.connect("sync-message::state-changed", self._see_prefetch)
        begun = now()
        self._times.begin(MANIFEST, begun)
        try:
            self._pipeline.set_state(Gst.State.PLAYING)
            # To its end: GStreamer 1.22 may crash where a download is stopped.
            message = bus.timed_pop_filtered(
                PATIENCE, Gst.MessageType.EOS | Gst.MessageType.ERROR
            )
            if message is None:
                give_up("the pipeline does not come to its end")
            if message.type == Gst.MessageType.ERROR:
                give_up(message.parse_error()[0].message)
            tune = Tune(self._prefetch, self._steps(begun), self._links())
            # The next run is a first tune too.
            self._by_name("token").emit("clear-token")
            return tune
        finally:
            self._pipeline.set_state(Gst.State.NULL)

    def _steps(self, begun: int) -> dict[str, tuple[float, float]]:
        times = self._times
        for what, latencies in self._latencies.items():
            if len(latencies) != 1:
                give_up(f"requests for a {what}: {len(latencies)}")
        # Without `prefetch` the first protection event has it requested.
        asked = times.begun(TOKEN if self._prefetch else ASKED)
        ordered = times.begun(LICENSE)
        spans = {
            step: (times.begun(step), times.ended(step))
            for step in [MANIFEST, INIT_SEGMENTS, FIRST_SEGMENTS]
        } | {
            TOKEN: (asked, asked + self._latencies["token"][0]),
            HELD: (times.begun(HELD), times.begun(RELEASED)),
            LICENSE: (ordered, ordered + self._latencies["license"][0]),
            DECRYPTED: (times.begun(DECRYPTED),) * 2,
            PICTURE: (times.begun(PICTURE),) * 2,
        }
        return {
            step: ((start - begun) / 1000, (end - begun) / 1000)
            for step, (start, end) in spans.items()
        }

    def _watch_the_stream(self) -> None:
        manifest = self._by_name("manifest").get_static_pad("src")
        watch_events(manifest, self._see_manifest)
        self._pipeline.connect("deep-element-added", self._see_source)
        token = self._by_name("token")
        for name, what in [("sink", HELD), ("src", RELEASED)]:
            pad = token.get_static_pad(name)
            watch_events(pad, self._see_protection, what)
        for name, pad_name, what in [
            ("decryptor", "src", DECRYPTED),
            ("screen", "sink", PICTURE),
        ]:
            pad = self._by_name(name).get_static_pad(pad_name)
            pad.add_probe(DATA, self._see_data, what)

    def _see_manifest(self, event: Gst.Event) -> None:
        if event.type == Gst.EventType.EOS:
            self._times.end(MANIFEST, now())

    def _see_source(
        self, _: Gst.Bin, __: Gst.Bin, element: Gst.Element
    ) -> None:
        """What dashdemux downloads with, one for each stream."""
        if name_of(element) != "souphttpsrc":
            return
        pad = element.get_static_pad("src")
        watch_events(pad, self._see_download, element)

    def _see_download(self, event: Gst.Event, source: Gst.Element) -> None:
        # The init segment is the first one of a stream.
        steps = [INIT_SEGMENTS, FIRST_SEGMENTS]
        count = self._downloads.setdefault(source, 0)
        if count == len(steps):
            return
        if event.type == Gst.EventType.STREAM_START:
            self._times.begin(steps[count], now())
        elif event.type == Gst.EventType.EOS:
            self._times.end(steps[count], now())
            self._downloads[source] += 1

    def _see_protection(self, event: Gst.Event, what: str) -> None:
        if event.type == Gst.EventType.PROTECTION:
            self._times.begin(what, now())

    def _see_data(
        self, _: Gst.Pad, __: Gst.PadProbeInfo, what: str
    ) -> Gst.PadProbeReturn:
        self._times.begin(what, now())
        return Gst.PadProbeReturn.REMOVE

    def _see_prefetch(self, _: Gst.Bus, message: Gst.Message) -> None:
        """With `prefetch` the token is requested on the way to PAUSED."""
        source = message.src
        if not isinstance(source, Gst.Element):
            return
        if name_of(source) == "sessiontoken":
            if message.parse_state_changed()[1] == Gst.State.PAUSED:
                self._times.begin(TOKEN, now())

    def _hear(self, _: Gst.Bus, message: Gst.Message) -> None:
        said = message.get_structure()
        if said.get_value("state") != "acquired" or said.get_value("cached"):
            return
        latency = said.get_value("latency") // Gst.USECOND
        match said.get_name():
            case "session-token":
                self._latencies["token"].append(latency)
            case "clearkey-license":
                self._latencies["license"].append(latency)

    def _watch_for_events(self, _: Gst.Element, pad: Gst.Pad) -> None:
        if pad.get_direction() == Gst.PadDirection.SRC:
            watch_events(pad, self._see_event, pad)

    def _see_event(self, event: Gst.Event, pad: Gst.Pad) -> None:
        if event.type == Gst.EventType.PROTECTION:
            _, data, _ = event.parse_protection()
            # What is in it Python cannot read.
            meta = data.get_meta(Gst.protection_meta_api_get_type())
            self._protected[pad] = meta is not None

    def _links(self) -> list[Link]:
        links = []
        for element in self._elements():
            for pad in sorted(element.srcpads, key=Gst.Pad.get_name):
                peer = pad.get_peer()
                if peer is None:
                    continue
                caps = pad.get_current_caps()
                links.append(
                    Link(
                        source=element,
                        sink=peer.get_parent_element(),
                        pad=pad.get_name(),
                        caps=media_type(caps) if caps else "",
                        has_events=pad in self._protected,
                        has_tokens=self._protected.get(pad, False),
                    )
                )
        return links

    def _elements(self) -> list[Gst.Element]:
        """Those that the pipeline is written with, in their order."""
        return list(reversed(self._pipeline.children))

    def _by_name(self, name: str) -> Gst.Element:
        return self._pipeline.get_by_name(name)


def now() -> int:
    return GLib.get_monotonic_time()


def media_type(caps: Gst.Caps) -> str:
    """The first word: gst-python of 1.26 hands structures out differently."""
    return caps.to_string().split(",")[0].split("(")[0]


def name_of(element: Gst.Element) -> str:
    """What it is written as in a pipeline."""
    factory = element.get_factory()
    return factory.get_name() if factory else ""


def watch_events(pad: Gst.Pad, see: Callable[..., None], *more) -> None:
    """Has `see` called with each event that goes downstream there."""

    def callback(_: Gst.Pad, info: Gst.PadProbeInfo) -> Gst.PadProbeReturn:
        see(info.get_event(), *more)
        return Gst.PadProbeReturn.OK

    pad.add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, callback)


# How it is drawn.

# Of every picture: it has its own light ground, so that it can be read on a
# dark page too.
STYLE = """
text { font: 13px sans-serif; fill: #1f2328 }
.small { font-size: 12px; fill: #424a53 }
.title { font-size: 15px; font-weight: bold }
.middle { text-anchor: middle }
.end { text-anchor: end }
.ground { fill: #ffffff; stroke: #d0d7de }
"""

PIPELINE_STYLE = """
path { fill: none; stroke-width: 2 }
.element { fill: #f6f8fa; stroke: #6e7781 }
.ours { fill: #fff1d6; stroke: #9a6700; stroke-width: 2 }
.server { fill: #ddf4ff; stroke: #0969da }
.packed { stroke: #6e7781; fill: #6e7781 }
.protected { stroke: #bc4c00; fill: #bc4c00 }
.clear { stroke: #1a7f37; fill: #1a7f37 }
.events { stroke: #8250df; fill: #8250df; stroke-dasharray: 5 3 }
.answer { stroke: #0969da; fill: #0969da }
path.packed, path.protected, path.clear { fill: none }
path.events, path.answer { fill: none }
"""

TIMELINE_STYLE = """
.row { fill: #f6f8fa }
.grid { stroke: #d0d7de }
.file { fill: #8c959f }
.token { fill: #0969da }
.held { fill: #d8b9ff; stroke: #8250df }
.license { fill: #bf8700 }
.mark { fill: #1a7f37 }
.value { paint-order: stroke; stroke: #ffffff; stroke-width: 4px }
"""

BOX_WIDTH, BOX_HEIGHT = 112, 40
# From one box to the next one.
COLUMN, ROW = BOX_WIDTH + 24, 105
MARGIN = 16

CAPTIONS = {
    "packed": "as it is downloaded",
    "protected": "encrypted",
    "clear": "decrypted",
}


class Svg:
    """A picture as text."""

    def __init__(self, width: float, height: float, style: str) -> None:
        self._width, self._height = number(width), number(height)
        self._style = STYLE + style
        self._lines: list[str] = []

    def add(self, name: str, content: str = "", **attributes) -> None:
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
        size = {"width": width, "height": height, "rx": rounding}
        self.add("rect", x=x, y=y, class_=class_, **size)

    def arrow(self, path: str, class_: str, tip: str, about: str = "") -> None:
        """`tip` is which way it points: up, down or right."""
        x, y = (float(word) for word in path.split()[-2:])
        dx, dy = {"up": (0, -1), "down": (0, 1), "right": (1, 0)}[tip]
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


def number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def escape(value: object) -> str:
    text = number(value) if isinstance(value, float) else str(value)
    return html.escape(text)


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
        self._svg = Svg(width, height, PIPELINE_STYLE)

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
        """What the colours are, and the caps of the links that have them."""
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


def line(x: float, y: float, end_x: float, end_y: float) -> str:
    return curve((x, y), (end_x, end_y)).replace("C", "L")


def curve(start: tuple[float, float], *points: tuple[float, float]) -> str:
    words = [f"{number(x)} {number(y)}" for x, y in (start, *points)]
    return f"M {words[0]} C {' '.join(words[1:])}"


def klass_of(element: Gst.Element) -> str:
    return element.get_metadata("klass") or ""


def is_decryptor(element: Gst.Element) -> bool:
    return "Decryptor" in klass_of(element)


def is_asker(element: Gst.Element) -> bool:
    return is_ours(element) and not is_decryptor(element)


def is_ours(element: Gst.Element) -> bool:
    return element.get_factory().get_plugin_name() == "sessiontoken"


def kind_of(link: Link) -> str:
    if link.caps in ["application/x-cenc", "application/x-cbcs"]:
        return "protected"
    # Demuxers come before decryptors.
    klass = klass_of(link.source) + klass_of(link.sink)
    return "packed" if "Demux" in klass else "clear"


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
        self._svg = Svg(width, self._axis + 40, TIMELINE_STYLE)

    def write(self, path: Path) -> None:
        for number, tune in enumerate(self._tunes):
            self._draw(tune, MARGIN + number * self._panel)
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
        for number in range(0, len(KINDS), 2):
            y = rows + number * STEP
            self._svg.box(MARGIN, y, LABELS + PLOT, STEP, "row")
        for time in range(0, self._most + 1, 50):
            x = self._x(time)
            end = rows + len(KINDS) * STEP
            self._svg.add("line", x1=x, x2=x, y1=rows, y2=end, class_="grid")
        for number, (step, kind) in enumerate(KINDS.items()):
            y = rows + number * STEP
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


def give_up(why: str) -> NoReturn:
    print(f"pictures: {why}", file=sys.stderr)
    sys.exit(1)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Plays protected DASH and draws the pipeline and what a"
        " tune waits for, as pipeline.svg and timeline.svg.",
        allow_abbrev=False,
    )
    parser.add_argument("uri", metavar="URI", help="the manifest")
    parser.add_argument(
        "--location",
        metavar="URL",
        required=True,
        help="where the auth service is",
    )
    parser.add_argument(
        "--folder",
        metavar="DIR",
        required=True,
        type=Path,
        help="where the pictures go",
    )
    return parser.parse_args()


def main() -> None:
    Gst.init(None)
    options = arguments()
    for name in ["sessiontoken", "clearkeydec", "dashdemux", "avdec_h264"]:
        if Gst.ElementFactory.find(name) is None:
            give_up(
                f"GStreamer has no `{name}`: install the plugin,"
                " or name its folder in GST_PLUGIN_PATH"
            )
    kinds = [True, False]
    # The first one loads plugins.
    Run(options.uri, options.location, True).play()
    tunes: dict[bool, list[Tune]] = {prefetch: [] for prefetch in kinds}
    # In turns, so that what else the machine does strikes both alike.
    for _ in range(RUNS):
        for prefetch in kinds:
            run = Run(options.uri, options.location, prefetch)
            tunes[prefetch].append(run.play())
    medians = [
        sorted(runs, key=lambda tune: tune.steps[PICTURE])[RUNS // 2]
        for runs in tunes.values()
    ]
    PipelinePicture(medians[0].links).write(options.folder / "pipeline.svg")
    TimelinePicture(medians).write(options.folder / "timeline.svg")


if __name__ == "__main__":
    main()
