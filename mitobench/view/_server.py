"""The viewer in the browser: volumes, surfaces and lists, served by neuroglancer's own server. Needs neuroglancer."""

from __future__ import annotations

import json
import os
import socket
import warnings
from contextlib import contextmanager
from importlib import resources
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from neuroglancer import CoordinateSpace, LocalVolume, _neuroglancer
from neuroglancer.local_volume import InvalidObjectIdForMesh
from neuroglancer.server import Server
from neuroglancer.static import get_default_static_content_source
from neuroglancer.viewer_base import ViewerBase
from tornado.web import RequestHandler

from mitobench.errors import InputWarning, InvalidInputError, MitobenchError
from mitobench.types import Box
from mitobench.view._lazy import LazyArray, image_dtype, label_dtype
from mitobench.view._mesh import LARGEST_BOX, coarse_mask, strides
from mitobench.view._mistakes import SIDES, Mistake, worst
from mitobench.view._segments import segment_properties
from mitobench.view._state import ERRORS, ImageLayer, first_state, view_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mitobench.report import Columns
    from mitobench.types import AnyArray, Volume
    from mitobench.view._scene import Scene, VoxelSize

__all__ = ["NeuroglancerSession"]

_LOOPBACK = "127.0.0.1"
_SCRIPT = b'<script defer src="errors.js"></script>'


class NeuroglancerSession:
    """A running server with one viewer. Nothing of it is global, so several can run side by side."""

    def __init__(self, scene: Scene, errors: Sequence[Mistake], port: int) -> None:
        self._scene = scene
        self._server = _listen(port)
        # The token is random in every session: who does not know it gets nothing from the server.
        self._viewer = ViewerBase(allow_credentials=False)
        self._server.viewers[self._viewer.token] = self._viewer
        self.url = f"{self._server.server_url}/v/{self._viewer.token}/"
        try:
            self._serve_page(errors)
            self._viewer.set_state(self._first_state(errors))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop serving, and wait for the thread of the server; the scene stays open."""
        self._server.stop()
        self._server.executor.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _first_state(self, errors: Sequence[Mistake]) -> dict[str, Any]:
        return first_state(
            shape=self._scene.volume.shape,
            voxel_size=self._scene.voxel_size,
            images=[self._image(position) for position in range(len(self._scene.image))],
            labels={side: [self._labels(side), self._properties(side)] for side in SIDES},
            errors=errors,
            first=worst(errors),
        )

    def _labels(self, side: str) -> str:
        volume = getattr(self._scene, side)
        array = LazyArray(volume, label_dtype(volume.dtype))
        return self._register(_Labels(array, volume, self._scene.volume.instances[side], self._scene.voxel_size))

    def _image(self, position: int) -> ImageLayer:
        channel = self._scene.image[position]
        name = "image" if len(self._scene.image) == 1 else f"image {position}"
        array = LazyArray(channel, image_dtype(channel.dtype))
        source = self._register(_Sections(array, channel.name, self._scene.voxel_size, "image"))
        return ImageLayer(name, source, self._scene.contrast(channel))

    def _register(self, volume: LocalVolume) -> str:
        return str(self._viewer.volume_manager.register_volume(volume))

    def _properties(self, side: str) -> str:
        """Serve the segment properties of a side beside the viewer, where no other origin has to be allowed."""
        self._serve(f"{side}/info", _json(segment_properties(self._scene.volume.instances[side])))
        return f"precomputed://{self.url}{side}"

    def _serve_page(self, errors: Sequence[Mistake]) -> None:
        """Serve neuroglancer's page with a script of ours, and what that needs to know."""
        page, _ = get_default_static_content_source().get("", "")
        first = worst(errors)
        views = {mistake.name: view_of(mistake, self._scene.voxel_size) for mistake in errors}
        self._serve("", page.replace(b"</head>", _SCRIPT + b"</head>"), "text/html")
        self._serve("errors.js", resources.files(__package__).joinpath("errors.js").read_bytes(), "text/javascript")
        self._serve("errors.json", _json({"layer": ERRORS, "first": first and first.name, "views": views}))

    def _serve(self, path: str, body: bytes, content_type: str = "application/json") -> None:
        address = f"/v/{self._viewer.token}/{path}"
        self._server.app.add_handlers(".*", [(address, _Fixed, {"body": body, "content_type": content_type})])


def _listen(port: int) -> Server:
    # The system would take a larger number modulo 2^16.
    if not 0 <= port < 2**16:
        raise InvalidInputError(f"port is {port}; expected 1 to 65535, or 0 for any that is free")
    try:
        # Tried first because the server would leave its socket open when it fails.
        socket.create_server((_LOOPBACK, port)).close()
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise InvalidInputError(
            f"cannot listen on port {port} of {_LOOPBACK} ({reason}); choose another port, or 0 for any that is free"
        ) from error
    return Server(bind_address=_LOOPBACK, bind_port=port)


class _Fixed(RequestHandler):
    """Answer with what was made beforehand."""

    def initialize(self, body: bytes, content_type: str) -> None:
        self._body, self._type = body, content_type

    def get(self) -> None:
        self.set_header("Content-Type", f"{self._type}; charset=utf-8")
        self.finish(self._body)


def _json(value: object) -> bytes:
    return json.dumps(value, allow_nan=False).encode()


class _Sections(LocalVolume):  # type: ignore[misc] # neuroglancer has no types
    """A volume that is sent in flat tiles: a section that is looked at costs only the chunks that it cuts."""

    def __init__(self, array: LazyArray, name: str, voxel_size: VoxelSize, volume_type: str) -> None:
        metres = [size / 1e9 for size in voxel_size[::-1]]
        dimensions = CoordinateSpace(names=["x", "y", "z"], units="m", scales=metres)
        super().__init__(_Xyz(array, name), dimensions=dimensions, volume_type=volume_type, downsampling="2d")


class _Labels(_Sections):
    """Instances, with their surfaces: neuroglancer would read the whole volume for the first of them."""

    def __init__(self, array: LazyArray, volume: Volume, columns: Columns, voxel_size: VoxelSize) -> None:
        super().__init__(array, volume.name, voxel_size, "segmentation")
        self._source, self._voxel_size = volume, voxel_size
        corners = zip(*(columns[axis + end] for end in "01" for axis in "zyx"), strict=True)
        self._boxes = {
            own: Box((z0, y0, x0), (z1, y1, x1))
            for own, (z0, y0, x0, z1, y1, x1) in zip(columns["id"], corners, strict=True)
        }

    def get_object_mesh(self, object_id: int) -> bytes:
        box = self._boxes.get(object_id)
        if box is None or box.voxels > LARGEST_BOX:
            raise InvalidObjectIdForMesh
        steps = strides(box.shape, self._voxel_size)
        with _told(self._source.name):
            mask = np.ascontiguousarray(coarse_mask(self._source, object_id, box, steps), np.uint8)
        return _encoded_mesh(mask, box, steps, self._voxel_size)


def _encoded_mesh(mask: AnyArray, box: Box, steps: Sequence[int], voxel_size: VoxelSize) -> bytes:
    """Return vertices in metres and triangles, as neuroglancer encodes them."""
    scales = [step * size / 1e9 for step, size in zip(steps, voxel_size, strict=True)]
    # The library puts the middle of the first voxel, here of the rim that closes the surface, at 0, its viewer at 0.5.
    offset = [start / step - 0.5 for start, step in zip(box.start, steps, strict=True)]
    meshes = _neuroglancer.OnDemandObjectMeshGenerator(
        np.pad(mask, 1), scales[::-1], np.array(offset[::-1]), max_quadrics_error=-1.0
    )
    mesh = meshes.get_mesh(1)
    if mesh is None:
        raise InvalidObjectIdForMesh
    return bytes(mesh)


class _Xyz:
    """An array (z, y, x) turned to (x, y, z)."""

    def __init__(self, array: LazyArray, name: str) -> None:
        self._array, self._name = array, name
        self.shape, self.dtype = array.shape[::-1], array.dtype

    def __getitem__(self, index: tuple[slice, ...]) -> AnyArray:
        with _told(self._name):
            return self._array[index[::-1]].T


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn an error of reading into a warning for the user and an answer that the server can give to the browser."""
    try:
        yield
    except MitobenchError as error:
        warnings.warn(str(error), InputWarning, stacklevel=2)
        raise ValueError(name) from error
