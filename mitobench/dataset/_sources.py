"""Make sources out of files and folders, reading no more than their headers."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mitobench.dataset._values import Source
from mitobench.errors import InputWarning, InvalidInputError
from mitobench.volumes import open_image, open_labels
from mitobench.volumes.section import SectionFile, read_header, stack_sections

if TYPE_CHECKING:
    from collections.abc import Callable

    from mitobench.types import Volume

__all__ = ["file_source", "section_source"]

Kind = Literal["image", "labels"]


def file_source(path: str, kind: Kind, *, rgb: bool = False) -> Source:
    """Describe a volume that `open_image` or `open_labels` opens.

    Raises
    ------
    MitobenchError
        As they do; or an image has several channels.

    Warns
    -----
    InputWarning
        As they do, once: not again when the source is opened.
    """

    def opened() -> Volume:
        return open_labels(path, rgb=rgb) if kind == "labels" else _only_channel(path)

    def opened_again() -> Volume:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)
            return opened()

    volume = opened()
    try:
        suffix = Path(path.partition("::")[0]).suffix.lower()
        form = "HDF5" if suffix in {".h5", ".hdf5"} else suffix.lstrip(".") or "folder"
        return Source(path, form, volume.shape, volume.dtype, opened_again)
    finally:
        volume.close()


def _only_channel(path: str) -> Volume:
    channels = open_image(path)
    if len(channels) > 1:
        channels[0].close()
        raise InvalidInputError(
            f"{path}: an image of {len(channels)} channels; expected one of shape (z, y, x); write one channel alone"
        )
    return channels[0]


def section_source(
    files: tuple[SectionFile | None, ...], name: str, kind: Kind, form: str, release: Callable[[], None]
) -> Source:
    """Describe sections, some of which may be missing. The header of the first is read.

    Parameters
    ----------
    files
        At least one of them there.
    name
        Of the folder.
    kind
        Colours of labels are ids; an image in colour is refused.
    form
        How the sections are stored, in words.
    release
        What closing the volume does.

    Raises
    ------
    UnusableFileError, InvalidInputError
        The first section is damaged, or of a kind that cannot be used.
    """

    def opened() -> Volume:
        return stack_sections(files, name, rgb=kind == "labels", release=release)

    volume = opened()
    coloured = len(read_header(next(file for file in files if file is not None)).shape) > 2
    volume.close()
    return Source(name, form, volume.shape, volume.dtype, opened, files, coloured)
