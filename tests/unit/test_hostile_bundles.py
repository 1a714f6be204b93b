"""Whatever is done to a bundle, it is refused by one line or is what its manifest says; nothing crashes, hangs or eats.

A failure names its seed: `python -m tests.hostile.runner SEED 1` is that bundle again.
"""

from collections import Counter

import pytest

from tests.hostile.judge import LOADED, REFUSED
from tests.hostile.runner import run


def withstood(first: int, count: int, timeout_s: float) -> Counter:
    found = run(first, count, timeout_s=timeout_s)
    assert [entry["seed"] for entry in found] == list(range(first, first + count))
    failed = [entry for entry in found if entry["outcome"] not in (REFUSED, LOADED)]
    assert not failed, "\n".join(
        f"{entry['outcome']} (python -m tests.hostile.runner {entry['seed']} 1), {entry['done']}: {entry['said'][:300]}"
        for entry in failed
    )
    return Counter(entry["outcome"] for entry in found)


def test_two_hundred_hostile_bundles() -> None:
    outcomes = withstood(0, 200, timeout_s=280)
    assert outcomes[REFUSED] > 150
    assert outcomes[LOADED] > 10


@pytest.mark.slow
@pytest.mark.timeout(5400)
def test_three_thousand_hostile_bundles() -> None:
    withstood(200, 3000, timeout_s=5000)
