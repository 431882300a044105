# SPDX-License-Identifier: MIT OR Apache-2.0
"""Plays a URI with one of the documents' samples: `player.py SAMPLE URI AUTH-SERVICE`."""

import os
import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

sample, uri, auth_service = sys.argv[1:]
with open(sample, encoding="utf-8") as source:
    exec(source.read())

configure_ahead = globals().get("configure_by_environment")
if configure_ahead:
    configure_ahead(auth_service)
Gst.init(None)
player = Gst.ElementFactory.make("playbin3")
player.set_property("uri", uri)
for kind in ("video", "audio"):
    sink = Gst.ElementFactory.make(f"fake{kind}sink")
    player.set_property(f"{kind}-sink", sink)
if not configure_ahead:
    globals()["configure"](player, auth_service)

player.set_state(Gst.State.PLAYING)
message = player.get_bus().timed_pop_filtered(
    Gst.CLOCK_TIME_NONE, Gst.MessageType.EOS | Gst.MessageType.ERROR
)
player.set_state(Gst.State.NULL)
if message.type == Gst.MessageType.ERROR:
    sys.exit(message.parse_error()[0].message)
