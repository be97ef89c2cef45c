"""Work on many items in parallel worker processes, in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from cryoverdict.engine.engine_error import EngineError

# What is left of a socket's 107 bytes beside the names that Python adds.
LONGEST_TEMPORARY = 60
Item = TypeVar("Item")
Result = TypeVar("Result")


def each(
    work: Callable[[Item], Result], items: Iterable[Item], *, threads: int
) -> Iterator[Result]:
    """Yield ``work(item)`` for each item, in order, from ``threads`` worker processes.

    At most ``2 * threads`` items are under way, so that memory does not grow with their number.
    ``work`` and the items must be importable by name; one thread works in this process. Whatever
    ends the iteration early, an interrupt too, ends the workers at once; work that writes must
    therefore write whole files or none.
    """
    if threads <= 1:
        # As in a worker: sums over several threads round otherwise, and so would the results.
        import scipy.linalg  # noqa: F401 brings a BLAS; only what is loaded can be limited
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):
            yield from map(work, items)
        return
    from concurrent.futures import Future, ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import active_children, forkserver, get_context, resource_tracker

    _name_sockets_shortly()
    waiting: deque[Future[Result]] = deque()
    resource_tracker.ensure_running()  # it sets the mask of its own, and would undo this one
    with _signals_held_back():
        # Workers inherit the mask of the server that forks them.
        forkserver.ensure_running()
    # Forking a process that holds threads (BLAS, progress bars) can deadlock: a fork server cannot.
    pool = ProcessPoolExecutor(
        threads, mp_context=get_context("forkserver"), initializer=_begin_worker
    )
    before = set(active_children())
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        msg = "a worker process was killed, likely for lack of memory; use fewer --threads"
        raise EngineError(msg) from error
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in set(active_children()) - before:
            child.kill()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """Block Ctrl-C and the request to end, for this thread and the processes it starts.

    A terminal and a job scheduler signal the whole process group. The parent alone answers, and
    ends its workers: one that answered for itself would show a traceback, or look like a crash.
    """
    import signal

    mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _name_sockets_shortly() -> None:
    """Let the workers' sockets lie in a folder whose name is short enough for the system.

    A name of a socket may have 107 bytes; the temporary folders that workflow runners give to a job
    are often longer.
    """
    import tempfile
    from multiprocessing import util

    given = tempfile.gettempdir()
    if len(given) <= LONGEST_TEMPORARY:
        return
    tempfile.tempdir = "/tmp"
    try:
        # Made once, for the life of this process, and removed at its end.
        util.get_temp_dir()
    finally:
        tempfile.tempdir = given


def _begin_worker() -> None:
    """Keep a worker to one thread (the workers are the parallelism), and to its parent's life."""
    from threading import Thread

    import scipy.linalg  # noqa: F401 brings a BLAS; only what is loaded can be limited
    from threadpoolctl import threadpool_limits

    Thread(target=_end_with_parent, daemon=True).start()
    threadpool_limits(1)


def _end_with_parent() -> None:
    """End this worker when its parent is gone: workers hold each other's pipes open for ever."""
    import os
    from multiprocessing import parent_process
    from multiprocessing.connection import wait

    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
