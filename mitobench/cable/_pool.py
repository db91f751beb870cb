"""A function over many large arguments in several processes, with a bound on the memory under way."""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import parent_process
from multiprocessing.context import SpawnContext, SpawnProcess
from threading import Thread
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from mitobench.errors import MemoryLimitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["in_processes"]

A = TypeVar("A")
R = TypeVar("R")


def in_processes(
    function: Callable[[A], R],
    arguments: Iterable[tuple[int, A, int]],
    done: Callable[[int, R], None],
    *,
    workers: int,
    budget: int,
) -> None:
    """Call a function of the top level of a module in several processes.

    Parameters
    ----------
    function
        What to call; it and its arguments and results are pickled.
    arguments
        Yields (key, argument, cost); it is asked for the next one when there is room.
    done
        Called with (key, result), here, in any order.
    workers
        Number of processes.
    budget
        Sum of the costs of calls under way, unless one alone costs more.

    Raises
    ------
    MemoryLimitError
        A process died.
    Exception
        Whatever the function raised first; the other processes are ended.
    """
    running: dict[Future[R], tuple[int, int]] = {}

    def collect() -> None:
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            key, _ = running.pop(future)
            done(key, future.result())

    with _pool(workers) as pool:
        for key, argument, cost in arguments:
            while len(running) >= 2 * workers or (running and sum(c for _, c in running.values()) + cost > budget):
                collect()
            running[pool.submit(function, argument)] = key, cost
        while running:
            collect()


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    context = _Context()
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent) as pool:
        try:
            yield pool
        except BaseException as error:
            for process in context.started:
                if process.is_alive():
                    process.kill()
            if isinstance(error, BrokenProcessPool):
                raise MemoryLimitError(
                    "a process that traced skeletons died, most likely for want of memory; give fewer workers or a "
                    "lower memory limit"
                ) from error
            raise


class _Worker(SpawnProcess):
    """Does not run the caller's script again, which may have no ``if __name__ == "__main__"``, and ignores Ctrl-C."""

    def start(self) -> None:
        script = sys.modules["__main__"]
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if hasattr(signal, "pthread_sigmask") else None
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            super().start()
        finally:
            sys.modules["__main__"] = script
            if mask is not None:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)


class _Context(SpawnContext):
    """Starts workers and remembers them, so that they can be ended."""

    def __init__(self) -> None:
        self.started: list[_Worker] = []

    def Process(self, *args: Any, **kwargs: Any) -> _Worker:  # type: ignore[override]  # noqa: ANN401, N802
        process = _Worker(*args, **kwargs)
        self.started.append(process)
        return process


def _end_with_parent() -> None:
    """Watch the parent: a pool's worker would wait for work for ever after it was killed."""
    Thread(target=_wait_and_exit, daemon=True).start()


def _wait_and_exit() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
