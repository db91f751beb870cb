"""Published results that a score can be held against: numbers with their source."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PUBLISHED", "PUBLISHED_METRIC", "PUBLISHED_RULE", "PUBLISHED_SOURCE", "PublishedResult"]

PUBLISHED_SOURCE = "Updated Baselines on MitoEM Dataset for Mitochondria Instance Segmentation, Tables 1 and 2"
PUBLISHED_RULE = "mitoem-2020"
PUBLISHED_METRIC = "ap_75"

_BUCKETS = ("small", "medium", "large", "all")


@dataclass(frozen=True)
class PublishedResult:
    """One method as published, under the rule `PUBLISHED_RULE`.

    Attributes
    ----------
    method
        Its name.
    annotation
        Which ground truth it was scored against, ``v1`` or ``v2``; the two are different labels.
    implementation
        ``old`` or ``updated`` where the source tells them apart, else empty.
    scores
        ``MitoEM-H`` and ``MitoEM-R`` -> ``small``, ``medium``, ``large``, ``all`` -> AP-75.
    overall
        Mean of the two ``all``, as printed.
    """

    method: str
    annotation: str
    implementation: str
    scores: Mapping[str, Mapping[str, float]]
    overall: float

    @property
    def label(self) -> str:
        """Method and annotation, such as ``U2D-B+CC, v1``."""
        return f"{self.method}, {self.annotation}"


def _result(
    method: str,
    annotation: str,
    implementation: str,
    human: tuple[float, ...],
    rat: tuple[float, ...],
    overall: float,
) -> PublishedResult:
    by_volume = {"MitoEM-H": human, "MitoEM-R": rat}
    scores = {name: MappingProxyType(dict(zip(_BUCKETS, values, strict=True))) for name, values in by_volume.items()}
    return PublishedResult(method, annotation, implementation, MappingProxyType(scores), overall)


PUBLISHED = (
    _result("U2D-B+CC", "v1", "", (0.408, 0.814, 0.711, 0.597), (0.104, 0.628, 0.481, 0.355), 0.476),
    _result("U2D-B+CC", "v2", "", (0.272, 0.636, 0.493, 0.534), (0.133, 0.523, 0.289, 0.330), 0.432),
    _result("U3D-BC+MW", "v1", "old", (0.489, 0.820, 0.618, 0.605), (0.290, 0.751, 0.490, 0.521), 0.563),
    _result("U3D-BC+MW", "v2", "updated", (0.426, 0.838, 0.798, 0.804), (0.311, 0.845, 0.803, 0.816), 0.810),
)
