"""The folder in which a conversion works until it is complete."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mitobench.dataset.conversion._journal import locked
from mitobench.errors import MitobenchError, UnusableFileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["JOURNAL", "check_target", "explained", "is_empty", "working_in"]

JOURNAL = "journal.jsonl"
_LOCK = "lock"


def check_target(target: Path, *, resume: bool) -> Path:
    """Return the folder to work in, if the target can be made.

    Raises
    ------
    UnusableFileError
        The folder around the target is absent or cannot be written to, or the target exists.
    """
    around, folder = target.parent, target.with_name(f"{target.name}.partial")
    if not around.is_dir():
        raise UnusableFileError(f"cannot write {target}: the folder {around} does not exist; create it first")
    if not os.access(around, os.W_OK):
        raise UnusableFileError(f"cannot write {target}: no permission to write in the folder {around}")
    if target.exists() and resume and not (folder / JOURNAL).exists():
        raise UnusableFileError(
            f"cannot write {target}: it exists already; name another target, or replace it (resume=False, --restart)"
        )
    if folder.exists() and not (folder.is_dir() and _is_ours(folder)):
        raise UnusableFileError(
            f"cannot write {target}: {folder} is in the way, and no conversion made it; move it away"
        )
    return folder


def _is_ours(folder: Path) -> bool:
    names = {entry.name for entry in folder.iterdir()}
    return JOURNAL in names or names <= {_LOCK}


def is_empty(folder: Path) -> bool:
    """Tell whether nothing was done in the folder."""
    return {entry.name for entry in folder.iterdir()} <= {JOURNAL, _LOCK}


@contextmanager
def working_in(folder: Path, *, resume: bool) -> Iterator[None]:
    """Make the folder, and keep other processes out of it; take it away when the work is complete, or never began.

    Raises
    ------
    UnusableFileError
        It cannot be made, or another process works in it.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UnusableFileError(f"cannot make {folder}: {error.strerror}; name another folder") from error
    with locked(folder / _LOCK, f"cannot work in {folder}"):
        if not resume:
            for entry in folder.iterdir():
                if entry.name != _LOCK:
                    _remove(entry)
        try:
            yield
        except BaseException:
            if not (folder / JOURNAL).exists():
                shutil.rmtree(folder)
            raise
        shutil.rmtree(folder)


def _remove(entry: Path) -> None:
    if entry.is_dir():
        shutil.rmtree(entry)
    else:
        entry.unlink()


@contextmanager
def explained(target: Path, folder: Path) -> Iterator[None]:
    """Turn a full disk into one line, and say that what is done is kept.

    Raises
    ------
    UnusableFileError
        Reading or writing failed.
    """
    try:
        yield
    except UnusableFileError as error:
        raise UnusableFileError(f"{error}; {_kept(folder)}") from error
    except OSError as error:
        if isinstance(error, MitobenchError):
            raise
        reason = error.strerror or str(error)
        raise UnusableFileError(f"cannot write {target}: {reason}; make room on the disk; {_kept(folder)}") from error


def _kept(folder: Path) -> str:
    return f"what is done is kept in {folder}, and the same command goes on with it"
