#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR Apache-2.0
r"""GST_PLUGIN_PATH=target/debug examples/python/player.py \
    --location http://localhost:50050/authService/getSessionToken \
    http://localhost:50050/dash/cenc/manifest.mpd

plays protected DASH in Python with the operator's session token. It works as
printed, from the top folder of the repository, while `scripts/demo --serve`
runs in another terminal. HLS does not say where its license server is:

GST_PLUGIN_PATH=target/debug examples/python/player.py \
    --location http://localhost:50050/authService/getSessionToken \
    --license-url http://localhost:50050/license \
    http://localhost:50050/hls/cbcs/master.m3u8

The player shows how an application in Python

* has playbin3 plug `sessiontoken` and `hlsdrmdemux`: `raise_ranks`;
* configures them and the decryptor by a context: `token_config`;
* fetches the token ahead of the stream: `warm_up`;
* tells its user what became of token and license: `Report`;
* asks for the token where a decryptor does: `find_store`.

On Debian it needs python3-gi, gir1.2-gstreamer-1.0 and GStreamer's plugins
(base, good, bad, libav). A decryptor that is written in Python has to ask the store for
the token: it cannot read the metadata on protection events, because
GstProtectionMeta has no introspection.
"""

import argparse
import ctypes
import os
import sys
from typing import NoReturn
from urllib.parse import urlsplit, urlunsplit

try:
    import gi

    gi.require_version("Gst", "1.0")
    from gi.repository import GLib, GObject, Gst
except (ImportError, ValueError) as error:
    sys.exit(
        f"player: {error}. {sys.executable} needs GStreamer: on Debian install"
        " python3-gi and gir1.2-gstreamer-1.0, which are for /usr/bin/python3."
    )

# Names and values of properties.
Settings = list[tuple[str, str]]

# `G_TYPE_STRING` of C, which Python does not have as a number.
G_TYPE_STRING = ctypes.c_size_t(16 << 2)

# What the user can do, by the `reason` of an error.
HINTS = {
    "denied": "not for this box or this account:"
    " check credentials and subscription",
    "transient": "the server may be back soon: try again",
    "timed-out": "the server may be back soon: try again",
    "malformed": "something else seems to answer there: check the URLs",
    "misconfigured": "correct the setting and start again",
}


def raise_ranks() -> None:
    """Has playbin3 plug our elements.

    `sessiontoken` makes requests with credentials, and `hlsdrmdemux` takes
    the place of a stock element, so nothing plugs them unless the application
    says so. The decryptor is plugged anyway.
    """
    primary = int(Gst.Rank.PRIMARY)
    # The stock demuxers for HLS have PRIMARY, and a little more.
    ranks = {"sessiontoken": primary, "hlsdrmdemux": 2 * primary}
    for name, rank in ranks.items():
        feature = Gst.Registry.get().find_feature(name, Gst.ElementFactory)
        if feature is None:
            give_up(
                f"GStreamer has no `{name}`: install the plugin,"
                " or name its folder in GST_PLUGIN_PATH"
            )
        feature.set_rank(rank)


def token_config(settings: Settings) -> Gst.Context:
    """The configuration for elements that the application does not make.

    Each element takes the properties that it knows, and converts the text to
    the property's type.
    """
    # Persistent: bins forget others on the way to READY.
    context = Gst.Context.new("session-token-config", True)
    # Introspection hands out a copy of the context's structure, which nobody
    # would see change, so C has to write it. With gst-python 1.26 or newer
    # (python3-gst-1.0) that is `with context.writable_structure() as fields`.
    # Another way is the environment variable GST_SESSION_TOKEN_CONFIG, set to
    # such a structure's to_string() before the pipeline leaves NULL.
    value = GObject.Value(Gst.Context, context)
    address = value.peek_pointer()
    # A context that somebody else holds too cannot be written.
    value.unset()
    gst = ctypes.CDLL("libgstreamer-1.0.so.0")
    writable_structure = gst.gst_context_writable_structure
    writable_structure.argtypes = [ctypes.c_void_p]
    writable_structure.restype = ctypes.c_void_p
    fields = ctypes.c_void_p(writable_structure(address))
    for name, text in settings:
        gst.gst_structure_set(
            fields, name.encode(), G_TYPE_STRING, text.encode(), None
        )
    return context


def warm_up(config: Gst.Context) -> Gst.Element:
    """Requests the token; returns at once.

    It is for an element in no pipeline. All elements of a process with the
    same configuration share a session, so what playbin3 plugs once the stream
    is there finds the token at hand. As long as this one stays in PAUSED it
    stays fresh.
    """
    element = make("sessiontoken")
    bus = Gst.Bus.new()
    element.set_bus(bus)
    element.set_context(config)
    if element.set_state(Gst.State.PAUSED) == Gst.StateChangeReturn.FAILURE:
        # A setting that cannot work.
        message = bus.pop_filtered(Gst.MessageType.ERROR)
        element.set_state(Gst.State.NULL)
        give_up(
            message.parse_error()[0].message
            if message
            else "`sessiontoken` does not start"
        )
    return element


def find_store(pipeline: Gst.Bin) -> GObject.Object | None:
    """The tokens of the session, where a decryptor finds them.

    The properties of the store are those of the newest valid token:
    `session-token`, `generation`, and `expires-at`. Its signals are for
    decryptors: `newest` and `reject` give whole key requests, `set-flushing`
    ends their waits.
    """
    for element in elements_in(pipeline):
        if "Decryptor" not in (element.get_metadata("klass") or ""):
            continue
        query = Gst.Query.new_context("drm-session-token")
        if element.get_static_pad("sink").peer_query(query):
            structure = query.parse_context().get_structure()
            if hasattr(structure, "get_value"):
                return structure.get_value("store")
            # gst-python 1.26 has it in a wrapper.
            with structure as fields:
                return fields.get_value("store")
    return None


def elements_in(pipeline: Gst.Bin) -> list[Gst.Element]:
    """All of them, those in bins and in demuxers too."""
    iterator = pipeline.iterate_recurse()
    elements: list[Gst.Element] = []
    while True:
        result, element = iterator.next()
        if result == Gst.IteratorResult.OK:
            elements.append(element)
        elif result == Gst.IteratorResult.RESYNC:
            # Something was plugged meanwhile.
            iterator.resync()
            elements.clear()
        else:
            return elements


class Report:
    """What happens, in words."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def say(self, line: str) -> None:
        """Prints it, once: streams have elements that say the same."""
        if line not in self._said:
            self._said.add(line)
            print(line, flush=True)

    def token_message(self, message: Gst.Structure) -> None:
        """An element's message `session-token`."""
        field = message.get_value
        service, generation = field("service"), field("generation")
        match field("state"):
            case "acquired" | "refreshed" as state if field("cached"):
                self.say(
                    f"token: {state} from {service}, generation {generation},"
                    " cached: no request of its own"
                )
            case "acquired" | "refreshed" as state:
                self.say(
                    f"token: {state} from {service}, generation {generation},"
                    f" in {milliseconds(message, 'latency')}"
                    f" ({requests(message)}), playback waited"
                    f" {milliseconds(message, 'waited')}"
                )
            case "rejected":
                self.say(
                    f"token: refused by the license server"
                    f"{http_status(message)}, generation {generation};"
                    " another one is asked for"
                )
            case "failed":
                self.say(f"token: none from {service}: {failure(message)}")
            case "renewed":
                self.say(f"token: renewed ahead of its end, generation {generation}")
            case "renewal-failed":
                self.say(f"token: not renewed: {failure(message)}")

    def license_message(self, message: Gst.Structure) -> None:
        """The decryptor's message `clearkey-license`."""
        field = message.get_value
        match field("state"):
            case "failed":
                self.say(
                    f"license: not renewed: {failure(message)};"
                    " the old one goes on until its end"
                )
            # Another stream has asked for it, and tells.
            case "acquired" | "renewed" as state if not field("cached"):
                self.say(
                    f"license: {state}, keys: {field('keys')},"
                    f" in {milliseconds(message, 'latency')}"
                    f" ({requests(message)})"
                )

    def store(self, store: GObject.Object) -> None:
        """What is known of the token. The token itself is not for people."""
        token = store.get_property("session-token")
        if token is None:
            self.say("store: no token that is valid")
            return
        ends = store.get_property("expires-at")
        until = ends.to_iso8601_string() if ends else "it is refused"
        self.say(
            f"store: generation {store.get_property('generation')},"
            f" a token of {len(token)} characters, good until {until}"
        )

    def complaint(
        self,
        kind: str,
        source: Gst.Object,
        error: GLib.Error,
        details: Gst.Structure | None,
    ) -> None:
        """An error or a warning, and what our elements add to theirs."""
        name = "player"
        if isinstance(source, Gst.Element) and source.get_factory():
            name = source.get_factory().get_name()
        self.say(f"{kind}: {name}: {error.message}")
        if details is None or details.get_name() != "session-token-error":
            return
        reason = details.get_value("reason")
        self.say(
            f"  reason: {reason}{http_status(details)},"
            f" after {milliseconds(details, 'elapsed')} ({requests(details)})"
        )
        for field in ["title", "detail"]:
            if details.has_field(field):
                self.say(f"  the server says: {details.get_value(field)}")
        if reason in HINTS:
            self.say(f"  {HINTS[reason]}")


def failure(message: Gst.Structure) -> str:
    return (
        f"{message.get_value('reason')}{http_status(message)},"
        f" after {milliseconds(message, 'latency')} ({requests(message)})"
    )


def http_status(message: Gst.Structure) -> str:
    status = message.get_value("http-status")
    return f" (HTTP {status})" if status else ""


def requests(message: Gst.Structure) -> str:
    attempts = message.get_value("attempts")
    return "1 request" if attempts == 1 else f"{attempts} requests"


def milliseconds(message: Gst.Structure, field: str) -> str:
    return f"{(message.get_value(field) or 0) // Gst.MSECOND} ms"


class Player:
    """One playbin3, and its bus."""

    # What is of interest on the bus.
    MESSAGES = (
        Gst.MessageType.ASYNC_DONE
        | Gst.MessageType.BUFFERING
        | Gst.MessageType.ELEMENT
        | Gst.MessageType.EOS
        | Gst.MessageType.ERROR
        | Gst.MessageType.LATENCY
        | Gst.MessageType.WARNING
    )

    def __init__(
        self, uri: str, config: Gst.Context, fake_sinks: bool
    ) -> None:
        self._report = Report()
        self._playbin = make("playbin3")
        self._playbin.set_property("uri", uri)
        if fake_sinks:
            # They keep the time as real ones do. The default ones of
            # GStreamer 1.22 may crash on a machine without a screen.
            for kind in ["video", "audio"]:
                sink = make(f"fake{kind}sink")
                self._playbin.set_property(f"{kind}-sink", sink)
        # While it is in NULL: elements check their settings on the way up.
        self._playbin.set_context(config)
        self._is_live = False
        self._has_picture = False
        self._report.say(f"player: {without_secrets(uri)}")

    def run(self) -> bool:
        """Plays to the end. Whether it came to that."""
        try:
            outcome = self._playbin.set_state(Gst.State.PLAYING)
            # What fails at once is on the bus too.
            self._is_live = outcome == Gst.StateChangeReturn.NO_PREROLL
            bus = self._playbin.get_bus()
            while True:
                # Not for ever, so that Ctrl-C is heard.
                message = bus.timed_pop_filtered(
                    200 * Gst.MSECOND, self.MESSAGES
                )
                if message is None:
                    continue
                if message.type == Gst.MessageType.EOS:
                    self._report.say("player: the end")
                    return True
                if message.type == Gst.MessageType.ERROR:
                    self._complain("error", message)
                    return False
                self._hear(message)
        finally:
            self._playbin.set_state(Gst.State.NULL)

    def _hear(self, message: Gst.Message) -> None:
        match message.type:
            case Gst.MessageType.ELEMENT:
                self._hear_element(message.get_structure())
            case Gst.MessageType.ASYNC_DONE:
                self._has_picture = True
                self._report.say("player: plays")
                self._look_into_store()
            case Gst.MessageType.WARNING:
                self._complain("warning", message)
            case Gst.MessageType.LATENCY:
                self._playbin.recalculate_latency()
            case Gst.MessageType.BUFFERING:
                self._buffer(message.parse_buffering())

    def _buffer(self, percent: int) -> None:
        """Waits for the network where that is too slow."""
        # Not on the way up: playbin3 of GStreamer 1.22 goes through READY to
        # PAUSED a second time then, and may abort.
        if self._has_picture and not self._is_live:
            self._playbin.set_state(
                Gst.State.PLAYING if percent >= 100 else Gst.State.PAUSED
            )

    def _hear_element(self, structure: Gst.Structure) -> None:
        match structure.get_name():
            case "session-token":
                self._report.token_message(structure)
                if structure.get_value("state") == "refreshed":
                    self._look_into_store()
            case "clearkey-license":
                self._report.license_message(structure)

    def _look_into_store(self) -> None:
        store = find_store(self._playbin)
        # What is not protected has no decryptor, and none needs a store.
        if store is not None:
            self._report.store(store)

    def _complain(self, kind: str, message: Gst.Message) -> None:
        if kind == "error":
            error, _ = message.parse_error()
            details = message.parse_error_details()
        else:
            error, _ = message.parse_warning()
            details = message.parse_warning_details()
        self._report.complaint(kind, message.src, error, details)


def make(factory: str) -> Gst.Element:
    element = Gst.ElementFactory.make(factory)
    if element is None:
        give_up(
            f"GStreamer has no `{factory}`: install the plugin that it is in"
        )
    return element


def without_secrets(uri: str) -> str:
    """Credentials stand in front of the host or in the query."""
    parts = urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def give_up(why: str) -> NoReturn:
    """Nothing is played: what was asked for cannot work."""
    print(f"player: {why}", file=sys.stderr)
    sys.exit(2)


def setting(text: str) -> tuple[str, str]:
    """The elements say what is wrong with a name or a value.

    An error here does not quote the value, which may be a secret.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.replace("-", "").isalnum():
        raise argparse.ArgumentTypeError("it wants NAME=VALUE")
    return name, value


def uri_of(text: str) -> str:
    if not Gst.Uri.is_valid(text):
        raise argparse.ArgumentTypeError(
            "it wants a URI, such as http://… or file:///…"
        )
    return text


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Plays protected DASH and HLS with the operator's session"
        " token.",
        allow_abbrev=False,
    )
    parser.add_argument("uri", metavar="URI", type=uri_of, help="what to play")
    parser.add_argument(
        "--location",
        metavar="URL",
        type=uri_of,
        help="where the auth service is",
    )
    parser.add_argument(
        "--license-url",
        metavar="URL",
        type=uri_of,
        help="where the license server is; a manifest for DASH may say so",
    )
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        type=setting,
        action="append",
        default=[],
        dest="settings",
        help="any other property of our elements, such as auth-service or"
        " session-token-file",
    )
    parser.add_argument(
        "--warm-up",
        action="store_true",
        help="request the token before the stream is there",
    )
    parser.add_argument(
        "--fake-sinks",
        action=argparse.BooleanOptionalAction,
        help="show nothing; so it is where neither DISPLAY nor"
        " WAYLAND_DISPLAY is set",
    )
    return parser.parse_args()


def takes_fake_sinks(asked: bool | None) -> bool:
    """Says so where nobody has asked for them and there is no screen."""
    has_screen = any(map(os.environ.get, ["DISPLAY", "WAYLAND_DISPLAY"]))
    if asked is None and not has_screen:
        print(
            "player: neither DISPLAY nor WAYLAND_DISPLAY is set, so nothing"
            " is shown or heard. --no-fake-sinks tries it all the same.",
            file=sys.stderr,
        )
    return not has_screen if asked is None else asked


def main() -> int:
    Gst.init(None)
    options = arguments()
    settings: Settings = list(options.settings)
    if options.location:
        settings.append(("location", options.location))
    if options.license_url:
        settings.append(("license-url", options.license_url))
    raise_ranks()
    config = token_config(settings)
    warm = warm_up(config) if options.warm_up else None
    try:
        fake_sinks = takes_fake_sinks(options.fake_sinks)
        has_played = Player(options.uri, config, fake_sinks).run()
    finally:
        if warm:
            warm.set_state(Gst.State.NULL)
    return 0 if has_played else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        # As the shell has it.
        sys.exit(130)
