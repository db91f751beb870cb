"""The networks, one file each, by name. All map an image (b, c, z, y, x) to logits of the same z, y, x."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Protocol

import torch

from baselines.networks.unet_2d import UNet2D, UNet2DConfig
from baselines.networks.unet_residual_3d import ResidualUNet3D, ResidualUNet3DConfig
from baselines.networks.unet_se_3d import SEUNet3D, SEUNet3DConfig
from mitobench.errors import InvalidInputError, UnknownNameError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "NETWORKS",
    "Network",
    "NetworkConfig",
    "ResidualUNet3D",
    "ResidualUNet3DConfig",
    "SEUNet3D",
    "SEUNet3DConfig",
    "UNet2D",
    "UNet2DConfig",
    "build_network",
    "channels_last",
    "name_of",
]


class NetworkConfig(Protocol):
    """What the shape of any network tells."""

    @property
    def in_channels(self) -> int:
        """Images in."""

    @property
    def out_channels(self) -> int:
        """Logits out."""

    @property
    def filters(self) -> tuple[int, ...]:
        """Channels of each level, the finest first."""

    def fits(self, shape: tuple[int, int, int]) -> bool:
        """Whether an input may have this shape (z, y, x)."""


Network = ResidualUNet3D | SEUNet3D | UNet2D

NETWORKS: dict[str, tuple[type[Network], type[Any]]] = {
    "unet-residual-3d": (ResidualUNet3D, ResidualUNet3DConfig),
    "unet-se-3d": (SEUNet3D, SEUNet3DConfig),
    "unet-2d": (UNet2D, UNet2DConfig),
}
"""Name -> network and its configuration."""


def build_network(name: str, config: Mapping[str, Any] | None = None) -> Network:
    """Return a network with fresh weights.

    Parameters
    ----------
    name
        A key of `NETWORKS`.
    config
        Fields of its configuration; absent ones take the published values.

    Raises
    ------
    UnknownNameError
        No network has this name.
    InvalidInputError
        A field is unknown or its value makes no network.
    """
    if name not in NETWORKS:
        raise UnknownNameError(
            f"unknown network {name!r}{did_you_mean(name, NETWORKS)}; allowed: {', '.join(NETWORKS)}"
        )
    network, kind = NETWORKS[name]
    allowed = [field.name for field in fields(kind)]
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in (config or {}).items()}
    for key in values:
        if key not in allowed:
            hint = did_you_mean(key, allowed)
            raise InvalidInputError(f"the network {name} has no field {key!r}{hint}; allowed: {', '.join(allowed)}")
    return network(kind(**values))


def channels_last(network: Network) -> torch.memory_format:
    """Return the order in memory that the convolutions of a network are fastest with."""
    # Those of sections have weights of four axes, to which channels_last_3d means nothing.
    volumes = any(weight.dim() == 5 for weight in network.parameters())
    return torch.channels_last_3d if volumes else torch.channels_last


def name_of(network: Network) -> str:
    """Return the name of a network in `NETWORKS`."""
    return next(name for name, (kind, _) in NETWORKS.items() if isinstance(network, kind))
