"""The platform's way to call an image that stays up: health and one evaluation at a time, over HTTP."""

from __future__ import annotations

import signal
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from leaderboard.container.paths import SetupError

if TYPE_CHECKING:
    from types import FrameType

    from leaderboard.container.supervisor import Supervisor

__all__ = ["PORT", "serve"]

PORT = 4743
_EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - the platform calls from outside the container
_LONGEST_BODY = 2**20
_METHODS = {"/health": "GET", "/invoke": "POST"}


def serve(supervisor: Supervisor, *, port: int = PORT) -> None:
    """Answer until SIGTERM: ``GET /health`` with 200, ``POST /invoke`` with 201 once the evaluation is done.

    An evaluation that fails is answered with 500 and the line for the participant; one that is asked for while another
    runs, with 409. What a request holds does not matter, as long as it is no more than a megabyte.

    Parameters
    ----------
    supervisor
        Runs the evaluation.
    port
        0 for any that is free; the first line on standard error says which.

    Raises
    ------
    SetupError
        The port is taken.
    """
    try:
        server = _Server((_EVERY_ADDRESS, port), _Handler)
    except OSError as error:
        raise SetupError(f"cannot listen on port {port}: {error.strerror}") from error

    def stop(_signal: int, _frame: FrameType | None) -> None:
        supervisor.stop()
        # It waits for the loop below, which runs in this very thread.
        threading.Thread(target=server.shutdown).start()

    with server:
        server.supervisor = supervisor
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        sys.stderr.write(f"listening on port {server.server_port}\n")
        sys.stderr.flush()
        server.serve_forever()


class _Server(ThreadingHTTPServer):
    """A server that answers what it has begun before it ends."""

    daemon_threads = False
    supervisor: Supervisor

    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - as of the standard library
        super().__init__(*args)
        self.running = threading.Lock()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Say nothing of callers who went away, for the line for the participant is to stay the last."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 5
    """Seconds that a caller may be silent in the middle of a request."""

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        if path not in _METHODS:
            self._respond(HTTPStatus.NOT_FOUND, f"there is {' and '.join(_METHODS)}")
        elif self.command != _METHODS[path]:
            self._respond(HTTPStatus.METHOD_NOT_ALLOWED, f"{path} takes {_METHODS[path]}", Allow=_METHODS[path])
        elif path == "/health":
            self._respond(HTTPStatus.OK, "ready")
        elif not self._skip_body():
            self._respond(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body may have up to {_LONGEST_BODY:,} bytes")
        else:
            self._invoke()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer  # noqa: N815

    def _invoke(self) -> None:
        if not self.server.running.acquire(blocking=False):
            self._respond(HTTPStatus.CONFLICT, "an evaluation is running; ask again when it is done")
            return
        try:
            message = self.server.supervisor.run()
        finally:
            self.server.running.release()
        if message is None:
            self._respond(HTTPStatus.CREATED, "done")
        else:
            self._respond(HTTPStatus.INTERNAL_SERVER_ERROR, message)

    def _skip_body(self) -> bool:
        """Read the body, for a caller who is not read to the end may not see the answer; tell whether it was short."""
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdigit() and int(length) <= _LONGEST_BODY):
            return False
        self.rfile.read(int(length))
        return True

    def _respond(self, status: HTTPStatus, text: str, **headers: str) -> None:
        body = f"{text}\n".encode()
        self.send_response(status)
        for name, value in {"Content-Type": "text/plain; charset=utf-8", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - as of the standard library
        """Keep requests out of the log, where the line for the participant is to stay the last."""
