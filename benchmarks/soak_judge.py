"""What a soak came to: memory over whole cycles, and the longest time without a prediction around each fault and swap.

Memory follows the size of the camera's frames, which goes through all of its sizes in a cycle. A straight line over a
part of a cycle says how large the frames were, not whether anything leaks; so the slope is that of the means of whole
cycles, and their spread is said with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from benchmarks import bad_camera

AFTER_S: Final = 20.0  # that a camera which is there again may be waited for
_AROUND_S: Final = 5.0  # before and after a swap that its gap is looked for


@dataclass(frozen=True)
class Sample:
    """The run at one moment, in seconds since the soak began; counts are since the run's start."""

    at_s: float
    rss_mb: float
    handles: int
    threads: int
    predicted: int
    outages: int
    restarts: int
    swaps: int
    dead: int
    ready: bool
    fault: str
    model: int


@dataclass(frozen=True)
class Asked:
    """A swap that was asked for; `done_s` is when the run said that it was done, None: it never did."""

    asked_s: float
    done_s: float | None


def cycle_s(every_s: float) -> float:
    """Return how long the camera takes to go through all sizes of its frames."""
    return every_s * len(bad_camera.FAULTS) * len(bad_camera.SIZES)


def cycle_means(samples: Sequence[Sample], length_s: float) -> list[tuple[float, float]]:
    """Return the middle, in seconds, and the mean memory, in MB, of each whole cycle but the first, the warm-up."""
    step_s = samples[1].at_s - samples[0].at_s if len(samples) > 1 else 0.0
    means = []
    for number in range(1, int((samples[-1].at_s + step_s) // length_s)):
        begin_s, end_s = number * length_s, (number + 1) * length_s
        within = [one.rss_mb for one in samples if begin_s <= one.at_s < end_s]
        means.append(((begin_s + end_s) / 2, float(np.mean(within))))
    return means


def longest_gap_s(predicted_s: np.ndarray, begin_s: float, end_s: float) -> float:
    """Return the longest time between two predictions that follow each other, of those that reach into a time.

    Args:
        predicted_s: when each prediction was published, ascending, (n,).
        begin_s: of the time.
        end_s: of the time; where no prediction came after it, the gap lasts until then at least.
    """
    first = max(0, int(np.searchsorted(predicted_s, begin_s, "right")) - 1)
    last = int(np.searchsorted(predicted_s, end_s, "left"))
    times = predicted_s[first : last + 1]
    if not len(times):
        return end_s - begin_s
    if times[-1] < end_s:
        times = np.append(times, end_s)
    return float(np.diff(times).max(initial=0.0))


def faults_of(end_s: float, ahead_s: float, every_s: float) -> list[tuple[str, float, float]]:
    """Return the camera's faults of a soak: kind, begin, end, in seconds since it began.

    Args:
        end_s: of the soak; they begin before it, and may end after it.
        ahead_s: how far the camera's clock is ahead.
        every_s: from one to the next.
    """
    found = []
    for turn in range(1, int((end_s + ahead_s) // every_s) + 1):
        kind, begin_s = bad_camera.fault_of(turn), turn * every_s - ahead_s
        if begin_s >= 0:
            found.append((kind, begin_s, begin_s + bad_camera.LASTS_S[kind]))
    return found


def judge(
    samples: Sequence[Sample], predicted_s: np.ndarray, swaps: Sequence[Asked], *, ahead_s: float, every_s: float
) -> dict[str, Any]:
    """Return the figures of a soak.

    Args:
        samples: of the run, at least two.
        predicted_s: when each prediction was published, in seconds since the soak began, ascending, (n,).
        swaps: in order.
        ahead_s: how far the camera's clock is ahead.
        every_s: from one of its faults to the next.
    """
    length_s = cycle_s(every_s)
    means = cycle_means(samples, length_s)
    values = [mean for _, mean in means]
    slope = None
    if len(means) > 1:
        slope = round(float(np.polyfit(np.array([middle for middle, _ in means]) / 3600, values, 1)[0]), 2)
    late = [one for one in samples if one.at_s >= length_s] or list(samples[len(samples) // 2 :])
    end_s = samples[-1].at_s
    faults = faults_of(end_s, ahead_s, every_s)
    over = [one for one in faults if one[2] + AFTER_S <= end_s]  # time to see what came of it
    told = [_swap(one, faults, predicted_s, end_s) for one in swaps]
    quiet = [one["longest_gap_s"] for one in told if one["fault"] is None]
    return {
        "minutes": round(end_s / 60, 1),
        "predictions": samples[-1].predicted,
        "predictions_per_s": round(samples[-1].predicted / end_s, 1),
        "memory_cycle_minutes": round(length_s / 60, 2),
        "rss_mb_means_of_whole_cycles": [round(value, 1) for value in values],
        "rss_mb_spread_of_means": round(max(values) - min(values), 1) if values else None,
        "rss_mb_slope_of_means_per_hour": slope,
        "rss_mb_most": round(max(one.rss_mb for one in samples), 1),
        "handles_least_most_late": [min(one.handles for one in late), max(one.handles for one in late)],
        "threads_least_most_late": [min(one.threads for one in late), max(one.threads for one in late)],
        "faults": len(over),
        "faults_not_recovered_from": sum(_recovered_s(predicted_s, over_s) is None for _, _, over_s in over),
        "by_fault": _by_fault(over, [one.asked_s for one in swaps], predicted_s),
        "outages": samples[-1].outages,
        "dead_frames": samples[-1].dead,
        "swaps_asked": len(swaps),
        "swaps_done": sum(one.done_s is not None for one in swaps),
        "swaps": told,
        "longest_gap_s_around_a_swap_without_a_fault": max(quiet, default=None),
        "model_restarts": samples[-1].restarts,
    }


def _swap(
    one: Asked, faults: Sequence[tuple[str, float, float]], predicted_s: np.ndarray, end_s: float
) -> dict[str, Any]:
    """Return what is told of a swap: the fault that reached into it, if any, and its longest gap."""
    done_s = one.asked_s + AFTER_S if one.done_s is None else one.done_s
    begin_s, until_s = one.asked_s, min(done_s + _AROUND_S, end_s)
    met = [
        kind
        for kind, since_s, over_s in faults
        if since_s < until_s and begin_s < over_s + (_recovered_s(predicted_s, over_s) or AFTER_S)
    ]
    return {
        "asked_s": round(one.asked_s, 2),
        "fault": met[0] if met else None,
        "took_s": None if one.done_s is None else round(one.done_s - one.asked_s, 2),
        "longest_gap_s": round(longest_gap_s(predicted_s, begin_s, until_s), 3),
    }


def _by_fault(
    faults: Sequence[tuple[str, float, float]], asked_s: Sequence[float], predicted_s: np.ndarray
) -> dict[str, dict[str, Any]]:
    """Return of each kind how long it took until the next prediction after its end, least and most.

    Those into which a swap fell are told apart: they ought to take no longer.
    """
    told: dict[str, dict[str, Any]] = {}
    for kind in bad_camera.FAULTS:
        plain, swapped = [], []
        for _, begin_s, over_s in (one for one in faults if one[0] == kind):
            took_s = _recovered_s(predicted_s, over_s)
            if took_s is not None:
                met = any(begin_s - _AROUND_S < one < over_s for one in asked_s)
                (swapped if met else plain).append(round(took_s, 2))
        told[kind] = {
            "recovered_s_least_most": [min(plain), max(plain)] if plain else None,
            "recovered_s_with_a_swap": swapped,
        }
    return told


def _recovered_s(predicted_s: np.ndarray, over_s: float) -> float | None:
    """Return after how long the next prediction came; None: not in the time that may be waited."""
    place = int(np.searchsorted(predicted_s, over_s, "right"))
    took_s = float(predicted_s[place]) - over_s if place < len(predicted_s) else AFTER_S
    return took_s if took_s < AFTER_S else None
