"""A network on its device: windows of an image in, probabilities out."""

from __future__ import annotations

import copy
import time
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from baselines.networks import channels_last
from baselines.predict._heap import layers_from_heap
from mitobench.errors import InvalidInputError, MemoryLimitError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from baselines.networks import Network
    from baselines.predict._window import Window
    from mitobench.types import AnyArray

__all__ = ["Model", "Precision", "choose_device", "is_half", "threads"]

Precision = Literal["auto", "full", "half"]

_DEVICES = ("auto", "cpu", "cuda")
_HALF = {"cpu": torch.bfloat16, "cuda": torch.float16}


def choose_device(device: str) -> torch.device:
    """Return the device of a name; ``auto`` is the GPU where there is one.

    Raises
    ------
    InvalidInputError
        There is none of this name.
    """
    kind = device.partition(":")[0]
    if kind not in _DEVICES:
        raise InvalidInputError(f"device is {device!r}; allowed: {', '.join(_DEVICES)}")
    if kind == "cuda" and not torch.cuda.is_available():
        raise InvalidInputError("device is 'cuda', but no GPU can be used here; choose 'cpu' or 'auto'")
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(device)


def is_half(precision: Precision, device: torch.device) -> bool:
    """Tell whether to compute in half precision; ``auto`` does on a GPU.

    Raises
    ------
    InvalidInputError
        There is no such precision.

    Examples
    --------
    >>> is_half("auto", torch.device("cpu")), is_half("half", torch.device("cpu"))
    (False, True)
    """
    if precision not in get_args(Precision):
        raise InvalidInputError(f"precision is {precision!r}; allowed: {', '.join(get_args(Precision))}")
    return precision == "half" or (precision == "auto" and device.type == "cuda")


@contextmanager
def threads(workers: int | None) -> Iterator[None]:
    """Let PyTorch compute in so many threads of the CPU; None changes nothing.

    Raises
    ------
    InvalidInputError
        It is no number of threads.
    """
    if workers is not None and workers < 1:
        raise InvalidInputError(f"workers is {workers}; allowed: whole numbers from 1")
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(workers or before)
        yield
    finally:
        torch.set_num_threads(before)


class Model:
    """A copy of a network, ready to predict: normalisations folded into convolutions, channels last.

    Parameters
    ----------
    network
        Not changed.
    window
        Mirror images to average, and what values the network sees.
    device
        Where it computes.
    half
        Whether in half precision: bfloat16 on a CPU, float16 on a GPU.
    """

    def __init__(self, network: Network, window: Window, device: torch.device, *, half: bool) -> None:
        self.device = device
        self.channels = network.config.out_channels
        self._window = window
        self.dtype = _HALF[device.type] if half else torch.float32
        self._network = _prepared(network).to(device, self.dtype)
        self.precision = "half" if half else "full"
        self._clock = _Clock(device)

    @property
    def seconds(self) -> float:
        """What the network alone took until now, without the work around it."""
        return self._clock.seconds

    def __call__(self, windows: AnyArray) -> Tensor:
        """Return probabilities of windows, float32 (window, channel, z, y, x), averaged over mirror images.

        Raises
        ------
        MemoryLimitError
            The batch does not fit in the memory of the GPU.
        """
        try:
            return self._mean(self._seen(windows))
        except torch.cuda.OutOfMemoryError as error:
            raise MemoryLimitError(
                f"a batch of {len(windows)} windows of {self._window.patch} does not fit in the memory of "
                f"{self.device}; predict with a smaller batch"
            ) from error

    def logits(self, image: Tensor) -> Tensor:
        """Return what the network alone says of images of its type, (window, channel, z, y, x)."""
        with self._clock, layers_from_heap():
            logits: Tensor = self._network(image)
        return logits

    def _seen(self, windows: AnyArray) -> Tensor:
        """Return windows as the network wants them; bytes are moved as bytes."""
        image = torch.from_numpy(windows).to(self.device)
        image = image.float().div_(255) if image.dtype == torch.uint8 else image
        return (image - 0.5) / 0.5 if self._window.intensity == "centred" else image

    def _mean(self, image: Tensor) -> Tensor:
        mean = self._probabilities(image)
        for axes in self._window.flips_of_axes:
            mean += self._probabilities(image.flip(axes)).flip(axes)
        return mean.div_(1 + len(self._window.flips_of_axes))

    def _probabilities(self, image: Tensor) -> Tensor:
        image = image.to(self.dtype, memory_format=torch.channels_last_3d)
        return self.logits(image).float().sigmoid_().contiguous()


def _prepared(network: Network) -> nn.Module:
    copied: nn.Module = copy.deepcopy(network).eval()
    for module in list(copied.modules()):
        if isinstance(module, nn.Sequential):
            _fold_normalisations(module)
    return copied.to(memory_format=channels_last(network))  # type: ignore[call-overload,no-any-return]


def _fold_normalisations(layers: nn.Sequential) -> None:
    """Join each convolution with the normalisation behind it; equal but for rounding."""
    for k, (first, second) in enumerate(pairwise(list(layers))):
        if isinstance(first, nn.Conv3d) and isinstance(second, nn.BatchNorm3d):
            layers[k], layers[k + 1] = fuse_conv_bn_eval(first, second), nn.Identity()


class _Clock:
    """Adds up what happens inside of it, without waiting for the GPU."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._waiting: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []
        self._sum = 0.0
        self._start = 0.0

    @property
    def seconds(self) -> float:
        while self._waiting:
            start, stop = self._waiting.pop()
            stop.synchronize()
            self._sum += start.elapsed_time(stop) / 1000
        return self._sum

    def __enter__(self) -> None:
        if self._cuda:
            self._waiting.append((_event(), _event()))
            self._waiting[-1][0].record()
        else:
            self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        if self._cuda:
            self._waiting[-1][1].record()
        else:
            self._sum += time.perf_counter() - self._start


def _event() -> torch.cuda.Event:
    event: torch.cuda.Event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    return event
