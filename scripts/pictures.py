#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Plays protected DASH and HLS, and draws what happened.

The folder gets `pipeline.svg`, the elements of the pipeline and their links
as GStreamer tells of them, and `timeline.svg`, what one tune waits for, with
`prefetch` and without. `key-request.svg` and `rejected-token.svg` have what
elements and servers send each other, and `hls.svg` has what the demuxer inside
`hlsdrmdemux` gets from where. `scripts/pictures` runs it for the
documentation, with a head-end whose answers take their time.
"""

import argparse
import sys
from pathlib import Path

# The modules lie in the repository.
sys.dont_write_bytecode = True

from drawing import hls_run, key_request
from drawing.gstreamer import Gst, give_up
from drawing.headend import Headend
from drawing.hls import HlsPicture
from drawing.key_request_run import KeyRequestRun
from drawing.pipeline import PipelinePicture
from drawing.timeline import RUNS, TimelinePicture
from drawing.tune import PICTURE, Tune, TuneRun

# What is not in GStreamer's core.
ELEMENTS = [
    "sessiontoken",
    "clearkeydec",
    "hlsdrmdemux",
    "dashdemux",
    "hlsdemux",
    "avdec_h264",
]

# More tokens than anything fetches that gives up.
ALL = 100


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Plays protected DASH and HLS and draws pipeline.svg,"
        " timeline.svg, key-request.svg, rejected-token.svg and hls.svg.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "headend",
        metavar="URL",
        type=Headend,
        help="where the head-end is, without a path",
    )
    parser.add_argument(
        "--folder",
        metavar="DIR",
        required=True,
        type=Path,
        help="where the pictures go",
    )
    return parser.parse_args()


def median_tunes(headend: Headend) -> list[Tune]:
    """With `prefetch` and without, the one with the median time of each."""

    def run(prefetch: bool) -> Tune:
        auth_service = headend.auth_service
        return TuneRun(headend.manifest, auth_service, prefetch).play()

    kinds = [True, False]
    # The first one loads plugins.
    run(True)
    tunes: dict[bool, list[Tune]] = {prefetch: [] for prefetch in kinds}
    # In turns, so that what else the machine does strikes both alike.
    for _ in range(RUNS):
        for prefetch in kinds:
            tunes[prefetch].append(run(prefetch))
    return [
        sorted(runs, key=lambda tune: tune.steps[PICTURE])[RUNS // 2]
        for runs in tunes.values()
    ]


def main() -> None:
    Gst.init(None)
    options = arguments()
    for name in ELEMENTS:
        if Gst.ElementFactory.find(name) is None:
            give_up(
                f"GStreamer has no `{name}`: install the plugin,"
                " or name its folder in GST_PLUGIN_PATH"
            )
    headend, folder = options.headend, options.folder
    medians = median_tunes(headend)
    played, rejected, failed = (
        KeyRequestRun(headend, revocations).play()
        for revocations in [0, 1, ALL]
    )
    hls = hls_run.play_all(headend)
    # All of them, or none.
    PipelinePicture(medians[0].links).write(folder / "pipeline.svg")
    TimelinePicture(medians).write(folder / "timeline.svg")
    key_request.write_key_request(played, folder / "key-request.svg")
    key_request.write_rejected_token(
        rejected, failed, folder / "rejected-token.svg"
    )
    HlsPicture(hls).write(folder / "hls.svg")


if __name__ == "__main__":
    main()
