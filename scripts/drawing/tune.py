# SPDX-License-Identifier: MIT OR Apache-2.0
"""One tune, from PLAYING to the end: how its pipeline is linked, and what it
waits for.

The times are those at which probes see data and events, which is when a file
has come and an event goes on. How long token and license took the elements
say themselves, on the bus.
"""

import threading
from dataclasses import dataclass

from .gstreamer import (
    DATA,
    Gst,
    give_up,
    has_key_request,
    media_type,
    name_of,
    now,
    play_to_end,
    watch_events,
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


class TuneRun:
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
            play_to_end(self._pipeline)
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
            self._protected[pad] = has_key_request(event)

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
