#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Looks at the documents' site in a browser.

Each page is shown in light and dark, on a screen, on one that has room for the
sidebar, and on a phone. All links have to lead somewhere, all text has to be
readable and nothing may stick out. `scripts/site_check.js` measures that.
`scripts/test-site` runs it.
"""

import argparse
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait
except ImportError as error:
    sys.exit(
        f"site: {error}. {sys.executable} needs Selenium: on Debian install"
        " python3-selenium, which is for /usr/bin/python3."
    )

# What is searched for.
WORD = "rotation"

# Seconds, far longer than any page takes.
PATIENCE = 30


@dataclass(frozen=True)
class View:
    """What a page is shown on."""

    name: str
    width: int
    is_dark: bool

    @property
    def is_phone(self) -> bool:
        return self.name == "phone"

    def __str__(self) -> str:
        theme = "dark" if self.is_dark else "light"
        return f"{self.name}, {self.width} px, {theme}"


VIEWS = [
    View(name, width, is_dark)
    for name, width in (("screen", 1000), ("sidebar", 1080), ("phone", 390))
    for is_dark in (False, True)
]


@dataclass
class Report:
    """What was checked, and what is wrong in which views."""

    passed: int = 0
    failed: int = 0
    failures: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def add(self, page: str, view: View | None, problems: list[str]) -> None:
        """One check of one page."""
        if problems:
            self.failed += 1
        else:
            self.passed += 1
        # A picture that was asked for twice is one problem.
        for problem in dict.fromkeys(problems):
            views = self.failures.setdefault((page, problem), [])
            if view is not None:
                views.append(str(view))

    def __str__(self) -> str:
        lines = []
        for (page, problem), views in sorted(self.failures.items()):
            lines += [f"{page}: {problem}", *(f"    {view}" for view in views)]
        lines.append(f"{self.passed} passed, {self.failed} failed")
        return "\n".join(lines)


class Browser:
    """Chromium without a window."""

    def __init__(self) -> None:
        options = webdriver.ChromeOptions()
        for argument in (
            "--headless=new",
            # Root has no sandbox, and containers little shared memory.
            "--no-sandbox",
            "--disable-dev-shm-usage",
        ):
            options.add_argument(argument)
        logs = {"browser": "ALL", "performance": "ALL"}
        options.set_capability("goog:loggingPrefs", logs)
        self._driver = webdriver.Chrome(
            options=options, service=Service("chromedriver")
        )
        self._driver.set_page_load_timeout(PATIENCE)
        script = Path(__file__).with_suffix(".js")
        self._script = script.read_text(encoding="utf-8")

    def quit(self) -> None:
        self._driver.quit()

    def set_view(self, view: View) -> None:
        # A window cannot be as narrow as a phone.
        self._driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {
                "width": view.width,
                "height": 844,
                "deviceScaleFactor": 1,
                "mobile": view.is_phone,
            },
        )
        scheme = "dark" if view.is_dark else "light"
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self._driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [feature]}
        )

    def show(self, url: str) -> None:
        self._driver.get(url)

    def call(self, function: str, *arguments: object) -> object:
        """Calls a function of the script in the page."""
        code = f"{self._script}\nreturn {function}(...arguments);"
        return self._driver.execute_script(code, *arguments)

    def errors(self) -> list[str]:
        """What came to the console since the last call."""
        return [
            f"error: {entry['message']}"
            for entry in self._driver.get_log("browser")
            if entry["level"] == "SEVERE"
        ]

    def requests(self) -> list[str]:
        """The URLs that were asked for since the last call."""
        messages = (
            json.loads(entry["message"])["message"]
            for entry in self._driver.get_log("performance")
        )
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]

    def click(self, selector: str) -> None:
        self._driver.find_element(By.CSS_SELECTOR, selector).click()

    def type(self, selector: str, text: str) -> None:
        self._driver.find_element(By.CSS_SELECTOR, selector).send_keys(text)

    def links_when_there(self, selector: str) -> list[str]:
        """Waits until there are such links."""
        found = WebDriverWait(self._driver, PATIENCE).until(
            lambda driver: driver.find_elements(By.CSS_SELECTOR, selector),
            f"there is no {selector}",
        )
        return [link.get_property("href") for link in found]

    def text(self) -> str:
        return self._driver.find_element(By.TAG_NAME, "main").text


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serves the folder on a free port of this machine."""
    handler = partial(QuietHandler, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()


class Check:
    """Looks at all pages of a site."""

    def __init__(self, folder: Path, origin: str, browser: Browser) -> None:
        self._folder = folder
        self._origin = origin
        self._browser = browser
        self.report = Report()
        self.pages = sorted(
            path.relative_to(folder).as_posix()
            for path in folder.rglob("*.html")
            # The sidebar of browsers without JavaScript.
            if path.name != "toc.html"
        )
        self._ids: dict[str, set[str]] = {}
        self._links: dict[str, set[str]] = {page: set() for page in self.pages}

    @property
    def links(self) -> int:
        return sum(map(len, self._links.values()))

    def check_pages(self) -> None:
        for view in VIEWS:
            self._browser.set_view(view)
            for page in self.pages:
                self._check_page(page, view)

    def _check_page(self, page: str, view: View) -> None:
        self._browser.show(self._origin + page)
        seen = self._browser.call("look", view.is_phone)
        assert isinstance(seen, dict)
        for problems in seen["problems"].values():
            self.report.add(page, view, problems)
        self._ids[page] = set(seen["ids"])
        self._links[page] |= set(seen["links"])
        self._check_logs(page, view)

    def _check_logs(self, page: str, view: View) -> None:
        self.report.add(page, view, self._browser.errors())
        others = [
            f"asks another host: {url}"
            for url in self._browser.requests()
            if not url.startswith((self._origin, "file:", "data:"))
        ]
        self.report.add(page, view, others)

    def check_links(self) -> None:
        """Once all pages were seen, with what is in them."""
        for page, links in self._links.items():
            dead = [link for link in sorted(links) if not self._leads(link)]
            problems = [f"leads nowhere: {link}" for link in dead]
            self.report.add(page, None, problems)

    def _leads(self, link: str) -> bool:
        if not link.startswith(self._origin):
            parts = urlsplit(link)
            return parts.scheme in ("http", "https") and bool(parts.hostname)
        url, anchor = urldefrag(link)
        page = unquote(url.removeprefix(self._origin)) or "index.html"
        if not (self._folder / page).is_file():
            return False
        return not anchor or unquote(anchor) in self._ids.get(page, set())

    def check_search(self) -> None:
        """With the server and without, and what is shown meanwhile."""
        local = self._folder.resolve().as_uri() + "/"
        for view in VIEWS:
            self._search("search", self._origin, view)
            self._search("search without a server", local, view)

    def _search(self, what: str, origin: str, view: View) -> None:
        browser = self._browser
        browser.set_view(view)
        browser.show(f"{origin}index.html")
        browser.click("#mdbook-search-toggle")
        self._check_contrast(what, view)
        browser.type("#mdbook-searchbar", WORD)
        links = browser.links_when_there("#mdbook-searchresults a")
        self._check_contrast(what, view)
        browser.show(links[0])
        self._check_contrast(what, view)
        is_found = WORD in browser.text().lower()
        problems = [] if is_found else [f"{links[0]} is not about {WORD}"]
        self.report.add(what, view, problems)
        self._check_logs(what, view)

    def check_menus(self) -> None:
        for view in VIEWS:
            self._browser.set_view(view)
            self._browser.show(f"{self._origin}index.html")
            is_open = self._browser.call("hasSidebar")
            is_wrong = is_open != (view.name == "sidebar")
            problems = [f"open: {is_open}"] if is_wrong else []
            self.report.add("sidebar", view, problems)
            self._browser.click("#mdbook-theme-toggle")
            self._check_contrast("themes", view)

    def _check_contrast(self, what: str, view: View) -> None:
        problems = self._browser.call("contrast")
        assert isinstance(problems, list)
        self.report.add(what, view, problems)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the site")
    folder = parser.parse_args().folder
    browser = Browser()
    try:
        with serve(folder) as origin:
            check = Check(folder, origin, browser)
            check.check_pages()
            check.check_links()
            check.check_search()
            check.check_menus()
    finally:
        browser.quit()
    print(
        f"{len(check.pages)} pages were shown in {len(VIEWS)} views,"
        f" and {check.links} links followed."
    )
    print(check.report)
    sys.exit(bool(check.report.failed))


if __name__ == "__main__":
    main()
