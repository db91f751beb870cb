"""Start a viewer in the browser, if its library is there."""

from __future__ import annotations

import sys
import webbrowser
from os import environ
from typing import TYPE_CHECKING, Protocol, Self

from mitobench.errors import MissingExtraError

if TYPE_CHECKING:
    from mitobench.view._scene import Scene

__all__ = ["MOST_ERRORS", "Session", "open_browser", "start_viewer"]

MOST_ERRORS = 5000
"""The list holds so many errors: the browser sends all of them back whenever something moves."""


class Session(Protocol):
    """A viewer that is being served. It ends with `close`, or with the ``with`` block that it is used in."""

    @property
    def url(self) -> str:
        """Address on this machine."""

    def close(self) -> None:
        """Stop serving."""

    def __enter__(self) -> Self:
        """Return itself."""

    def __exit__(self, *_: object) -> None:
        """Close it."""


def start_viewer(scene: Scene, *, port: int = 0) -> Session:
    """Serve neuroglancer with a scene on 127.0.0.1, in threads of its own.

    Parameters
    ----------
    scene
        Stays open for as long as the session lasts.
    port
        To listen on; 0 for any that is free.

    Raises
    ------
    MissingExtraError
        neuroglancer is not installed.
    InvalidInputError
        The port is taken, not allowed or not a port.
    UnusableFileError
        The image cannot be read where the view begins.
    """
    try:
        from mitobench.view._server import NeuroglancerSession
    except ImportError as error:
        raise MissingExtraError(
            f"the viewer needs the neuroglancer library ({error}); run pip install 'mitobench[view]'"
        ) from error
    return NeuroglancerSession(scene, scene.mistakes[:MOST_ERRORS], port)


def open_browser(url: str) -> bool:
    """Open a page in the browser of the user; tell whether that worked."""
    # Without a display the standard library would start a text browser in the terminal.
    if sys.platform.startswith("linux") and not {"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"} & set(environ):
        return False
    return webbrowser.open(url)
