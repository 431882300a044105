#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Lays the documents out for mdBook.

The folder gets all documents where they are in the repository, so that the
links between them hold, the pictures that they show, and `SUMMARY.md`, which
has the groups of the README's list of documents. Other files that documents
link to become pages below `sources/`. `scripts/site` runs it.
"""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import NoReturn

README = PurePosixPath("README.md")
DOCS = PurePosixPath("docs")
SOURCES = PurePosixPath("sources")

# The heading of the README's list, and how each group of it begins.
LIST = "## Documents"
GROUP = re.compile(r"\* \*\*(?P<name>[^*]+):\*\*")

# The target of a link or a picture in Markdown.
TARGET = re.compile(r"(?<=\]\()[^)\s]+(?=\))")
FENCE = re.compile(r"\s*(?P<marks>```+|~~~+)")

PICTURES = {".svg"}

# Folders that builds make.
BUILT = {"__pycache__", "build", "target"}

MAN_PAGES = PurePosixPath("docs/man")

# To plain text, of 90 columns and without hyphens at their ends.
GROFF = "groff -t -man -Tutf8 -rLL=90n -rHY=0 -P-c -P-b -P-u".split()

# What highlight.js calls the language of a file.
LANGUAGES = {".c": "c", ".h": "c", ".py": "python", ".rs": "rs"}


def give_up(text: str) -> NoReturn:
    sys.exit(f"site: {text}")


def find_files(root: Path, below: PurePosixPath) -> list[PurePosixPath]:
    """All files below a folder of the repository, but what was built."""
    found = []
    for folder, folders, files in os.walk(root / below):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and name not in BUILT
        ]
        here = PurePosixPath(Path(folder).relative_to(root).as_posix())
        found += [here / name for name in files]
    return sorted(found)


def rewrite_targets(text: str, rewrite: Callable[[str], str]) -> str:
    """Replaces the targets of links, outside blocks of code."""
    prose: list[str] = []
    done: list[str] = []
    fence = None

    def flush() -> None:
        # A link may have several lines.
        paragraph = "".join(prose)
        done.append(TARGET.sub(lambda found: rewrite(found[0]), paragraph))
        prose.clear()

    for line in text.splitlines(keepends=True):
        marks = FENCE.match(line)
        if fence is None and marks is None:
            prose.append(line)
            continue
        flush()
        done.append(line)
        if fence is None:
            fence = marks["marks"] if marks else None
        elif line.strip() == fence:
            fence = None
    flush()
    return "".join(done)


def title_of(text: str) -> str:
    for line in text.splitlines():
        if line.startswith("# "):
            return line.removeprefix("# ").strip()
    give_up(f"a document without a heading: {text[:80]!r}")


def groups_of(readme: str) -> dict[str, list[PurePosixPath]]:
    """The README's list: documents by group, each in the first that has it."""
    _, heading, after = readme.partition(f"\n{LIST}\n")
    if not heading:
        give_up(f"{README} has no list `{LIST}`")
    after, _, _ = after.strip().partition("\n## ")
    groups: dict[str, list[PurePosixPath]] = {}
    placed: set[PurePosixPath] = set()
    for item in re.split(r"\n(?=\* )", after):
        group = GROUP.match(item.strip())
        if group is None:
            continue
        documents = groups.setdefault(group["name"], [])
        for target in TARGET.findall(item):
            path = PurePosixPath(target)
            # With an anchor it is a part of a document.
            if "#" not in target and path not in placed:
                placed.add(path)
                documents.append(path)
    return {name: paths for name, paths in groups.items() if paths}


def read_man_page(path: Path) -> str:
    """As `man` shows it."""
    try:
        text = subprocess.check_output([*GROFF, path], encoding="utf-8")
    except (OSError, subprocess.CalledProcessError) as error:
        give_up(f"{path}: {error}")
    return text.strip("\n")


class Site:
    """What goes into the folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._documents = {
            path: (root / path).read_text(encoding="utf-8")
            for path in find_files(root, PurePosixPath())
            if path.suffix == ".md"
        }
        self._pictures: set[PurePosixPath] = set()
        # Pages by what they show: files and folders of the repository.
        self._sources: dict[PurePosixPath, str] = {}

    def write(self, folder: Path) -> None:
        pages = {
            path: rewrite_targets(text, self._rewriter(path))
            for path, text in self._documents.items()
        }
        # Now it is known what they link to.
        pages[SOURCES / "index.md"] = self._list("Sources", self._sources)
        for path, text in self._sources.items():
            pages[self._page_of(path)] = text
        pages[PurePosixPath("SUMMARY.md")] = self._summary()
        for path, text in pages.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
        for path in self._pictures:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes((self._root / path).read_bytes())

    def _rewriter(self, document: PurePosixPath) -> Callable[[str], str]:
        """Where the links of a document lead in the site."""

        def rewrite(target: str) -> str:
            file, mark, anchor = target.partition("#")
            if not file or ":" in file:
                return target
            path = PurePosixPath(os.path.normpath(document.parent / file))
            if path in self._documents:
                return target
            if path.suffix in PICTURES:
                self._pictures.add(path)
                return target
            self._add_source(path)
            page = os.path.relpath(self._page_of(path), document.parent)
            return f"{page}{mark}{anchor}"

        return rewrite

    def _page_of(self, path: PurePosixPath) -> PurePosixPath:
        """The page of a file or a folder."""
        if path in self._documents:
            return path
        if (self._root / path).is_dir():
            return SOURCES / path / "index.md"
        return SOURCES / f"{path}.md"

    def _add_source(self, path: PurePosixPath) -> None:
        if path in self._sources:
            return
        if (self._root / path).is_dir():
            found = find_files(self._root, path)
            files = [file for file in found if self._is_text(file)]
            self._sources[path] = self._list(f"`{path}`", files, path)
            for file in files:
                if file not in self._documents:
                    self._add_source(file)
        elif self._is_text(path):
            self._sources[path] = self._listing(path)
        else:
            give_up(f"a document links to {path}, which cannot be shown")

    def _is_text(self, path: PurePosixPath) -> bool:
        try:
            (self._root / path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return False
        return True

    def _list(
        self,
        title: str,
        paths: list[PurePosixPath] | dict[PurePosixPath, str],
        folder: PurePosixPath = PurePosixPath(),
    ) -> str:
        """A page with links to those of files and folders."""
        here = SOURCES / folder
        lines = [f"# {title}", ""]
        for path in sorted(paths):
            page = os.path.relpath(self._page_of(path), here)
            lines.append(f"* [`{path.relative_to(folder)}`]({page})")
        return "\n".join(lines) + "\n"

    def _listing(self, path: PurePosixPath) -> str:
        """A page with the text of a file."""
        if path.parent == MAN_PAGES:
            text = read_man_page(self._root / path)
        else:
            text = (self._root / path).read_text(encoding="utf-8")
        marks = "`" * (max(map(len, re.findall("`+", text)), default=0) + 3)
        language = LANGUAGES.get(path.suffix, "text")
        return f"# `{path}`\n\n{marks}{language},source\n{text}\n{marks}\n"

    def _summary(self) -> str:
        titles = {
            path: title_of(text) for path, text in self._documents.items()
        }
        groups = groups_of(self._documents[README])
        placed = {path for paths in groups.values() for path in paths}
        others = [path for path in titles if path not in {README, *placed}]
        for path in others:
            if path.parent in (DOCS, PurePosixPath()):
                give_up(f"{path} is not in the list of {README}: `{LIST}`")
        lines = ["# Summary", "", f"[{titles[README]}]({README})"]
        for group, paths in groups.items():
            lines += ["", f"# {group}", ""]
            lines += [f"- [{titles[path]}]({path})" for path in paths]
        lines += ["", "# Files", ""]
        lines += [f"- [{titles[path]}]({path})" for path in others]
        lines.append(f"- [Sources]({SOURCES / 'index.md'})")
        for path in sorted(self._sources):
            lines.append(f"  - [{path}]({self._page_of(path)})")
        return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, help="the repository")
    parser.add_argument("folder", type=Path, help="where mdBook looks")
    arguments = parser.parse_args()
    Site(arguments.root).write(arguments.folder)


if __name__ == "__main__":
    main()
