"""Medians of things measured in turn, so that what else the machine does meets all of them alike."""

import statistics
import time
from collections.abc import Callable, Sequence


def in_turn(
    works: Sequence[Callable[[], object]], runs: int, clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    """Return the median seconds of each work, after one round that is not counted.

    Args:
        works: what to measure.
        runs: rounds that count.
        clock: wall time, or `time.process_time` for the CPU time of all threads.
    """
    seconds: list[list[float]] = [[] for _ in works]
    for run in range(runs + 1):
        for work, found in zip(works, seconds, strict=True):
            start = clock()
            work()
            if run:
                found.append(clock() - start)
    return [statistics.median(found) for found in seconds]
