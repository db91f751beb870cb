"""The plain 2D U-Net of U2D-B, section by section, after the public template of a MitoEM author."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from baselines.networks._checks import check_counts, check_filters

__all__ = ["UNet2D", "UNet2DConfig"]


@dataclass(frozen=True, kw_only=True)
class UNet2DConfig:
    """Shape of the network.

    Attributes
    ----------
    in_channels, out_channels
        Images in, logits out; 1 for the mask.
    filters
        Channels of each level, the finest first. Each level halves y and x.
    dropout
        Share of the values that training sets to zero between the two convolutions of each level.
    """

    in_channels: int = 1
    out_channels: int = 1
    filters: tuple[int, ...] = (16, 32, 64, 128, 256)
    dropout: tuple[float, ...] = (0.1, 0.1, 0.2, 0.2, 0.3)

    def __post_init__(self) -> None:
        check_counts(in_channels=self.in_channels, out_channels=self.out_channels)
        check_filters(self.filters, dropout=self.dropout)

    @property
    def multiple(self) -> tuple[int, int, int]:
        """What the edges z, y, x of an input must be multiples of."""
        edge = 2 ** (len(self.filters) - 1)
        return 1, edge, edge

    def fits(self, shape: tuple[int, int, int]) -> bool:
        """Whether an input may have this shape (z, y, x)."""
        return all(n > 0 and n % edge == 0 for n, edge in zip(shape, self.multiple, strict=True))


class UNet2D(nn.Module):
    """Image (batch, in_channels, z, y, x) to logits (batch, out_channels, z, y, x); no section sees another one.

    References
    ----------
    Ronneberger et al., MICCAI 2015, doi:10.1007/978-3-319-24574-4_28.

    Examples
    --------
    >>> sum(p.numel() for p in UNet2D().parameters())
    1940817
    """

    def __init__(self, config: UNet2DConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or UNet2DConfig()
        filters, dropout = config.filters, config.dropout
        self.down = nn.ModuleList(map(_level, (config.in_channels, *filters[:-1]), filters, dropout))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(below, own, 2, stride=2) for own, below in pairwise(filters))
        self.up = nn.ModuleList(_level(2 * own, own, share) for own, share in zip(filters[:-1], dropout, strict=False))
        self.out = nn.Conv2d(filters[0], config.out_channels, 1)
        self.pool = nn.MaxPool2d(2)
        self.apply(_he_normal)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits of the image's shape along z, y, x."""
        batch, channels, depth, height, width = image.shape
        sections = image.transpose(1, 2).reshape(batch * depth, channels, height, width)
        logits = self._sections(sections)
        return logits.reshape(batch, depth, -1, height, width).transpose(1, 2)

    def _sections(self, x: Tensor) -> Tensor:
        skips: list[Tensor] = []
        for k, level in enumerate(self.down):
            x = level(self.pool(x) if k else x)  # (n, 256, y/16, x/16) at the coarsest
            skips.append(x)
        for i in range(len(self.up) - 1, -1, -1):
            x = self.up[i](torch.cat([self.grow[i](x), skips[i]], dim=1))
        logits: Tensor = self.out(x)
        return logits

    @staticmethod
    def is_unused(key: str) -> bool:  # noqa: ARG004
        """Whether a parameter of a published checkpoint is never used: there is none to load."""
        return False


def _level(channels: int, out: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out, 3, padding=1),
        nn.ELU(inplace=True),
        nn.Dropout(dropout),
        nn.Conv2d(out, out, 3, padding=1),
        nn.ELU(inplace=True),
    )


def _he_normal(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.kaiming_normal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
