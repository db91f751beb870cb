"""Scores of a network while it trains: a part of the data predicted, decoded and scored like any other result."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from baselines.decode import decode
from baselines.predict import predict
from mitobench.errors import InputWarning, InvalidInputError
from mitobench.evaluate import Pair, evaluate_benchmark
from mitobench.files import making_folder
from mitobench.overlap import DEFAULT_MEMORY
from mitobench.rules import DEFAULT_RULE, find_rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from baselines.networks import Network
    from baselines.recipe import Recipe
    from mitobench.methods import TrainingVolume
    from mitobench.rules import Rule
    from mitobench.types import PathOrStr

__all__ = ["Validation"]

_ALSO = ("ap_50", "f1_75", "voi_split", "voi_merge")


class Validation:
    """Scores networks on volumes that they are not trained on.

    Windows and decoding are those of the recipe, thresholds are not tuned. Instances are ranked by their size.

    Parameters
    ----------
    recipe
        Windows and decoding.
    volumes
        What to score on; opened for each score.
    folder
        For the files; it is made for each score and deleted after it, with all that is in it.
    rule
        Name of a rule, or a rule.
    device, memory, workers
        As in `baselines.predict.predict`.

    Raises
    ------
    UnknownNameError
        There is no such rule.
    """

    def __init__(
        self,
        recipe: Recipe,
        volumes: Sequence[TrainingVolume],
        folder: PathOrStr,
        *,
        rule: str | Rule = DEFAULT_RULE,
        device: str = "auto",
        memory: int = DEFAULT_MEMORY,
        workers: int | None = None,
    ) -> None:
        self.recipe, self.volumes, self.folder, self.rule = recipe, tuple(volumes), Path(folder), find_rule(rule)
        self.device, self.memory, self.workers = device, memory, workers

    def __call__(self, network: Network, step: int) -> dict[str, float]:  # noqa: ARG002
        """Return ``val/NAME`` -> score of all instances, the mean over the volumes: first what the rule ranks by.

        What is undefined is left out.

        Raises
        ------
        MitobenchError
            As `predict`, `decode` and `evaluate_benchmark` do; or there is no instance to be found.
        """
        # What a run that was killed has left.
        shutil.rmtree(self.folder, ignore_errors=True)
        with making_folder(self.folder), warnings.catch_warnings():
            # A network that has learned little finds nothing, or all in one, again and again.
            warnings.simplefilter("ignore", InputWarning)
            pairs = {volume.name: self._segmented(network, volume) for volume in self.volumes}
            report = evaluate_benchmark(pairs, rule=self.rule, memory=self.memory, workers=self.workers)
        shutil.rmtree(self.folder, ignore_errors=True)
        if report.overall[self.rule.rank_by] is None:
            where = ", ".join(volume.name for volume in self.volumes)
            raise InvalidInputError(f"{where}: no instance to validate on; name another part, or train without scores")
        values = {f"val/{name}": report.overall.get(name) for name in dict.fromkeys((self.rule.rank_by, *_ALSO))}
        return {name: value for name, value in values.items() if value is not None}

    def _segmented(self, network: Network, volume: TrainingVolume) -> Pair:
        probability = self.folder / "probability.h5"
        instances = self.folder / f"instances-{self.volumes.index(volume)}.h5"
        predict(
            network,
            volume.image(),
            probability,
            self.recipe.window,
            device=self.device,
            memory=self.memory,
            workers=self.workers,
        )
        decode(probability, instances, self.recipe.decoding, memory=self.memory, workers=self.workers)
        return Pair(pred=instances, gt=volume.labels())
