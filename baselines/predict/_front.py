"""The front door: an image and a network in, probabilities out, to a file or as an array."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from baselines.predict._heap import kept_memory
from baselines.predict._image import Image, opened
from baselines.predict._model import Model, choose_device, is_half, threads
from baselines.predict._plan import Plan, plan_prediction
from baselines.predict._store import hash_of, kept_parts
from baselines.predict._stream import blended
from baselines.predict._window import Window, check_patch
from mitobench.files import check_output_folder
from mitobench.volumes import write_hdf5

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from baselines.networks import Network
    from baselines.predict._model import Precision
    from mitobench.types import PathOrStr, Progress

__all__ = ["PredictReport", "predict", "predict_array"]

_SLAB_BYTES = 64 * 2**20


@dataclass(frozen=True, kw_only=True)
class PredictReport:
    """What a prediction took.

    Attributes
    ----------
    voxels
        Of the volume.
    predicted
        Those of them that this run computed; the others were there from an earlier one.
    seconds
        From the first byte read to the last one written.
    network_seconds
        What the network alone took of it.
    voxels_per_second
        Predicted ones, in all of the time.
    tiles
        Parts into which memory cut each section.
    recomputed
        Share of windows computed once more because of that.
    device
        Where the network ran.
    precision
        ``full`` or ``half``.
    """

    voxels: int
    predicted: int
    seconds: float
    network_seconds: float
    voxels_per_second: float
    tiles: int
    recomputed: float
    device: str
    precision: str


def predict(
    network: Network,
    image: Any,  # noqa: ANN401 - paths and arrays
    path: PathOrStr,
    window: Window | None = None,
    *,
    device: str = "auto",
    precision: Precision = "auto",
    memory: int = 2 * 10**9,
    workers: int | None = None,
    progress: Progress | None = None,
    resume: bool = True,
) -> PredictReport:
    """Predict a volume of any size to an HDF5 file: dataset ``main``, uint8 (channel, z, y, x), gzip.

    Values are ``floor(255 p)``; ``batch``, ``memory`` and ``workers`` change them by rounding only, at most by 1.
    Finished parts are kept in a hidden folder beside the file, and a run that is cut off goes on with them if network,
    image, window, kind of device and precision are the same.

    Parameters
    ----------
    network
        With its weights. It is not changed.
    image
        As in `mitobench.volumes.open_image`: uint8, or real numbers from 0 to 1.
    path
        File to write; replaced if it exists.
    window
        Windows and what happens to the image; the published ones by default.
    device
        ``cpu``, ``cuda``, or ``auto`` for the GPU where there is one.
    precision
        ``full``: 32 bits; ``half``: 16, float16 on a GPU, bfloat16 on a CPU, which is faster where the CPU has
        instructions for it and moves probabilities by some hundredths; ``auto``: half on a GPU, full on a CPU.
    memory
        Bytes for sums and for what is read and written, beside the network and what it holds for a batch. Checking the
        image before and writing the file after need about 300 MB in any case.
    workers
        Threads of the CPU; by default what PyTorch and the machine choose.
    progress
        Called with (voxels done, voxels in all).
    resume
        False throws away what an earlier run left.

    Raises
    ------
    InvalidInputError
        The image cannot be predicted, the network cannot take such windows, or gives values that are no numbers.
    UnusableFileError
        The image cannot be read or the file not be written.
    MemoryLimitError
        Not even one row of windows fits in memory, or a batch not in that of the GPU.

    Warns
    -----
    InputWarning
        The image is smaller than a window, or parts of an earlier run belong to another job.
    """
    began = time.perf_counter()
    window = window or Window()
    target = check_output_folder(path).absolute()
    with _prepared(network, image, window, device, precision, memory=memory, workers=workers) as (plan, source, model):
        channels = model.channels
        job = {"network": hash_of(network), "image": source.scan(), "settings": _settings(window, model)}
        with kept_parts(target, job, channels, resume=resume) as parts:
            voxels = math.prod(plan.shape)
            before = done = sum(box.voxels for box in plan.boxes() if box in parts)
            with kept_memory():
                for box, values in blended(plan, source, model, window.at_a_time, as_bytes=True, done=parts):
                    parts.put(box, values)
                    done += box.voxels
                    if progress is not None:
                        progress(done, voxels)
            shape = channels, *plan.shape
            write_hdf5(target, parts.sections, shape=shape, dtype=np.uint8, chunks=_chunks(shape))
    seconds = time.perf_counter() - began
    return PredictReport(
        voxels=voxels,
        predicted=voxels - before,
        seconds=seconds,
        network_seconds=model.seconds,
        voxels_per_second=(voxels - before) / seconds,
        tiles=len(plan.tiles),
        recomputed=plan.recomputed,
        device=str(model.device),
        precision=model.precision,
    )


def predict_array(
    network: Network,
    image: Any,  # noqa: ANN401 - arrays of several libraries, and paths
    window: Window | None = None,
    *,
    device: str = "auto",
    precision: Precision = "auto",
    memory: int = 2 * 10**9,
    workers: int | None = None,
) -> NDArray[np.float32]:
    """Return the probabilities of a volume in memory, float32 (channel, z, y, x) from 0 to 1.

    Parameters and errors as in `predict`.

    Examples
    --------
    >>> from baselines.networks import build_network
    >>> network = build_network("unet-residual-3d", {"filters": (2, 3)})
    >>> predict_array(network, np.zeros((4, 8, 8), np.uint8), Window(patch=(2, 4, 4))).shape
    (2, 4, 8, 8)
    """
    window = window or Window()
    with _prepared(network, image, window, device, precision, memory=memory, workers=workers) as (plan, source, model):
        source.scan()
        found = np.empty((model.channels, *plan.shape), np.float32)
        with kept_memory():
            for box, values in blended(plan, source, model, window.at_a_time, as_bytes=False):
                found[(slice(None), *box.slices)] = values
    return found


@contextmanager
def _prepared(
    network: Network,
    image: Any,  # noqa: ANN401
    window: Window,
    device: str,
    precision: Precision,
    *,
    memory: int,
    workers: int | None,
) -> Iterator[tuple[Plan, Image, Model]]:
    """Check everything that can be checked before the first window."""
    check_patch(network, window)
    where = choose_device(device)
    half = is_half(precision, where)
    config = network.config
    with opened(image, config.in_channels, window) as source, threads(workers), torch.inference_mode():
        plan = plan_prediction(
            source.shape,
            window,
            images=config.in_channels,
            channels=config.out_channels,
            itemsize=source.channels[0].dtype.itemsize,
            memory=memory,
        )
        yield plan, source, Model(network, window, where, half=half)


def _settings(window: Window, model: Model) -> dict[str, Any]:
    """Return what the result depends on; the batch and the memory only decide how fast it comes."""
    return {**asdict(window), "batch": None, "device": model.device.type, "precision": model.precision}


def _chunks(shape: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Return chunks of one channel, no deeper than what is written at a time."""
    channels, depth, height, width = shape
    deep = max(1, min(16, depth, _SLAB_BYTES // (channels * height * width)))
    return 1, deep, min(256, height), min(256, width)
