"""The 3D U-Net with squeeze-and-excitation of the public MitoEM configuration of 2021."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn
from torch.nn import functional

from baselines.networks._checks import check_counts, check_filters

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["SEUNet3D", "SEUNet3DConfig"]

_Kernel = tuple[int, int, int]
_FLAT: _Kernel = (1, 3, 3)
_CUBE: _Kernel = (3, 3, 3)
_WIDE: _Kernel = (1, 5, 5)


@dataclass(frozen=True, kw_only=True)
class SEUNet3DConfig:
    """Shape of the network.

    Attributes
    ----------
    in_channels, out_channels
        Images in, logits out; 2 for mask and contour.
    filters
        Channels of each stage, the finest first.
    isotropic
        Which stages have kernels of three sections and, by halving z too, fewer of them; the first one halves nothing.
    """

    in_channels: int = 1
    out_channels: int = 2
    filters: tuple[int, ...] = (28, 36, 48, 64, 80)
    isotropic: tuple[bool, ...] = (False, False, False, True, True)

    def __post_init__(self) -> None:
        check_counts(in_channels=self.in_channels, out_channels=self.out_channels)
        check_filters(self.filters, isotropic=self.isotropic)

    @property
    def multiple(self) -> tuple[int, int, int]:
        """What the edges z, y, x of an input, each less one, must be multiples of."""
        z = 2 ** sum(self.isotropic[1:])
        edge: int = 2 ** (len(self.filters) - 1)
        return z, edge, edge

    def fits(self, shape: tuple[int, int, int]) -> bool:
        """Whether an input may have this shape (z, y, x): one more than a multiple, so that corners stay in place."""
        return all(n > 0 and (n - 1) % edge == 0 for n, edge in zip(shape, self.multiple, strict=True))


class SEUNet3D(nn.Module):
    """Image (batch, in_channels, z, y, x) to logits (batch, out_channels, z, y, x).

    The names of the parameters are those of published checkpoints. As there, residual blocks see single sections in
    every stage; only the convolutions between stages are isotropic.

    References
    ----------
    Hu et al., CVPR 2018, doi:10.1109/CVPR.2018.00745 (squeeze-and-excitation).

    Examples
    --------
    >>> sum(p.numel() for p in SEUNet3D().parameters())
    935582
    """

    def __init__(self, config: SEUNet3DConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SEUNet3DConfig()
        filters = config.filters
        kernels = [_CUBE if cube else _FLAT for cube in config.isotropic]
        strides = [(1, 1, 1), *((2 if cube else 1, 2, 2) for cube in config.isotropic[1:])]
        self.conv_in = _unit(config.in_channels, filters[0], _WIDE)
        self.down_layers = nn.ModuleList(
            # Published checkpoints count a layer in front, which pools where a stage does not stride.
            nn.Sequential(nn.Identity(), _unit(above, own, kernel, stride), _ResidualSE(own))
            for above, own, kernel, stride in zip((filters[0], *filters), filters, kernels, strides, strict=False)
        )
        self.up_layers = nn.ModuleList(
            nn.Sequential(_unit(below, own, kernel), _ResidualSE(own))
            for own, below, kernel in zip(filters, filters[1:], kernels[1:], strict=False)
        )
        self.conv_out = nn.Sequential(_convolution(filters[0], config.out_channels, _WIDE, bias=True))
        self.apply(_orthogonal)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits of the image's shape along z, y, x."""
        x = self.conv_in(image)  # (b, 28, z, y, x)
        skips = []
        for stage in self.down_layers:
            x = stage(x)  # (b, 80, (z-1)/4 + 1, (y-1)/16 + 1, (x-1)/16 + 1) at the coarsest
            skips.append(x)
        for stage, skip in reversed(list(zip(self.up_layers, skips, strict=False))):
            reduce, block = stage.children()
            x = functional.interpolate(reduce(x), skip.shape[2:], mode="trilinear", align_corners=True)
            x = block(x + skip)
        logits: Tensor = self.conv_out(x)
        return logits

    @staticmethod
    def is_unused(key: str) -> bool:  # noqa: ARG004
        """Whether a parameter of a published checkpoint is never used: none is."""
        return False


class _ResidualSE(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Sequential(_unit(channels, channels, _FLAT), _unit(channels, channels, _FLAT, act=False)),
            _Excitation(channels),
        )
        self.act = nn.ELU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.act(self.conv(x) + x)
        return out


class _Excitation(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        fewer = channels // 4
        self.fc = nn.Sequential(
            nn.Linear(channels, fewer, bias=False),
            nn.ELU(inplace=True),
            nn.Linear(fewer, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        gate: Tensor = self.fc(x.mean(dim=(2, 3, 4)))  # (b, c)
        return x * gate[:, :, None, None, None]


def _convolution(
    channels: int, out: int, kernel: _Kernel, stride: _Kernel = (1, 1, 1), *, bias: bool = False
) -> nn.Conv3d:
    z, y, x = (k // 2 for k in kernel)
    return nn.Conv3d(channels, out, kernel, stride, (z, y, x), bias=bias, padding_mode="replicate")


def _unit(channels: int, out: int, kernel: _Kernel, stride: _Kernel = (1, 1, 1), *, act: bool = True) -> nn.Sequential:
    """Return convolution, normalisation, activation."""
    layers: list[nn.Module] = [_convolution(channels, out, kernel, stride), nn.BatchNorm3d(out)]
    return nn.Sequential(*layers, nn.ELU(inplace=True)) if act else nn.Sequential(*layers)


def _orthogonal(module: nn.Module) -> None:
    if isinstance(module, nn.Conv3d | nn.Linear):
        nn.init.orthogonal_(module.weight)
