# SPDX-License-Identifier: MIT OR Apache-2.0
"""The pictures of the documentation: runs that are watched, and drawings.

* `tune.py`, `key_request_run.py` and `hls_run.py` play, and note what happens.
* `pipeline.py`, `timeline.py`, `key_request.py`, `rejected_token.py` and
  `hls.py` draw it, a picture each.
* `svg.py` has what pictures are made of, `sequence.py` a sequence diagram.
* `gstreamer.py` and `headend.py` are what runs need.
"""
