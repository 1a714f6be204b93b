"""A bench's rates by kin: what many images of few things tell."""

import pytest
import torch
from torch import nn

from natadv.attacks.suite import setting
from natadv.data.kin import counted_by
from natadv.defenses.defended import Defended
from natadv.evaluation.kin_rates import clean_passes, robust_rate
from natadv.evaluation.rates import KinRate, Rate
from natadv.evaluation.record import Record
from natadv.evaluation.robustness import Measured
from tests.unit.test_robustness import Jitter, Linear, greys

FOOLED, LEFT = Record(True, 1, 1, 0.1, 0.1, 0.1, 1, 1), Record(False, 1, 1, 0, 0, 0, 1, 1)
TWENTY_SIGNS = [f"sign {number // 10}" for number in range(200)]


def test_images_of_as_many_things_have_wilsons_interval():
    measured = Measured(setting("fgsm"), (FOOLED,) * 60 + (LEFT,) * 140)
    assert robust_rate(measured, [str(number) for number in range(200)]).interval == pytest.approx(
        Rate(140, 200).interval, abs=1e-9
    )


def test_frames_that_fall_together_count_as_their_signs():
    """All ten frames of six signs of twenty: as certain as six of twenty images are."""
    rate = robust_rate(Measured(setting("fgsm"), (FOOLED,) * 60 + (LEFT,) * 140), TWENTY_SIGNS)
    assert (rate.hits, rate.total) == (140, 200)
    assert rate.interval == pytest.approx(Rate(14, 20).interval, abs=0.01)


def test_repeats_tell_no_more_than_the_images():
    records = ((FOOLED,) * 60 + (LEFT,) * 140) * 3
    rate = robust_rate(Measured(setting("fgsm"), records, repeats=3), TWENTY_SIGNS)
    assert rate.total == 600
    assert rate.interval == pytest.approx(Rate(14, 20).interval, abs=0.01)


def test_clean_images_are_counted_over_all_passes_and_by_kin():
    images, labels = greys(0.3, 0.7).repeat_interleave(10, 0), torch.zeros(20, dtype=torch.int64)
    kin = ["dark"] * 10 + ["bright"] * 10
    assert KinRate.of(*clean_passes(Linear(), images, labels, kin)).interval == pytest.approx(Rate(1, 2).interval)
    jittered = KinRate.of(*clean_passes(Defended(Jitter(0.2), Linear()), images, labels, kin, passes=50, seed=3))
    assert jittered.total == 1000
    assert 400 < jittered.hits < 600
    again = KinRate.of(*clean_passes(Defended(Jitter(0.2), Linear()), images, labels, kin, passes=50, seed=3))
    assert again == jittered


def test_a_model_that_answers_nan_is_right_about_nothing():
    class Lost(nn.Module):
        def forward(self, batch):
            return torch.full((len(batch), 3), torch.nan)

    with pytest.raises(ValueError, match="answers NaN"):
        KinRate.of(*clean_passes(Lost().eval(), greys(0.3), torch.zeros(1, dtype=torch.int64), ["a"]))


def test_how_an_interval_counts_is_said_in_words():
    assert counted_by(["a", "b"]) == "by image"
    assert counted_by(["a", "b", "a"]) == "by kin, 2 in 3 images"
