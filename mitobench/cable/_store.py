"""Measured cable lengths beside the ground truth, for the next run; valid for one content and one way of measuring."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitobench.cable._table import read_cable_lengths
from mitobench.errors import InvalidInputError, UnusableFileError
from mitobench.files import replacing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mitobench.types import PathOrStr

__all__ = ["load_cable_lengths", "save_cable_lengths"]

_FINGERPRINT = "# fingerprint: "
_SETTINGS = "# settings: "
_END = "# end"


def load_cable_lengths(path: PathOrStr, *, fingerprint: str, settings: Mapping[str, Any]) -> dict[int, float] | None:
    """Return the lengths that `save_cable_lengths` wrote for this ground truth, or None where they must be measured.

    Parameters
    ----------
    path
        The file, a CSV that `read_cable_lengths` reads too.
    fingerprint
        Hash of the ground truth's content.
    settings
        How the lengths are measured: the keyword arguments ``anisotropy`` and ``voxel_size`` of
        `mitobench.cable.cable_lengths`. The version of kimimaro is compared too where it is installed.

    Returns
    -------
    dict or None
        nm by ground-truth id, the very numbers that were saved. None if the file is absent, or was written for another
        content, by other settings or by another version of kimimaro.

    Raises
    ------
    UnusableFileError
        The file is damaged, or not one of these.
    """
    path = Path(path)
    if not path.exists():
        return None
    lines = _lines(path)
    found = _field(lines, _FINGERPRINT), _field(lines, _SETTINGS)
    if found[0] is None or found[1] is None:
        raise UnusableFileError(
            f"{path}: not a file of measured cable lengths, it lacks fingerprint or settings; name another file, or "
            "give this one as the table of lengths"
        )
    if found[0] != fingerprint or not _same_settings(path, found[1], settings):
        return None
    return _read_whole(path, lines)


def save_cable_lengths(
    path: PathOrStr, lengths: Mapping[int, float], *, fingerprint: str, settings: Mapping[str, Any]
) -> None:
    """Write lengths to a CSV file, with the content and the settings that they are valid for.

    Parameters
    ----------
    path
        The file; its folder must be there. A file of this name is replaced.
    lengths
        nm by ground-truth id.
    fingerprint, settings
        As in `load_cable_lengths`.

    Raises
    ------
    UnusableFileError
        The file cannot be written.
    """
    lines = [
        "# cable lengths of the ground truth, measured by mitobench",
        f"{_FINGERPRINT}{fingerprint}",
        f"{_SETTINGS}{json.dumps(_with_version(settings))}",
        "id,length_nm",
        *(f"{instance},{float(length)!r}" for instance, length in sorted(lengths.items())),
        _END,
    ]
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableFileError(f"{path}: cannot be read ({error}); name another file, or delete this one") from error


def _field(lines: list[str], name: str) -> str | None:
    return next((line.removeprefix(name) for line in lines if line.startswith(name)), None)


def _same_settings(path: Path, text: str, settings: Mapping[str, Any]) -> bool:
    try:
        stored = json.loads(text)
    except ValueError as error:
        raise _damaged(path, f"the settings are not JSON: {error}") from error
    wanted = json.loads(json.dumps(_with_version(settings)))
    # Where kimimaro is not installed nothing newer can be measured, and the file was written where it was.
    if isinstance(stored, dict) and wanted["kimimaro"] is None:
        wanted["kimimaro"] = stored.get("kimimaro")
    return bool(stored == wanted)


def _with_version(settings: Mapping[str, Any]) -> dict[str, Any]:
    try:
        version: str | None = metadata.version("kimimaro")
    except metadata.PackageNotFoundError:
        version = None
    return {**settings, "kimimaro": version}


def _read_whole(path: Path, lines: list[str]) -> dict[int, float]:
    if lines[-1] != _END:
        raise _damaged(path, "its end is missing")
    try:
        return read_cable_lengths(path)
    except InvalidInputError as error:
        raise _damaged(path, str(error).removeprefix(f"{path}: ")) from error


def _damaged(path: Path, reason: str) -> UnusableFileError:
    return UnusableFileError(
        f"{path}: the stored cable lengths are damaged ({reason}); delete the file to measure anew"
    )
