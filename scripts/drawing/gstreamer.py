# SPDX-License-Identifier: MIT OR Apache-2.0
"""GStreamer, and what the runs ask of its elements and pads."""

import sys
from collections.abc import Callable
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

# Far longer than any run takes.
PATIENCE = 60 * Gst.SECOND

DATA = Gst.PadProbeType.BUFFER | Gst.PadProbeType.BUFFER_LIST


def give_up(why: str) -> NoReturn:
    print(f"pictures: {why}", file=sys.stderr)
    sys.exit(1)


def now() -> int:
    """In µs, for what takes some time."""
    return GLib.get_monotonic_time()


def wall_clock() -> int:
    """In µs since 1970, as the head-end has it."""
    return GLib.get_real_time()


def end_of(pipeline: Gst.Pipeline) -> Gst.Message:
    """The message with which the run ends: EOS, or an error."""
    message = pipeline.get_bus().timed_pop_filtered(
        PATIENCE, Gst.MessageType.EOS | Gst.MessageType.ERROR
    )
    if message is None:
        give_up("the pipeline does not come to its end")
    return message


def play_to_end(pipeline: Gst.Pipeline) -> None:
    pipeline.set_state(Gst.State.PLAYING)
    # To its end: GStreamer 1.22 may crash where a download is stopped.
    message = end_of(pipeline)
    if message.type == Gst.MessageType.ERROR:
        give_up(message.parse_error()[0].message)


def media_type(caps: Gst.Caps) -> str:
    """The first word: gst-python of 1.26 hands structures out differently."""
    return caps.to_string().split(",")[0].split("(")[0]


def name_of(element: Gst.Element) -> str:
    """What it is written as in a pipeline."""
    factory = element.get_factory()
    return factory.get_name() if factory else ""


def klass_of(element: Gst.Element) -> str:
    return element.get_metadata("klass") or ""


def is_decryptor(element: Gst.Element) -> bool:
    return "Decryptor" in klass_of(element)


def is_ours(element: Gst.Element) -> bool:
    return element.get_factory().get_plugin_name() == "sessiontoken"


def neighbor(pad: Gst.Pad) -> Gst.Element:
    """The element that this pad is linked to."""
    return pad.get_peer().get_parent_element()


def has_key_request(event: Gst.Event) -> bool:
    """Whether this protection event has the metadata, which Python cannot
    read."""
    _, data, _ = event.parse_protection()
    return data.get_meta(Gst.protection_meta_api_get_type()) is not None


def watch_events(pad: Gst.Pad, see: Callable[..., None], *more) -> None:
    """Has `see` called with each event that goes downstream there."""

    def callback(_: Gst.Pad, info: Gst.PadProbeInfo) -> Gst.PadProbeReturn:
        see(info.get_event(), *more)
        return Gst.PadProbeReturn.OK

    pad.add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, callback)
