"""Work on many items in parallel worker processes, in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from cryoverdict.engine.engine_error import EngineError

Item = TypeVar("Item")
Result = TypeVar("Result")


def each(
    work: Callable[[Item], Result], items: Iterable[Item], *, threads: int
) -> Iterator[Result]:
    """Yield ``work(item)`` for each item, in order, from ``threads`` worker processes.

    At most ``2 * threads`` items are under way, so that memory does not grow with their number.
    ``work`` and the items must be importable by name; one thread works in this process.
    """
    if threads <= 1:
        yield from map(work, items)
        return
    from concurrent.futures import Future, ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import active_children, get_context

    waiting: deque[Future[Result]] = deque()
    # Forking a process that holds threads (BLAS, progress bars) can deadlock: a fork server cannot.
    pool = ProcessPoolExecutor(
        threads, mp_context=get_context("forkserver"), initializer=_use_one_thread
    )
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
    except (KeyboardInterrupt, GeneratorExit):
        # Waiting here would hang on a second Ctrl-C; the store keeps only whole measurements.
        pool.shutdown(wait=False, cancel_futures=True)
        for child in active_children():
            child.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _use_one_thread() -> None:
    """Keep a worker's numerical libraries to one thread: the workers are the parallelism."""
    import signal

    from threadpoolctl import threadpool_limits

    # Ctrl-C reaches the whole process group; the parent alone answers it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threadpool_limits(1)
