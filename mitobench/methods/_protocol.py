"""What a method has to be able to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mitobench.methods._volumes import TrainingVolume
    from mitobench.types import Progress

__all__ = ["Description", "Method"]


@dataclass(frozen=True)
class Description:
    """What a reader of a result has to know of the method.

    Attributes
    ----------
    name
        As in a table of results.
    description
        What it does, in a sentence or a few.
    settings
        All that changes its results, as JSON holds it. What only changes its speed does not belong here.
    """

    name: str
    description: str
    settings: Mapping[str, Any] = field(default_factory=dict)


class Method(Protocol):
    """What finds the instances of a volume, perhaps after it has learned from others.

    Whatever is wrong with data or options is raised as a `mitobench.errors.MitobenchError` of one line.
    """

    def describe(self) -> Description:
        """Return name and settings. Called before anything else, and more than once."""

    def fit(
        self,
        volumes: Sequence[TrainingVolume],
        folder: Path,
        *,
        validation: Sequence[TrainingVolume] = (),
        seed: int = 0,
        progress: bool = False,
    ) -> None:
        """Learn, and leave in the folder what `predict` needs.

        Called again with the same arguments after it was stopped, it goes on.

        Parameters
        ----------
        volumes
            To learn from. Where one has a mask ``valid``, its labels count in there alone.
        folder
            There is nothing in it, or what an earlier call left.
        validation
            To choose thresholds and the like by; never to learn from.
        seed
            Of all that is drawn at random.
        progress
            Whether to show on stderr how far it is.
        """

    def predict(self, image: Any, path: Path, folder: Path, *, progress: Progress | None = None) -> Path | None:  # noqa: ANN401
        """Find the instances of an image.

        Parameters
        ----------
        image
            As `mitobench.volumes.open_image` takes it; whoever calls closes it.
        path
            HDF5 file to write: dataset ``main``, ids of the instances (z, y, x) in the shape of the image, 0 for
            background. Files beside it, named after it, may be left there.
        folder
            What `fit` left.
        progress
            Called with (voxels done, voxels in all).

        Returns
        -------
        A CSV file of id and score as `mitobench.evaluate` reads it, where the method knows how sure it is of each
        instance; None where it does not.
        """
