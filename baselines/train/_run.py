"""The folder of a run: what was trained, on what, with what, and how far it has come."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from baselines.recipe import load_recipe
from mitobench.errors import InvalidInputError, UnusableFileError
from mitobench.files import check_new_folder, making_folder, replacing
from mitobench.json_files import plain, read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from baselines.recipe import Recipe
    from mitobench.methods import TrainingVolume
    from mitobench.types import Shape

__all__ = ["RunFolder"]


@dataclass(frozen=True)
class RunFolder:
    """Where things of a run are.

    Attributes
    ----------
    path
        The folder.
    """

    path: Path

    @property
    def recipe(self) -> Path:
        """A copy of the recipe."""
        return self.path / "recipe.toml"

    @property
    def facts(self) -> Path:
        """Seed, data and versions of the first start."""
        return self.path / "run.json"

    @property
    def checkpoint(self) -> Path:
        """All that is needed to go on."""
        return self.path / "checkpoints" / "last.ckpt"

    @property
    def network(self) -> Path:
        """The weights alone, as `baselines.checkpoint.load_network` reads them."""
        return self.path / "network.ckpt"

    @property
    def best(self) -> Path:
        """The weights that scored best on the validation part, where there was one."""
        return self.path / "best.ckpt"

    @property
    def chosen(self) -> Path:
        """The weights to predict with: the best ones, or the last where none were scored."""
        return self.best if self.best.is_file() else self.network

    @property
    def decoding(self) -> Path:
        """The decoding chosen on the validation part, where it was tuned."""
        return self.path / "decoding.json"

    @property
    def sheets(self) -> Path:
        """Pictures of predictions."""
        return self.path / "sheets"

    def check(self, recipe: Recipe, facts: Mapping[str, Any], *, resume: bool) -> None:
        """Refuse to go on with another run than the one in the folder.

        Raises
        ------
        InvalidInputError
            It is of another recipe, seed or data; or there is one and it must not be resumed.
        UnusableFileError
            The folder cannot be made, is damaged, or holds other things.
        """
        check_new_folder(self.path)
        if not self.path.is_dir() or not any(self.path.iterdir()):
            return
        if not self.recipe.is_file():
            raise UnusableFileError(f"{self.path}: the folder is not empty and holds no run; name a new folder")
        if not resume:
            raise InvalidInputError(f"{self.path}: there is a run already; resume it, or name a new folder")
        if load_recipe(self.recipe) != recipe:
            raise InvalidInputError(f"{self.path}: the run there is of another recipe; name a new folder")
        if not self.facts.is_file():
            return
        there = read_json(self.facts, dict, "the facts of a run")
        for key in ("seed", "data"):
            if there.get(key) != plain(facts[key]):
                raise InvalidInputError(
                    f"{self.path}: the run there has {key} {there.get(key)}, not {plain(facts[key])}; name a new "
                    "folder, or start with the same"
                )

    def start(self, recipe: str, facts: Mapping[str, Any]) -> None:
        """Write what the folder lacks: the text of the recipe, and the facts.

        Raises
        ------
        UnusableFileError
            It cannot be written.
        """
        with making_folder(self.path):
            if not self.recipe.exists():
                with replacing(self.recipe) as temporary:
                    temporary.write_text(recipe, encoding="utf-8")
            if not self.facts.exists():
                write_json(facts, self.facts)
            for folder in (self.checkpoint.parent, self.sheets):
                with making_folder(folder):
                    pass


def facts_of(seed: int, volumes: Sequence[TrainingVolume], shapes: Sequence[Shape]) -> dict[str, Any]:
    """Return what a run should remember besides its recipe."""
    import lightning
    import numpy as np
    import torch

    import mitobench

    modules = {"mitobench": mitobench, "torch": torch, "lightning": lightning, "numpy": np}
    versions = {name: str(module.__version__) for name, module in modules.items()}
    return {
        "seed": seed,
        "data": [{"name": volume.name, "shape": list(shape)} for volume, shape in zip(volumes, shapes, strict=True)],
        "versions": {"python": platform.python_version(), **versions},
    }
