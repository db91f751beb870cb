"""Networks with their weights in files: our own, which say what network they are, and the published ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch

from baselines.networks import NETWORKS, Network, build_network, name_of
from mitobench.errors import InvalidInputError, MitobenchError, UnusableFileError, did_you_mean
from mitobench.files import replacing

if TYPE_CHECKING:
    from mitobench.types import PathOrStr

__all__ = ["CHECKPOINT_VERSION", "load_network", "load_notes", "load_weights", "save_network"]

CHECKPOINT_VERSION = 1
_VERSION = "mitobench_checkpoint"
_EXPECTED = "a checkpoint of `mitobench baseline train`, or a published one of this network"
_WRAPPER = re.compile(r"^(?:(?:module|model|_orig_mod)\.)+")
"""What programs that train on several GPUs, or compile, put in front of every name."""

Weights = dict[str, torch.Tensor]


def save_network(network: Network, path: PathOrStr, **more: Any) -> None:  # noqa: ANN401
    """Write a network with its configuration.

    Parameters
    ----------
    network
        What to keep.
    path
        File; replaced if it exists.
    more
        Plain values and tensors to keep beside it, such as the state of an optimizer.

    Raises
    ------
    UnusableFileError
        The file cannot be written.
    """
    values = {
        _VERSION: CHECKPOINT_VERSION,
        "network": name_of(network),
        "config": asdict(network.config),
        "state_dict": network.state_dict(),
        **more,
    }
    with replacing(path) as temporary:
        torch.save(values, temporary)


def load_network(path: PathOrStr, *, name: str | None = None, config: Mapping[str, Any] | None = None) -> Network:
    """Return a network with the weights of a file, on the CPU, ready to predict.

    Parameters
    ----------
    path
        One of our checkpoints, or a published one of PyTorch: a dictionary of tensors, perhaps under ``state_dict`` and
        with ``module.`` in front of every name. Nothing in it is run: only tensors and plain values are read.
    name, config
        The network, for files that do not say it.

    Raises
    ------
    UnusableFileError
        The file is missing, damaged, or holds more than weights.
    InvalidInputError
        It is a checkpoint of another network, or of a newer mitobench.
    UnknownNameError
        No network has this name.
    """
    values = _read(path)
    if _VERSION in values:
        name, config = _described(values, path)
    elif name is None:
        raise InvalidInputError(f"{path}: does not say what network it is of; name one of {', '.join(NETWORKS)}")
    try:
        network = build_network(name, config)
        load_weights(network, values.get("state_dict", values))
    except InvalidInputError as error:
        raise InvalidInputError(f"{path}: {error}") from error
    network.eval()
    return network


def load_notes(path: PathOrStr) -> dict[str, Any]:
    """Return what one of our own checkpoints keeps beside the network, such as the step.

    Raises
    ------
    UnusableFileError
        The file is missing, damaged, or none of ours.
    """
    values = _read(path)
    if _VERSION not in values:
        raise UnusableFileError(f"{path}: no checkpoint of mitobench; expected one of `mitobench baseline train`")
    return {key: value for key, value in values.items() if key not in {_VERSION, "network", "config", "state_dict"}}


def load_weights(network: Network, weights: Mapping[str, Any]) -> None:
    """Put weights into a network, all of them or none.

    Parameters
    ----------
    network
        Of the right architecture.
    weights
        Name -> tensor, names as in ``state_dict``, with or without ``module.`` in front.

    Raises
    ------
    InvalidInputError
        A weight is missing, has another shape, or belongs to no part of the network.
    """
    given = {_WRAPPER.sub("", key): value for key, value in weights.items()}
    own = network.state_dict()
    where = f"the network {name_of(network)}"
    for key, value in own.items():
        if key not in given:
            raise InvalidInputError(f"holds no {key} for {where}{did_you_mean(key, given)}; expected {_EXPECTED}")
        if not isinstance(given[key], torch.Tensor) or given[key].shape != value.shape:
            found = tuple(getattr(given[key], "shape", ())) or type(given[key]).__name__
            raise InvalidInputError(f"{key} is {found}, {where} has {tuple(value.shape)}; expected {_EXPECTED}")
    strangers = [key for key in given if key not in own and not network.is_unused(key)]
    if strangers:
        raise InvalidInputError(f"holds {strangers[0]}, which {where} has not; expected {_EXPECTED}")
    network.load_state_dict({key: given[key] for key in own})


def _read(path: PathOrStr) -> dict[str, Any]:
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UnusableFileError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
    except Exception as error:
        if isinstance(error, MitobenchError | MemoryError):
            raise
        raise UnusableFileError(
            f"{path}: not a checkpoint, or one that holds more than weights and is not opened "
            f"({type(error).__name__}); expected {_EXPECTED}"
        ) from error
    if not isinstance(values, dict) or not isinstance(values.get("state_dict", {}), Mapping):
        raise UnusableFileError(f"{path}: holds no weights by name; expected {_EXPECTED}")
    if not all(isinstance(key, str) for key in values.get("state_dict", values)):
        raise UnusableFileError(f"{path}: holds no weights by name; expected {_EXPECTED}")
    return values


def _described(values: Mapping[str, Any], path: PathOrStr) -> tuple[str, Mapping[str, Any]]:
    """Return what network one of our own checkpoints is of."""
    version, name, config = values[_VERSION], values.get("network"), values.get("config")
    if not isinstance(version, int) or not isinstance(name, str) or not isinstance(config, Mapping):
        raise UnusableFileError(f"{path}: a damaged checkpoint; expected {_EXPECTED}")
    if version > CHECKPOINT_VERSION:
        raise InvalidInputError(
            f"{path}: a checkpoint of version {version}, this mitobench reads up to {CHECKPOINT_VERSION}; upgrade it"
        )
    return name, config
