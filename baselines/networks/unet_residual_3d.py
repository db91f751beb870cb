"""The residual 3D U-Net of the published U3D-BC result: anisotropic, additive skips, sections never pooled along z."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

from baselines.networks._checks import check_counts, check_filters

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ResidualUNet3D", "ResidualUNet3DConfig"]

_Kernel = tuple[int, int, int]
_FLAT: _Kernel = (1, 3, 3)
_CUBE: _Kernel = (3, 3, 3)
_WIDE: _Kernel = (1, 5, 5)


@dataclass(frozen=True, kw_only=True)
class ResidualUNet3DConfig:
    """Shape of the network.

    Attributes
    ----------
    in_channels, out_channels
        Images in, logits out; 2 for mask and contour.
    filters
        Channels of each level, the finest first; at least two. Each level halves y and x.
    """

    in_channels: int = 1
    out_channels: int = 2
    filters: tuple[int, ...] = (28, 36, 48, 64, 80)

    def __post_init__(self) -> None:
        check_counts(in_channels=self.in_channels, out_channels=self.out_channels)
        check_filters(self.filters)

    @property
    def multiple(self) -> tuple[int, int, int]:
        """What the edges z, y, x of an input must be multiples of."""
        edge = 2 ** (len(self.filters) - 1)
        return 1, edge, edge

    def fits(self, shape: tuple[int, int, int]) -> bool:
        """Whether an input may have this shape (z, y, x)."""
        return all(n > 0 and n % edge == 0 for n, edge in zip(shape, self.multiple, strict=True))


class ResidualUNet3D(nn.Module):
    """Image (batch, in_channels, z, y, x) to logits (batch, out_channels, z, y, x).

    The names of the parameters are those of published checkpoints. The original also owns a projection in every
    residual block and uses only the one in the centre; the others are left out, and ignored when it is loaded.

    References
    ----------
    Lee et al., "Superhuman Accuracy on the SNEMI3D Connectomics Challenge", arXiv:1706.00120.

    Examples
    --------
    >>> sum(p.numel() for p in ResidualUNet3D().parameters())
    1410894
    """

    def __init__(self, config: ResidualUNet3DConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ResidualUNet3DConfig()
        first, *others = config.filters
        *inner, last = others
        levels = list(zip((first, *inner), (*inner, last), strict=True))
        self.downE = nn.Sequential(
            _unit(config.in_channels, first, _WIDE), _unit(first, first, _FLAT), _Residual(first, _FLAT)
        )
        self.downC = nn.ModuleList(
            nn.Sequential(_unit(above, own, _FLAT), _Residual(own, _CUBE)) for above, own in levels[:-1]
        )
        self.center = nn.Sequential(_unit(*levels[-1], _FLAT), _Residual(last, _CUBE, project=True))
        self.upS = nn.ModuleList(nn.Sequential(_unit(below, own, (1, 1, 1)), _upsample()) for own, below in levels)
        self.upC = nn.ModuleList(nn.Sequential(_unit(own, own, _FLAT), _Residual(own, _CUBE)) for own in inner)
        self.upE = nn.Sequential(
            _unit(first, first, _FLAT), _Residual(first, _FLAT), _unit(first, config.out_channels, _WIDE, act=False)
        )
        self.pool = nn.MaxPool3d((1, 2, 2))
        self.apply(_orthogonal)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits of the image's shape along z, y, x."""
        skips = [self.downE(image)]  # (b, 28, z, y, x)
        for level in self.downC:
            skips.append(level(self.pool(skips[-1])))  # (b, 64, z, y/8, x/8) at the coarsest
        deep: Tensor = self.center(self.pool(skips[-1]))  # (b, 80, z, y/16, x/16)
        for i in range(len(skips) - 1, 0, -1):
            deep = self.upC[i - 1](self.upS[i](deep) + skips[i])
        logits: Tensor = self.upE(self.upS[0](deep) + skips[0])
        return logits

    @staticmethod
    def is_unused(key: str) -> bool:
        """Whether a parameter of a published checkpoint is one that the original owns and never uses."""
        return ".projector." in key


class _Residual(nn.Module):
    def __init__(self, channels: int, kernel: _Kernel, *, project: bool = False) -> None:
        super().__init__()
        self.conv = nn.Sequential(_unit(channels, channels, kernel), _unit(channels, channels, kernel, act=False))
        self.projector = _unit(channels, channels, (1, 1, 1), act=False) if project else nn.Identity()
        self.act = nn.ELU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.act(self.conv(x) + self.projector(x))
        return out


def _unit(channels: int, out: int, kernel: _Kernel, *, act: bool = True) -> nn.Sequential:
    """Return padding that repeats the border, where the kernel needs any, convolution, normalisation, activation."""
    z, y, x = (k // 2 for k in kernel)
    layers: list[nn.Module] = [nn.ReplicationPad3d((x, x, y, y, z, z))] if any((z, y, x)) else []
    layers += [nn.Conv3d(channels, out, kernel), nn.BatchNorm3d(out)]
    return nn.Sequential(*layers, nn.ELU(inplace=True)) if act else nn.Sequential(*layers)


def _upsample() -> nn.Upsample:
    return nn.Upsample(scale_factor=(1, 2, 2), mode="trilinear", align_corners=False)


def _orthogonal(module: nn.Module) -> None:
    if isinstance(module, nn.Conv3d):
        nn.init.orthogonal_(module.weight)
