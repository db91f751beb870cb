"""What of an experiment is done, how long it took and on what machine: a JSON file beside its results."""

from __future__ import annotations

import platform
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitobench.errors import InvalidInputError
from mitobench.json_files import plain, read_json, write_json
from mitobench.workers import default_workers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Journal", "machine"]

_VERSION = 1
_EXPECTED = "the journal of an experiment"
_CPU = Path("/proc/cpuinfo")


@dataclass
class Journal:
    """What an experiment is, and how far it has come.

    Attributes
    ----------
    path
        The file.
    experiment
        What makes this experiment and no other: plain values.
    starts
        Time, command and machine of each start.
    hours
        Step -> hours, of all starts that were not killed.
    done
        Step -> what it left: plain values.
    """

    path: Path
    experiment: Mapping[str, Any]
    starts: list[dict[str, Any]] = field(default_factory=list)
    hours: dict[str, float] = field(default_factory=dict)
    done: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path, experiment: Mapping[str, Any]) -> Journal:
        """Return what there is of this experiment. Nothing is written.

        Raises
        ------
        InvalidInputError
            The file is of another experiment.
        UnusableFileError
            It is damaged, or of a newer version.
        """
        wanted = plain(experiment)
        if not path.is_file():
            return cls(path, wanted)
        there = read_json(path, _checked, _EXPECTED)
        if difference := _difference(there["experiment"], wanted):
            key, before, now = difference
            raise InvalidInputError(
                f"{path.parent}: the experiment there has {key} {before!r:.80}, not {now!r:.80}; name another folder, "
                "or start with the same"
            )
        return cls(path, wanted, there["starts"], there["hours"], there["done"])

    def start(self, command: str) -> None:
        """Note that the experiment begins or goes on."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.starts.append({"at": now, "command": command, "machine": machine()})
        self.save()

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add the time that the block takes to a step, also if it fails."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.hours[step] = self.hours.get(step, 0.0) + (time.perf_counter() - began) / 3600
            self.save()

    def save(self) -> None:
        """Write the file.

        Raises
        ------
        UnusableFileError
            It cannot be written.
        """
        values = {"experiment": self.experiment, "starts": self.starts, "hours": self.hours, "done": self.done}
        write_json({"version": _VERSION, **values}, self.path)


def _checked(values: Any) -> Mapping[str, Any]:  # noqa: ANN401
    kinds = {"version": int, "experiment": dict, "starts": list, "hours": dict, "done": dict}
    if not isinstance(values, dict) or not all(isinstance(values.get(key), kind) for key, kind in kinds.items()):
        raise InvalidInputError(f"not {_EXPECTED}; name another folder")
    if values["version"] > _VERSION:
        raise InvalidInputError(f"of version {values['version']}, this mitobench reads up to {_VERSION}; upgrade it")
    return values


def _difference(there: Any, wanted: Any, key: str = "") -> tuple[str, Any, Any] | None:  # noqa: ANN401
    """Return the first value that differs, with the keys that lead to it."""
    if there == wanted:
        return None
    if isinstance(there, dict) and isinstance(wanted, dict):
        keys = sorted(there.keys() | wanted.keys())
        found = (_difference(there.get(k), wanted.get(k), f"{key}.{k}".lstrip(".")) for k in keys)
        return next((difference for difference in found if difference), None)
    return key, there, wanted


def machine() -> dict[str, Any]:
    """Return what this runs on: processor and how many, GPU where one is used, and versions of what counts.

    Examples
    --------
    >>> sorted(machine())
    ['cores', 'cpu', 'gpu', 'system', 'versions']
    """
    versions = {name: _version(name) for name in ("mitobench", "numpy", "torch")}
    return {
        "cpu": _cpu(),
        "cores": default_workers(),
        "gpu": _gpu(),
        "system": platform.system(),
        "versions": {"python": platform.python_version(), **versions},
    }


def _cpu() -> str:
    try:
        lines = _CPU.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _gpu() -> str | None:
    # A method that does not need torch should not have to wait for it.
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return str(torch.cuda.get_device_name())


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
