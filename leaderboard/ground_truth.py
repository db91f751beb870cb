"""The ground truth of a challenge in a folder: found by name, checked, and called so that no private path gets out."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import warnings
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitobench.errors import InputWarning, InvalidInputError, MitobenchError, UnusableFileError
from mitobench.volumes import SectionRange, open_labels

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np

    from leaderboard.challenge import Challenge, ChallengeVolume
    from mitobench.types import AnyArray, Box, LabelVolume, PathOrStr, RawChunks, Shape

__all__ = ["Called", "GroundTruth", "GroundTruthError", "cable_options", "open_ground_truth"]

_NOT_VOLUMES = {".csv", ".json", ".md", ".toml", ".txt"}
"""What else may lie in the folder."""
_MEASURED = "# fingerprint: "
"""A line of the files in which mitobench keeps the cable lengths that it measured."""


class GroundTruthError(InvalidInputError):
    """The ground truth cannot be used, which no change of the submission will mend."""


@dataclass(frozen=True, eq=False)
class Called:
    """A volume under another name. Closing it closes the volume.

    Attributes
    ----------
    volume
        The volume.
    name
        How messages and reports call it.
    """

    volume: LabelVolume
    name: str

    @property
    def shape(self) -> Shape:
        """Voxels along z, y, x."""
        return self.volume.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the voxels."""
        return self.volume.dtype

    @property
    def chunks(self) -> Shape:
        """Chunks of the volume."""
        return self.volume.chunks

    @property
    def raw(self) -> RawChunks | None:
        """Where the chunks lie."""
        return self.volume.raw

    def read(self, box: Box) -> AnyArray:
        """Return the voxels of the box."""
        return self.volume.read(box)

    def close(self) -> None:
        """Close the volume."""
        self.volume.close()


@dataclass(frozen=True)
class GroundTruth:
    """The open ground truth of a challenge.

    Attributes
    ----------
    folder
        That holds it.
    volumes
        Of each volume of the challenge, by its name: as large as a prediction, and called ``ground truth of NAME``.
    files
        Where they lie.
    """

    folder: Path
    volumes: Mapping[str, LabelVolume]
    files: Mapping[str, Path]

    @contextmanager
    def blamed(self, *also: Path) -> Iterator[None]:
        """Tell errors of the ground truth, or of other files that belong to it, from those of a submission."""
        causes = (*(volume.name for volume in self.volumes.values()), *map(str, (*self.files.values(), *also)))
        try:
            yield
        except MitobenchError as error:
            if str(error).startswith(causes):
                raise GroundTruthError(str(error)) from error
            raise


@contextmanager
def open_ground_truth(folder: PathOrStr, challenge: Challenge) -> Iterator[GroundTruth]:
    """Open the ground truth of every volume of a challenge.

    Parameters
    ----------
    folder
        Holds one file or folder for each volume, in any format of `mitobench.volumes.open_labels`, with its key or its
        name in the name: ``human.h5``, ``MitoEM-H-test.zarr``, ``EM30-R-mito-test-v2``.
    challenge
        Says how large a prediction is. A ground truth of the whole volume is cut to the sections to predict.

    Raises
    ------
    GroundTruthError
        There is none or more than one for a volume, or one cannot be used or has another shape.
    """
    files = {volume.name: _find(Path(folder), volume) for volume in challenge.volumes}
    with ExitStack() as stack:
        volumes = {name: _open(name, file, challenge, stack) for name, file in files.items()}
        yield GroundTruth(Path(folder), volumes, files)


def _open(name: str, file: Path, challenge: Challenge, stack: ExitStack) -> LabelVolume:
    try:
        volume = stack.enter_context(closing(open_labels(file)))
    except MitobenchError as error:
        raise GroundTruthError(str(error)) from error
    called = f"ground truth of {name}"
    first, depth = challenge.first_section, challenge.shape[0]
    whole = (first + depth, *challenge.shape[1:])
    if volume.shape == challenge.shape:
        return Called(volume, called)
    if volume.shape == whole:
        return Called(SectionRange(volume, first, first + depth), called)
    raise GroundTruthError(
        f"{file}: the {called} has the shape {volume.shape}; expected {challenge.shape}, or {whole} for the whole "
        "volume; export those sections"
    )


def _find(folder: Path, volume: ChallengeVolume) -> Path:
    """Return the one file or folder whose name holds a name of the volume."""
    names = [volume.key, volume.name.lower(), volume.name.lower().replace("mitoem", "em30")]
    pattern = re.compile(rf"(?<![a-z0-9])({'|'.join(map(re.escape, dict.fromkeys(names)))})(?![a-z0-9])")
    there = _listed(folder)
    found = [path for path in there if pattern.search(path.name.lower().replace("_", "-"))]
    if len(found) == 1:
        return found[0]
    listing = ", ".join(path.name for path in there) or "nothing"
    raise GroundTruthError(
        f"{folder}: {len(found) or 'no'} files or folders are named as ground truth of {volume.name}; expected one "
        f"with {' or '.join(names)} in its name; the folder holds {listing}"
    )


def _listed(folder: Path) -> list[Path]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise GroundTruthError(
            f"{folder}: the ground truth cannot be listed ({error.strerror}); name the folder that holds it"
        ) from error
    return [path for path in paths if not path.name.startswith(".") and path.suffix.lower() not in _NOT_VOLUMES]


@contextmanager
def cable_options(
    folder: PathOrStr, challenge: Challenge, *, keep: PathOrStr | None = None
) -> Iterator[dict[str, dict[str, Path]]]:
    """Yield what `mitobench.evaluate.Pair` has to know of the cable lengths of each volume of a challenge.

    The lengths lie in ``KEY_cable_lengths.csv``: a table of ids and lengths is taken as it is; one that mitobench
    measured is only taken for the very ground truth that it was measured on. Where there is none, lengths are measured
    and kept in a file of this name.

    Parameters
    ----------
    folder
        Of the ground truth.
    challenge
        Says which volumes there are.
    keep
        Where the tables lie instead; needed where nothing can be written beside the ground truth.

    Yields
    ------
    dict
        Name of the volume -> ``cable_lengths`` or ``cable_file``.

    Raises
    ------
    UnusableFileError
        There is no such folder.

    Warns
    -----
    InputWarning
        Lengths have to be measured and cannot be kept.
    """
    if keep is not None and not Path(keep).is_dir():
        raise UnusableFileError(f"{keep}: no folder for cable lengths; create it first")
    with tempfile.TemporaryDirectory() as temporary:
        tables = {volume.name: Path(keep or folder) / f"{volume.key}_cable_lengths.csv" for volume in challenge.volumes}
        yield {name: _cable_option(name, table, Path(temporary)) for name, table in tables.items()}


def _cable_option(name: str, table: Path, temporary: Path) -> dict[str, Path]:
    if table.exists() and not _is_measured(table):
        return {"cable_lengths": table}
    if os.access(table.parent, os.W_OK):
        return {"cable_file": table}
    copy = temporary / table.name
    if table.exists():
        shutil.copyfile(table, copy)
    else:
        text = f"{table.parent}: cannot be written to, so the cable lengths of {name} are measured and not kept"
        warnings.warn(f"{text}; name a folder for them", InputWarning, stacklevel=2)
    return {"cable_file": copy}


def _is_measured(table: Path) -> bool:
    try:
        with table.open(encoding="utf-8") as lines:
            return any(line.startswith(_MEASURED) for line in lines)
    except (OSError, UnicodeDecodeError) as error:
        raise GroundTruthError(f"{table}: cannot be read ({error}); write it again, or delete it") from error
