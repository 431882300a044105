# SPDX-License-Identifier: MIT OR Apache-2.0
"""HLS through `hlsdrmdemux`: what the demuxer inside is told to request where.

That is in the playlists that the demuxer gets. The first one comes through
its sink pad, and the others are where that says. Each is compared with the
playlist at the origin.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from .gstreamer import (
    Gst,
    give_up,
    klass_of,
    media_type,
    name_of,
    neighbor,
    play_to_end,
)
from .headend import Headend, fetch

# Whether the token is wanted for a key or not, so that it is seen.
PIPELINE = """
souphttpsrc name=playlist
    ! hlsdrmdemux name=demuxer key-request-token=always
"""

# What becomes of each stream: one that a DRM system protects, and others.
PROTECTED = """
qtdemux name=first ! sessiontoken name=token ! clearkeydec ! decodebin
    ! fakesink sync=false
"""
DECRYPTED = "qtdemux name=first ! fakesink sync=false"

# A presentation for each way in which content is protected: a DRM system's
# key tags (without `pssh` boxes in the init segments), and AES-128 with
# EXT-X-MAP and without.
PRESENTATIONS = [
    ("/hls/cbcs/master-no-pssh.m3u8", PROTECTED),
    ("/hls/aes128/master.m3u8", DECRYPTED),
    ("/hls/aes128-no-map/master.m3u8", DECRYPTED),
]

PLAYLIST, KEY = "playlists", "keys"
INIT_SEGMENT, SEGMENT = "init segments", "segments"
TAGS = {
    "#EXT-X-MEDIA:": PLAYLIST,
    "#EXT-X-MAP:": INIT_SEGMENT,
    "#EXT-X-KEY:": KEY,
}


@dataclass
class Hls:
    """What was seen in all presentations."""

    # What the demuxer gets from the loopback server, by what that makes it
    # of, and what it gets from the origin.
    from_server: dict[str, str] = field(default_factory=dict)
    from_origin: set[str] = field(default_factory=set)
    # The demuxer, and what else `hlsdrmdemux` has inside.
    inside: set[str] = field(default_factory=set)
    # Elements behind it, with the caps of what they send.
    chain: list[tuple[str, str]] = field(default_factory=list)


class HlsRun:
    """Watches one presentation."""

    def __init__(self, headend: Headend, path: str, tail: str) -> None:
        self._headend, self._path, self._tail = headend, path, tail
        self._first: str | None = None
        self._pipeline = Gst.parse_launch(PIPELINE)
        self._demuxer = self._pipeline.get_by_name("demuxer")
        playlist = self._pipeline.get_by_name("playlist")
        playlist.set_property("location", headend.url(path))
        self._demuxer.connect("pad-added", self._add_tail)
        self._pipeline.connect("deep-element-added", self._see_element)

    def play(self, seen: Hls) -> None:
        """Adds what it sees."""
        try:
            play_to_end(self._pipeline)
            # The server is there for as long as the pipeline plays.
            self._compare_playlists(seen)
            seen.inside |= {name_of(one) for one in self._demuxer.children}
            token = self._pipeline.get_by_name("token")
            if token is not None:
                seen.chain = chain_from(neighbor(token.get_static_pad("sink")))
        finally:
            self._pipeline.set_state(Gst.State.NULL)

    def _see_element(
        self, _: Gst.Bin, parent: Gst.Bin, element: Gst.Element
    ) -> None:
        if name_of(element) == "sessiontoken":
            element.set_property("location", self._headend.auth_service)
        elif name_of(element) == "clearkeydec":
            element.set_property("license-url", self._headend.license_server)
        elif parent == self._demuxer and "Demux" in klass_of(element):
            pad = element.get_static_pad("sink")
            pad.add_probe(Gst.PadProbeType.BUFFER, self._see_playlist)

    def _see_playlist(
        self, _: Gst.Pad, info: Gst.PadProbeInfo
    ) -> Gst.PadProbeReturn:
        buffer = info.get_buffer()
        self._first = buffer.extract_dup(0, buffer.get_size()).decode()
        return Gst.PadProbeReturn.REMOVE

    def _add_tail(self, _: Gst.Element, pad: Gst.Pad) -> None:
        tail = Gst.parse_bin_from_description(self._tail, False)
        sink = tail.get_by_name("first").get_static_pad("sink")
        tail.add_pad(Gst.GhostPad.new("sink", sink))
        self._pipeline.add(tail)
        tail.sync_state_with_parent()
        pad.link(tail.get_static_pad("sink"))

    def _compare_playlists(self, seen: Hls) -> None:
        url = self._headend.url(self._path)
        if self._first is None:
            give_up("the demuxer inside got no playlist")
        theirs = resources(fetch(url).decode(), url)
        ours = resources(self._first, url)
        for (_, one), (_, other) in zip(list(theirs), list(ours), strict=True):
            theirs += resources(fetch(one).decode(), one)
            ours += resources(fetch(other).decode(), other)
        origin = urlsplit(url).netloc
        for kind, url in ours:
            if urlsplit(url).netloc == origin:
                seen.from_origin.add(kind)
            else:
                before = next(at for one, at in theirs if one == kind)
                change = change_of(kind, fetch(before), fetch(url))
                if change != kind or kind not in seen.from_server:
                    seen.from_server[kind] = change


def resources(playlist: str, base: str) -> list[tuple[str, str]]:
    """What a playlist names, with its URLs, in the order of its lines."""
    is_multivariant = "#EXT-X-STREAM-INF:" in playlist
    found = []
    for text in playlist.splitlines():
        tags = [kind for tag, kind in TAGS.items() if text.startswith(tag)]
        uri = re.search('URI="([^"]*)"', text)
        if tags and uri:
            found.append((tags[0], urljoin(base, uri[1])))
        elif text and not text.startswith("#"):
            kind = PLAYLIST if is_multivariant else SEGMENT
            found.append((kind, urljoin(base, text)))
    return found


def change_of(kind: str, before: bytes, after: bytes) -> str:
    """What the server has made of something from the origin."""
    match kind:
        case "playlists" if after != before:
            return "rewritten playlists"
        case "init segments" if after.count(b"pssh") > before.count(b"pssh"):
            return "init segments with pssh"
        case "segments" if is_clear(after) and not is_clear(before):
            return "decrypted segments"
    return kind


def is_clear(segment: bytes) -> bool:
    """Whether it is fragmented MP4 that can be read."""
    return segment[4:8] in [b"styp", b"sidx", b"moof", b"ftyp"]


def chain_from(element: Gst.Element) -> list[tuple[str, str]]:
    """Elements from this one up to a decoder, each with the caps of what it
    sends."""
    chain = []
    while "Decoder" not in klass_of(element):
        pad = element.srcpads[0]
        chain.append((name_of(element), media_type(pad.get_current_caps())))
        element = neighbor(pad)
    return chain


def play_all(headend: Headend) -> Hls:
    seen = Hls()
    for path, tail in PRESENTATIONS:
        HlsRun(headend, path, tail).play(seen)
    return seen
