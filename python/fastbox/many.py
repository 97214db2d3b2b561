"""Many runs at once, without a thread for each: `run_many`."""

from __future__ import annotations

import os

from fastbox._core import Many
from fastbox._jobs import Job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from fastbox.containers import Completed

__all__ = ["Job", "Many", "run_many"]


def run_many(
    jobs: Iterable[Job], *, concurrency: int | None = None
) -> Iterator[tuple[Job, Completed[Any] | Exception]]:
    """Runs jobs, and yields each with its result, or with the exception it ended with, as they end.

    `concurrency` run at the same time (four for each processor unless given); what the machine has
    no room for waits its turn. `jobs` is read as needed and may be endless. An iterator that is
    dropped early kills what still runs.

    Raises nothing of a job's own: ExitError of `check=True`, ContainerTimeout and errors of the
    start are yielded.
    """
    if concurrency is not None and concurrency < 1:
        raise ValueError(f"concurrency must be at least 1, not {concurrency}")
    return _as_they_end(iter(jobs), concurrency or 4 * (os.cpu_count() or 1))


def _as_they_end(
    jobs: Iterator[Job], concurrency: int
) -> Iterator[tuple[Job, Completed[Any] | Exception]]:
    many = Many(concurrency)
    running: dict[int, Job] = {}
    more = True
    while more or running:
        # As many again wait behind those that run, so that no place is ever empty.
        while more and len(running) < 2 * concurrency:
            try:
                job = next(jobs)
            except StopIteration:
                more = False
                break
            try:
                number, _ = job.submit(many, False)
            except Exception as error:
                yield job, error
                continue
            running[number] = job
        if running:
            number, result = many.next()
            job = running.pop(number)
            yield job, checked(job, result)


def checked(job: Job, result: Completed[Any] | Exception) -> Completed[Any] | Exception:
    """The result, or the error that `check=True` makes of it."""
    if job.check and not isinstance(result, Exception):
        try:
            result.check_returncode()
        except Exception as error:
            return error
    return result


def in_order(jobs: Iterable[Job], concurrency: int) -> Iterator[Completed[Any]]:
    """Results in the order of the jobs; the first error is raised."""
    if concurrency < 1:
        raise ValueError(f"concurrency must be at least 1, not {concurrency}")
    waiting: dict[int, Completed[Any] | Exception] = {}
    order: list[Job] = []

    def noted() -> Iterator[Job]:
        for job in jobs:
            order.append(job)
            yield job

    return _in_order(noted(), order, waiting, concurrency)


def _in_order(
    jobs: Iterator[Job],
    order: list[Job],
    waiting: dict[int, Completed[Any] | Exception],
    concurrency: int,
) -> Iterator[Completed[Any]]:
    for job, result in _as_they_end(jobs, concurrency):
        waiting[id(job)] = result
        while order and id(order[0]) in waiting:
            first = waiting.pop(id(order.pop(0)))
            if isinstance(first, Exception):
                raise first
            yield first
