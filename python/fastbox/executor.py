"""`concurrent.futures` over containers: `Executor`."""

from __future__ import annotations

import os
import threading
from concurrent import futures

from fastbox._jobs import Job
from fastbox.containers import Plan, prepare
from fastbox.many import Many, checked
from fastbox.pool import Pool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, Unpack

    from fastbox._calls import Command, JobCall
    from fastbox.config import Config
    from fastbox.containers import Completed

__all__ = ["Executor"]


class Executor(futures.Executor):
    """Runs commands, each in a container of its own; `submit` gives a Future of a `Completed`.

    What other executors take as a callable is a command here, what they take as keywords are
    those of `Pool.run` (`input`, `timeout`, `env`, `cwd`, `files`, `text`, `check`, ...).
    `concurrency` run at the same time (four for each processor unless given), without a thread
    for each; the rest waits. Cancelling a Future works until its run is over, and kills it.

    `source` is an image's name with options, a Plan or a Pool, which stays open.
    """

    def __init__(
        self,
        source: str | Plan | Pool,
        *,
        concurrency: int | None = None,
        **config: Unpack[Config],
    ) -> None:
        if concurrency is not None and concurrency < 1:
            raise ValueError(f"concurrency must be at least 1, not {concurrency}")
        if isinstance(source, str):
            source = prepare(source, **config)
        elif config:
            raise TypeError("a Plan or a Pool has its options already: give them to prepare()")
        self._source = source
        self._many = Many(concurrency or 4 * (os.cpu_count() or 1))
        self._lock = threading.Lock()
        self._running: dict[int, tuple[Job, _Future]] = {}
        self._collector: threading.Thread | None = None
        self._closed = False

    def submit(  # type: ignore[override]
        self, command: Command, /, **call: Unpack[JobCall]
    ) -> futures.Future[Completed[Any]]:
        """Queues a command."""
        if callable(command):
            raise TypeError(f"an Executor of containers runs commands, not callables: {command!r}")
        job = Job(self._source, command, **call)
        with self._lock:
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            number, _ = job.submit(self._many, False)
            future = _Future(lambda: self._many.cancel(number))
            self._running[number] = (job, future)
            if self._collector is None:
                # Not a daemon: what was submitted is waited for at the interpreter's end, as by
                # every executor.
                self._collector = threading.Thread(target=self._collect, name="fastbox-executor")
                self._collector.start()
        return future

    def map(  # type: ignore[override]
        self,
        commands: Iterable[Command],
        /,
        **call: Unpack[JobCall],
    ) -> Iterator[Completed[Any]]:
        """Queues all commands; yields their results in order. `timeout` is each run's own."""
        queued = [self.submit(command, **call) for command in commands]

        def results() -> Iterator[Completed[Any]]:
            try:
                for future in queued:
                    yield future.result()
            finally:
                for future in queued:
                    future.cancel()

        return results()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Refuses new commands. `cancel_futures` kills those that run, and drops those that wait.

        With `wait` it returns when all are over.
        """
        with self._lock:
            self._closed = True
            collector = self._collector
            pending = [future for _, future in self._running.values()]
        if cancel_futures:
            for future in pending:
                future.cancel()
        if wait and collector is not None:
            collector.join()

    def _collect(self) -> None:
        """Hands results to their futures, as long as there are some to come."""
        while True:
            with self._lock:
                if not self._running:
                    self._collector = None
                    return
            number, result = self._many.next()
            with self._lock:
                job, future = self._running.pop(number)
            result = checked(job, result)
            # One that was cancelled has its end already.
            if future.set_running_or_notify_cancel():
                if isinstance(result, Exception):
                    future.set_exception(result)
                else:
                    future.set_result(result)


class _Future(futures.Future["Completed[Any]"]):
    """One that can be cancelled for as long as its container runs."""

    def __init__(self, kill: Callable[[], None]) -> None:
        super().__init__()
        self._kill = kill

    def cancel(self) -> bool:
        """True unless it is over; what runs is killed."""
        cancelled = super().cancel()
        if cancelled:
            self._kill()
        return cancelled
