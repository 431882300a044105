# SPDX-License-Identifier: MIT OR Apache-2.0
"""`key-request.svg`: from a protection event to decrypted samples, and
`rejected-token.svg`: what becomes of a token that is rejected."""

from pathlib import Path

from . import key_request_run as run
from .gstreamer import give_up
from .key_request_run import KeyRequest, Message
from .sequence import Arrow, Lifeline, SequencePicture, Span

LIFELINES = [
    Lifeline(run.AUTH_SERVICE, "server"),
    Lifeline(run.SESSIONTOKEN, "ours"),
    Lifeline(run.DECRYPTOR, "ours"),
    Lifeline(run.LICENSE_SERVER, "server"),
]


def write_key_request(flow: KeyRequest, path: Path) -> None:
    if flow.error is not None:
        give_up(flow.error)
    arrows = [
        arrow_of(message, headers=flow.headers) for message in flow.messages
    ]
    kinds = [message.what for message in flow.messages]
    held = Span(
        run.SESSIONTOKEN,
        kinds.index(run.EVENT),
        kinds.index(run.EVENT_WITH_TOKEN),
        "holds the stream",
    )
    SequencePicture(LIFELINES, arrows, [held]).write(
        path,
        "The flow of a key request",
        "Drawn by scripts/pictures from a stream that played with"
        f" prefetch=false. In this order: {in_words(arrows)}. Between the"
        " first and the last protection event sessiontoken holds the stream.",
    )


def write_rejected_token(
    flow: KeyRequest, failed: KeyRequest, path: Path
) -> None:
    """`failed` is a run in which all tokens are rejected."""
    if flow.error is not None:
        give_up(flow.error)
    if failed.error is None:
        give_up("the stream plays although all tokens are rejected")
    rejected = [one.token for one in failed.messages if one.what == run.REJECT]
    # How the first token came is another picture.
    kinds = [message.what for message in flow.messages]
    shown = flow.messages[kinds.index(run.EVENT_WITH_TOKEN) :]
    arrows = [arrow_of(message) for message in shown]
    limit = f"{len(rejected)} tokens rejected in a row: an error"
    SequencePicture(LIFELINES, arrows, note=(limit,)).write(
        path,
        "What a rejected token does",
        "Drawn by scripts/pictures from a stream that played although its"
        f" first token was revoked. In this order: {in_words(arrows)}. In a"
        f" second run all tokens were revoked: {limit}.",
    )


def arrow_of(message: Message, headers: list[str] | None = None) -> Arrow:
    """It names the headers that carry the token, where these are given, and
    otherwise the number of the token."""
    kind, lines = look_of(message)
    if message.what == run.EVENT_WITH_TOKEN and headers:
        lines.append(f"with {run.KEY_REQUEST}")
    elif message.target == run.LICENSE_SERVER and headers:
        lines += headers
    elif message.token and not headers:
        if message.what in [run.RESPONSE, run.REJECT]:
            lines[-1] += f" {message.token}"
        else:
            lines.append(f"with token {message.token}")
    return Arrow(message.source, message.target, kind, tuple(lines))


def look_of(message: Message) -> tuple[str, list[str]]:
    """The kind of the arrow, and what is sent."""
    is_of_token = run.AUTH_SERVICE in [message.source, message.target]
    match message.what:
        case run.EVENT | run.EVENT_WITH_TOKEN:
            return "events", [run.EVENT]
        case run.REQUEST if is_of_token:
            return "request", ["token request"]
        case run.REQUEST:
            return "request", ["license request"]
        case run.RESPONSE if message.status != 200:
            return "rejected", [f"HTTP {message.status}"]
        case run.RESPONSE if is_of_token:
            return "answer", ["token"]
        case run.RESPONSE:
            return "answer", ["license"]
        case run.REJECT:
            return "rejected", ["reject token"]
        case run.KEY_REQUEST:
            return "answer", [run.KEY_REQUEST]
        case run.SAMPLES:
            return "clear", [run.SAMPLES]
    give_up(f"there is no arrow for this: {message.what}")


def in_words(arrows: list[Arrow]) -> str:
    return "; ".join(
        f"{one.source} to {one.target}, {' '.join(one.lines)}"
        for one in arrows
    )
