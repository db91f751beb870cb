"""The folder that the image of an evaluation is built from."""

from __future__ import annotations

import json
import platform
import re
from importlib import metadata, resources
from string import Template
from typing import TYPE_CHECKING, Literal, get_args

from leaderboard.container.paths import SETTINGS
from leaderboard.platform import phase_settings
from mitobench import __version__
from mitobench.errors import InvalidInputError, UnusableFileError
from mitobench.files import creating, making_folder
from mitobench.rules import find_rule

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mitobench.types import PathOrStr

__all__ = ["Mode", "container_files", "init_folder"]

Mode = Literal["exec", "invoke"]

_LABEL = 'LABEL org.grand-challenge.api-method="invoke"\n'
_RUN = """docker run --rm{options} --platform linux/amd64 --network none --memory 8g --memory-swap 8g \\
  --read-only --tmpfs /tmp --user "$(id -u):$(id -g)" \\
  --volume "$PWD/input:/input:ro" --volume "$PWD/output:/output" \\
  --volume "$PWD/ground-truth:/opt/ml/input/data/ground_truth:ro" mitoem-evaluation"""
_ASK = """
docker exec mitoem-evaluation python -c "from urllib.request import Request, urlopen; \\
  print(urlopen(Request('http://localhost:4743/invoke', method='POST')).status)"
docker logs mitoem-evaluation
docker stop mitoem-evaluation"""


def init_folder(folder: PathOrStr, *, mode: Mode, rule: str) -> tuple[Path, ...]:
    """Write everything that the image is built from, but for mitobench itself.

    Parameters
    ----------
    folder
        Made if it is not there; no file in it is written over.
    mode
        How the platform calls the image: ``exec`` runs it once for each submission, ``invoke`` asks it over HTTP.
    rule
        Name of the rule.

    Returns
    -------
    tuple of Path
        The files.

    Raises
    ------
    UnknownNameError
        There is no such rule.
    UnusableFileError
        One of the files is there already, or cannot be written.
    """
    files = container_files(mode, rule)
    with making_folder(folder) as made:
        if there := [name for name in files if (made / name).exists()]:
            raise UnusableFileError(f"{made}: {', '.join(there)} there already; name another folder, or delete it")
        for name, text in files.items():
            with creating(made / name) as temporary:
                temporary.write_text(text, encoding="utf-8")
        return tuple(made / name for name in files)


def container_files(mode: Mode, rule: str) -> dict[str, str]:
    """Return the files by name.

    Raises
    ------
    InvalidInputError, UnknownNameError
        There is no such mode or rule.
    """
    if mode not in get_args(Mode):
        raise InvalidInputError(f"mode is {mode!r}; allowed: {', '.join(get_args(Mode))}")
    ranked = find_rule(rule).rank_by
    values = {
        "mode": mode,
        "rule": rule,
        "python": platform.python_version(),
        "version": __version__,
        "wheel": f"mitobench-{__version__}-py3-none-any.whl",
        "label": _LABEL if mode == "invoke" else "",
        "run": _run(mode),
    }
    return {
        "Dockerfile": _rendered("Dockerfile", values),
        ".dockerignore": _rendered("dockerignore", values),
        "constraints.txt": "".join(f"{name}=={version}\n" for name, version in sorted(_installed("mitobench").items())),
        SETTINGS: _rendered(SETTINGS, values),
        "phase-settings.json": json.dumps(phase_settings(ranked).to_dict(), indent=2) + "\n",
        "README.md": _rendered("README.md", values),
    }


def _rendered(template: str, values: Mapping[str, str]) -> str:
    text = (resources.files("leaderboard.container") / "templates" / template).read_text(encoding="utf-8")
    return Template(text).substitute(values)


def _run(mode: Mode) -> str:
    """Return the commands that try the image, with the limits of the platform."""
    if mode == "exec":
        return _RUN.format(options="")
    return _RUN.format(options=" --detach --name mitoem-evaluation") + _ASK


def _installed(root: str) -> dict[str, str]:
    """Return name and version of all that a distribution needs, as it is installed here; not of itself."""
    found: dict[str, str] = {}
    waiting = [root]
    while waiting:
        for requirement in metadata.requires(waiting.pop()) or []:
            name, _, marker = requirement.partition(";")
            name = re.split(r"[^A-Za-z0-9._-]", name.strip(), maxsplit=1)[0]
            if "extra" in marker or name in found:
                continue
            try:
                found[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                continue  # for another system or another Python
            waiting.append(name)
    return found
