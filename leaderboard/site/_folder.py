"""The folder of the site: nothing in it is half written, and nothing that others put there is touched."""

from __future__ import annotations

import re
import secrets
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from mitobench.errors import UnusableFileError
from mitobench.files import check_new_folder, making_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mitobench.types import PathOrStr

__all__ = ["MARKER", "check_site_folder", "write_site"]

MARKER = ".mitobench-site"
"""A file in the folder of a site, which lists the pages in it."""
_PAGE = re.compile(r"(methods/[a-z0-9-]+/)?[a-z0-9-]+\.html")


def check_site_folder(path: PathOrStr) -> Path:
    """Return the path if a site can be written there: a new folder, an empty one, or one that holds a site.

    Raises
    ------
    UnusableFileError
        The folder around it is absent, the path is a file, or the folder holds something else.
    """
    folder = check_new_folder(path)
    other = _foreign(folder)
    if other is not None:
        raise UnusableFileError(
            f"cannot write the site to {folder}: it holds {other!r} and is no site that mitobench made; name a new or "
            "an empty folder"
        )
    return folder


def write_site(pages: Mapping[str, str], path: PathOrStr) -> None:
    """Write the pages of a site, and remove those of the site that was there before.

    The pages are written to a temporary folder first and then moved, those that others link to before those that link
    to them. So whatever happens meanwhile, there is a site to read: the old one, the new one, or the old one with some
    pages that are new already. Files that are no pages of ours stay, such as the ``CNAME`` of a host.

    Parameters
    ----------
    pages
        Path from the folder -> text.
    path
        Of the folder, made if it is not there.

    Raises
    ------
    UnusableFileError
        The folder cannot be used, see `check_site_folder`, or a file cannot be written.
    """
    folder = check_site_folder(path)
    try:
        with making_folder(folder), _workplace(folder) as temporary:
            old = _listed(folder)
            _write(temporary, {**pages, MARKER: _marker({*pages, *old})})
            for name in (MARKER, *sorted(pages, key=_linked_first)):
                _move(temporary / name, folder / name)
            for name in sorted(old - set(pages)):
                _remove(folder, name)
            _write(temporary, {MARKER: _marker(pages)})
            _move(temporary / MARKER, folder / MARKER)
    except OSError as error:
        if isinstance(error, UnusableFileError):
            raise
        reason = error.strerror or str(error)
        raise UnusableFileError(
            f"cannot write the site to {folder}: {reason}; free space or name another folder"
        ) from error


def _foreign(folder: Path) -> str | None:
    """Return the first name in a folder that tells that it is no site; None for a site, or no files."""
    try:
        if not folder.is_dir() or (folder / MARKER).is_file():
            return None
        return min((found.name for found in folder.iterdir() if not found.name.startswith(MARKER)), default=None)
    except OSError as error:
        raise UnusableFileError(f"cannot write the site to {folder}: {error.strerror}; name another folder") from error


@contextmanager
def _workplace(folder: Path) -> Iterator[Path]:
    """Yield a new folder in the folder, on the same file system whatever is mounted there; it is gone afterwards."""
    for left in folder.glob(f"{MARKER}.*"):
        shutil.rmtree(left, ignore_errors=True)
    temporary = folder / f"{MARKER}.{secrets.token_hex(4)}"
    try:
        temporary.mkdir()
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _listed(folder: Path) -> set[str]:
    """Return the pages that the marker speaks of, and nothing else that a hand may have written there."""
    try:
        lines = (folder / MARKER).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return set()
    return {line for line in lines if _PAGE.fullmatch(line)}


def _marker(names: Iterable[str]) -> str:
    return "".join(f"{name}\n" for name in sorted(names))


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8", newline="")


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)


def _remove(folder: Path, name: str) -> None:
    """Remove a page, and the folders that it leaves empty."""
    (folder / name).unlink(missing_ok=True)
    for parent in PurePosixPath(name).parents[:-1]:
        with suppress(OSError):
            (folder / parent).rmdir()


def _linked_first(name: str) -> tuple[bool, bool, str]:
    return "/" not in name, name == "index.html", name
