"""Write a file so that its final name only ever holds a whole one."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mitobench.errors import MitobenchError, UnusableFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mitobench.types import PathOrStr

__all__ = ["check_new_folder", "check_output_folder", "creating", "making_folder", "replacing"]


def check_output_folder(path: PathOrStr) -> Path:
    """Return the path if a file can be written there, so that hours of work are not lost for a missing folder.

    Raises
    ------
    UnusableFileError
        The folder is absent or not writable, or the path is itself a folder.
    """
    path = Path(path)
    folder = path.parent
    if not folder.is_dir():
        raise UnusableFileError(f"cannot write {path}: the folder {folder} does not exist; create it first")
    if path.is_dir():
        raise UnusableFileError(f"cannot write {path}: it is a folder; name a file")
    if path.exists() and not path.is_file():
        raise UnusableFileError(f"cannot write {path}: it is a device or a pipe, which would be replaced; name a file")
    if not os.access(folder, os.W_OK):
        raise UnusableFileError(f"cannot write {path}: no permission to write in the folder {folder}")
    return path


@contextmanager
def replacing(path: PathOrStr) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it there when the block succeeds, delete it when it fails."""
    path = check_output_folder(path)
    with _written_beside(path) as temporary:
        yield temporary
        temporary.replace(path)


@contextmanager
def creating(path: PathOrStr) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` and give it that name when the block succeeds; no file is ever replaced.

    Of several that create the same file at once, one wins and the others get the error.

    Raises
    ------
    UnusableFileError
        The file is there, caused by FileExistsError, or it cannot be written.
    """
    path = check_output_folder(path)
    with _written_beside(path) as temporary:
        yield temporary
        try:
            # Unlike a rename, a link fails where there is a file of this name.
            os.link(temporary, path)
        except FileExistsError as error:
            raise UnusableFileError(f"cannot write {path}: it is there already; name another file") from error


@contextmanager
def _written_beside(path: Path) -> Iterator[Path]:
    """Yield a hidden path beside another one, where nothing is left at the end; errors speak of the other one."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
    except OSError as error:
        if isinstance(error, MitobenchError):
            raise
        reason = error.strerror or str(error)
        raise UnusableFileError(f"cannot write {path}: {reason}; free space or name another folder") from error
    finally:
        temporary.unlink(missing_ok=True)


def check_new_folder(path: PathOrStr) -> Path:
    """Return the path if it is a folder or one can be made there.

    Raises
    ------
    UnusableFileError
        The folder around it is absent, or the path is a file.
    """
    folder = Path(path)
    if not folder.parent.is_dir():
        raise UnusableFileError(f"cannot make {folder}: the folder {folder.parent} does not exist; create it first")
    if folder.exists() and not folder.is_dir():
        raise UnusableFileError(f"cannot make {folder}: File exists; name another folder")
    return folder


@contextmanager
def making_folder(path: PathOrStr) -> Iterator[Path]:
    """Make a folder where there is none, and take it away again if the block fails and it is still empty."""
    folder = check_new_folder(path)
    there = folder.is_dir()
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UnusableFileError(f"cannot make {folder}: {error.strerror}; name another folder") from error
    try:
        yield folder
    except BaseException:
        if not there:
            with suppress(OSError):
                folder.rmdir()
        raise
