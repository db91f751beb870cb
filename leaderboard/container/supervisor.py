"""Run the evaluation as a process of its own, so that whatever becomes of it, someone is left to say so.

The process may run out of memory and be killed, or break in a library; all its memory comes back when it ends; and
nothing that a library prints at its end can follow the line for the participant, which is written here, last.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from leaderboard.container.evaluation import too_large

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Supervisor"]

_LOST = "the evaluation itself failed, which is no fault of the submission; tell the organisers: it"


class Supervisor:
    """Runs a command whose standard output is one line that says what went wrong, or nothing.

    Parameters
    ----------
    command
        Program and arguments.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False

    def run(self) -> str | None:
        """Run it to its end, and write what went wrong to standard error as the last line.

        Returns
        -------
        str or None
            That line; None where all went well.
        """
        message = self._result()
        if message is not None:
            sys.stderr.write(f"{message}\n")
            sys.stderr.flush()
        return message

    def stop(self) -> None:
        """End the process that runs, if any, and start no more. May be called from a signal handler."""
        self._stopped = True
        if self._process is not None:
            self._process.terminate()

    def _result(self) -> str | None:
        try:
            status, output = self._run_process()
        except OSError as error:
            return f"{_LOST} could not be started ({error.strerror})"
        if status == os.EX_OK:
            return None
        if self._stopped:
            return "the evaluation was stopped before its end, most likely by the time limit of the platform"
        if status == -signal.SIGKILL:
            return too_large("the evaluation was killed")
        told = [line for line in output.split("\n") if line.strip()] if status > 0 else []
        return told[-1] if told else f"{_LOST} ended with {status}"

    def _run_process(self) -> tuple[int, str]:
        """Return the exit status, negative for a signal, and the standard output."""
        # The command is this very program, with paths that the organisers chose.
        command = self._command
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace") as process:  # noqa: S603
            self._process = process
            if self._stopped:
                process.terminate()
            output, _ = process.communicate()
        self._process = None
        return process.returncode, output
