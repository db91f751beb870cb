"""Where the platform puts what, and the error that says that something is not there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mitobench.errors import MitobenchError

__all__ = ["SETTINGS", "Paths", "SetupError"]

SETTINGS = "settings.toml"


class SetupError(MitobenchError):
    """The evaluation is not set up properly, which only the organisers can mend."""


@dataclass(frozen=True, kw_only=True)
class Paths:
    """Where the platform puts what.

    Attributes
    ----------
    input
        The unpacked submission, or the outputs of an algorithm.
    output
        Folder of metrics.json.
    ground_truth
        Folders that may hold the ground truth; the first that is there does.
    settings
        File of settings, where none lies beside the ground truth.
    """

    input: Path = Path("/input")
    output: Path = Path("/output")
    ground_truth: tuple[Path, ...] = (Path("/opt/ml/input/data/ground_truth"), Path("/opt/app/ground-truth"))
    settings: Path = Path("/opt/app") / SETTINGS

    def find_ground_truth(self) -> Path:
        """Return the folder of the ground truth.

        Raises
        ------
        SetupError
            None is there.
        """
        for folder in self.ground_truth:
            if folder.is_dir() and any(folder.iterdir()):
                return folder
        raise SetupError(f"no ground truth; expected it in {' or '.join(map(str, self.ground_truth))}")
