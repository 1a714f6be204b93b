"""A threshold that keeps its promise of false alarms, also where there are few images."""

import numpy as np
import pytest

from natadv.detection.thresholds import threshold_at
from natadv.errors import ConfigError


@pytest.mark.parametrize(("count", "share", "rank"), [(99, 0.01, 99), (199, 0.01, 198), (9, 0.1, 9), (100, 0.1, 91)])
def test_the_rank_is_that_of_conformal_prediction(count, share, rank):
    scores = np.random.default_rng(0).permutation(np.arange(1.0, count + 1))
    found = threshold_at(scores, share)
    assert found.value == rank
    assert (found.above.hits, found.above.total) == (count - rank, count)


def test_the_next_image_is_above_it_as_often_as_promised_and_no_more():
    """Of 29 exponential scores at 10 %, 27 of 30: exactly 10 % on average, which the plain quantile would exceed."""
    rng = np.random.default_rng(1)
    above = [np.exp(-threshold_at(rng.exponential(size=29), 0.1).value) for _ in range(4000)]
    assert np.mean(above) == pytest.approx(0.1, abs=0.005)
    plain = [np.exp(-np.quantile(rng.exponential(size=29), 0.9)) for _ in range(4000)]
    assert np.mean(plain) > 0.11


def test_too_few_images_promise_nothing():
    with pytest.raises(ConfigError, match=r"1 % cannot be promised by 98 clean images .* it takes 99; .* 0\.011"):
        threshold_at(np.zeros(98), 0.01)
    assert threshold_at(np.zeros(98), 0.011).value == 0
    with pytest.raises(ValueError, match="finite"):
        threshold_at(np.array([np.nan] * 200), 0.01)
