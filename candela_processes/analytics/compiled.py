"""How this room compiles its kernels and spreads them over the cores.

Kernels are compiled lazily (a process pays only for the pixel type it meets), release the interpreter lock and are
spread by ordinary threads: numba's own thread pools do not survive a fork and refuse concurrent callers.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numba

# Sums may be reordered and fused, so that loops vectorise; NaN and infinity keep their meaning.
REORDERED = {"reassoc", "contract", "nsz", "arcp"}


def kernel[Function: Callable[..., Any]](function: Function) -> Function:
    """Compile a loop over pixels on its first call, and keep the machine code on disk where a folder may be written.

    Several processes may fill the cache at once: numba writes a temporary name and renames it.
    """
    options: dict[str, Any] = {"nogil": True, "fastmath": REORDERED}
    return _cached(function, options)


def scalar[Function: Callable[..., Any]](function: Function) -> Function:
    """Compile a function of numbers, with strict arithmetic, for use from Python and inside kernels."""
    return _cached(function, {"nogil": True})


def _cached[Function: Callable[..., Any]](function: Function, options: dict[str, Any]) -> Function:
    """Compile with the disk cache, or without it where numba finds no folder that it may write."""
    # A kernel carries copies of the functions it calls. Without forced inlining the process that compiles them links
    # the ones compiled on their own instead, whose sums are ordered otherwise than in the copies that the cache keeps.
    options = options | {"forceinline": True}
    try:
        compiled: Function = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # raised at decoration: no cache folder may be written, as in a read-only container
        compiled = numba.njit(**options)(function)
    return compiled


def cores() -> int:
    """Return the number of processors that this process may use.

    From Python 3.13 on the operator may lower it by PYTHON_CPU_COUNT, as for a container with a share of a processor.
    """
    if sys.version_info >= (3, 13):
        return os.process_cpu_count() or 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order[Result](calls: Iterable[Callable[[], Result]]) -> Iterator[Result]:
    """Run the calls on all cores and yield their results in the order given, holding only a few calls at a time.

    The order makes reductions independent of the number of threads.
    """
    threads = cores()
    if threads == 1:
        for call in calls:
            yield call()
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Result]] = deque()
        for call in calls:
            waiting.append(pool.submit(call))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
