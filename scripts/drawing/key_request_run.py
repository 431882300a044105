# SPDX-License-Identifier: MIT OR Apache-2.0
"""One stream up to its first decrypted sample: who sends what to whom.

Probes see events and samples, and the signal `reject` is seen where it is
emitted. What was requested of servers, and how they answered, is in the
record of the head-end. All have the clock of this machine, which puts them in
order.
"""

import threading
from dataclasses import dataclass

from . import headend as record
from .gstreamer import (
    DATA,
    Gst,
    end_of,
    has_key_request,
    wall_clock,
    watch_events,
)
from .headend import Headend

# Without `prefetch` the event comes first, and has the token requested.
PIPELINE = """
souphttpsrc name=manifest ! dashdemux name=d
d.video_00 ! qtdemux ! sessiontoken name=token prefetch=false
    ! clearkeydec name=decryptor ! h264parse ! avdec_h264
    ! fakevideosink sync=false
"""

# Who sends and gets messages.
DEMUXER = "demuxer"
SESSIONTOKEN = "sessiontoken"
DECRYPTOR = "clearkeydec"
DECODER = "decoder"
AUTH_SERVICE = "auth service"
LICENSE_SERVER = "license server"

# What they send.
EVENT = "protection event"
EVENT_WITH_TOKEN = "protection event with drm-key-request"
REQUEST = "request"
RESPONSE = "response"
REJECT = "reject"
KEY_REQUEST = "drm-key-request"
SAMPLES = "decrypted samples"


@dataclass(frozen=True)
class Message:
    """What one sends to another."""

    # In µs since 1970.
    at: int
    source: str
    target: str
    what: str
    # The number of the token in it, where it has one: 1 for the first.
    token: int = 0
    # That of a response, or the one that a token is rejected for.
    status: int = 0


@dataclass(frozen=True)
class KeyRequest:
    """How a run went."""

    # In the order in which they were sent.
    messages: list[Message]
    # What carries the token to the license server, with "…" in its place.
    headers: list[str]
    # Why the run failed, where it did.
    error: str | None


class KeyRequestRun:
    """Watches one pipeline. The first so many of its tokens are revoked before
    the decryptor has them."""

    def __init__(self, headend: Headend, revocations: int = 0) -> None:
        self._headend = headend
        self._revocations = revocations
        self._lock = threading.Lock()
        self._messages: list[Message] = []
        # The generations of the tokens, in the order in which they came.
        self._generations: list[int] = []
        self._pipeline = Gst.parse_launch(PIPELINE)
        self._by_name("manifest").set_property("location", headend.manifest)
        token = self._by_name("token")
        token.set_property("location", headend.auth_service)
        token.get_property("store").connect("reject", self._see_reject)
        for name in ["sink", "src"]:
            watch_events(token.get_static_pad(name), self._see_event, name)
        decrypted = self._by_name("decryptor").get_static_pad("src")
        decrypted.add_probe(DATA, self._see_samples)

    def play(self) -> KeyRequest:
        before = len(self._headend.requests())
        bus = self._pipeline.get_bus()
        bus.enable_sync_message_emission()
        bus.connect("sync-message::element", self._see_token)
        try:
            self._pipeline.set_state(Gst.State.PLAYING)
            message = end_of(self._pipeline)
            self._add_requests(before)
            headers = self._headers()
            # The next run gets a token of its own.
            self._by_name("token").emit("clear-token")
        finally:
            self._pipeline.set_state(Gst.State.NULL)
        messages = sorted(self._messages, key=lambda one: one.at)
        is_error = message.type == Gst.MessageType.ERROR
        error = message.parse_error()[0].message if is_error else None
        return KeyRequest(messages, headers, error)

    def _add(self, source: str, target: str, what: str, **more: int) -> None:
        message = Message(wall_clock(), source, target, what, **more)
        with self._lock:
            self._messages.append(message)

    def _add_once(
        self, source: str, target: str, what: str, **more: int
    ) -> None:
        """Of events and samples the first one is enough."""
        with self._lock:
            is_new = all(one.what != what for one in self._messages)
        if is_new:
            self._add(source, target, what, **more)

    def _see_event(self, event: Gst.Event, pad: str) -> None:
        if event.type != Gst.EventType.PROTECTION:
            return
        if pad == "sink":
            self._add_once(DEMUXER, SESSIONTOKEN, EVENT)
        elif has_key_request(event):
            token = len(self._generations)
            self._add_once(
                SESSIONTOKEN, DECRYPTOR, EVENT_WITH_TOKEN, token=token
            )

    def _see_token(self, _: Gst.Bus, message: Gst.Message) -> None:
        """On the thread that hands the token out, and before it does."""
        said = message.get_structure()
        if said.get_name() != "session-token":
            return
        if said.get_value("state") not in ["acquired", "refreshed"]:
            return
        generation = said.get_value("generation")
        if generation in self._generations:
            return
        self._generations.append(generation)
        token = len(self._generations)
        if token > 1:
            # What the signal `reject` returns.
            self._add(SESSIONTOKEN, DECRYPTOR, KEY_REQUEST, token=token)
        if token <= self._revocations:
            self._headend.revoke()

    def _see_reject(self, _: object, generation: int, status: int) -> None:
        token = self._generations.index(generation) + 1
        self._add(DECRYPTOR, SESSIONTOKEN, REJECT, token=token, status=status)

    def _see_samples(
        self, _: Gst.Pad, __: Gst.PadProbeInfo
    ) -> Gst.PadProbeReturn:
        self._add_once(DECRYPTOR, DECODER, SAMPLES)
        return Gst.PadProbeReturn.REMOVE

    def _add_requests(self, before: int) -> None:
        """Those of the record since then. A license request has the newest
        token that the decryptor had when it came."""
        tokens = 0
        for one in self._headend.requests()[before:]:
            if one.service == record.TOKEN:
                ends = (SESSIONTOKEN, AUTH_SERVICE)
                tokens += 1
                sent, got = 0, tokens
            else:
                ends = (DECRYPTOR, LICENSE_SERVER)
                had = [
                    message.token
                    for message in self._messages
                    if message.target == DECRYPTOR and message.at < one.asked
                ]
                sent, got = max(had, default=0), 0
            self._messages += [
                Message(one.asked, *ends, REQUEST, token=sent),
                Message(one.answered, *ends[::-1], RESPONSE, got, one.status),
            ]

    def _headers(self) -> list[str]:
        """As a decryptor gets them that asks for the newest key request."""
        store = self._by_name("token").get_property("store")
        request = store.emit("newest", 0)
        if request is None:
            return []
        token = request.get_value("session-token")
        headers = request.get_value("http-headers")
        names = [
            headers.nth_field_name(number)
            for number in range(headers.n_fields())
        ]
        return [
            f"{name}: {headers.get_value(name).replace(token, '…')}"
            for name in names
        ]

    def _by_name(self, name: str) -> Gst.Element:
        return self._pipeline.get_by_name(name)
