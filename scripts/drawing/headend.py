# SPDX-License-Identifier: MIT OR Apache-2.0
"""The head-end that the pipelines play from (`tests/headend`), and what was
requested of its services."""

import urllib.request
from dataclasses import dataclass

from .gstreamer import give_up

TOKEN, LICENSE = "token", "license"

# No proxy of the environment is asked for what is on this machine.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Request:
    """A request to the auth service or to the license server."""

    service: str
    # When it came and when it was answered, in µs since 1970.
    asked: int
    answered: int
    status: int


class Headend:
    """By its URL, without a path."""

    def __init__(self, origin: str) -> None:
        self._origin = origin.rstrip("/")

    def url(self, path: str) -> str:
        return self._origin + path

    @property
    def auth_service(self) -> str:
        return self.url("/authService/getSessionToken")

    @property
    def license_server(self) -> str:
        return self.url("/license")

    @property
    def manifest(self) -> str:
        return self.url("/dash/cenc/manifest.mpd")

    def revoke(self) -> None:
        """The tokens granted so far are rejected from now on."""
        fetch(self.url("/revoke"), data=b"")

    def requests(self) -> list[Request]:
        """All for tokens and licenses, in order of arrival."""
        lines = fetch(self.url("/record")).decode().splitlines()
        times = fetch(self.url("/record/timeline")).decode().splitlines()
        services = [TOKEN, LICENSE]
        # A line each, in the same order; the timeline has media besides.
        said = [one.split() for one in lines if one.split()[0] in services]
        told = [one.split() for one in times if one.split()[1] in services]
        requests = []
        for words, (at, service, *took) in zip(said, told, strict=True):
            if words[0] != service or not took:
                give_up("the record of the head-end is not as expected")
            asked = int(at)
            answered = asked + int(took[0])
            requests.append(Request(service, asked, answered, int(words[-1])))
        return requests


def fetch(url: str, data: bytes | None = None) -> bytes:
    """GET, or POST where there is data."""
    with OPENER.open(url, data, timeout=20) as response:
        return response.read()
