"""Benchmark and evaluation of 3D mitochondria instance segmentation on MitoEM."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mitobench.compare import Comparison, compare_pair
    from mitobench.errors import InputWarning, MitobenchError
    from mitobench.evaluate import Pair, evaluate_benchmark, evaluate_pair
    from mitobench.report import Report
    from mitobench.resampling import Bootstrap
    from mitobench.rules import RULES, Rule
    from mitobench.volumes import open_labels

__version__ = "0.1.0"

__all__ = [
    "RULES",
    "Bootstrap",
    "Comparison",
    "InputWarning",
    "MitobenchError",
    "Pair",
    "Report",
    "Rule",
    "compare_pair",
    "evaluate_benchmark",
    "evaluate_pair",
    "open_labels",
]

_HOMES = {
    "RULES": "rules",
    "Bootstrap": "resampling",
    "Comparison": "compare",
    "InputWarning": "errors",
    "MitobenchError": "errors",
    "Pair": "evaluate",
    "Report": "report",
    "Rule": "rules",
    "compare_pair": "compare",
    "evaluate_benchmark": "evaluate",
    "evaluate_pair": "evaluate",
    "open_labels": "volumes",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any of the names above
    """Import a public name when it is first used, so that ``import mitobench`` stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module 'mitobench' has no attribute {name!r}")
    return getattr(import_module(f"mitobench.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
