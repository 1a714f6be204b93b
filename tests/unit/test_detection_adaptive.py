"""The attack by one who knows the detector, and by one who does not: what is counted, and how surely."""

import pytest
import torch
from torch import nn

from natadv.detection.adaptive import attack_both
from natadv.detection.detector import BINARY, Detector
from natadv.errors import ConfigError
from natadv.evaluation.rates import Rate

SIDE, LEVEL = 8, 1 / 255


class Brightness(nn.Module):
    """Logits of one who calls what is brighter than so many levels on average."""

    def __init__(self, levels):
        super().__init__()
        self.limit = levels * LEVEL

    def forward(self, batch):
        ahead = 100 * (batch.mean((1, 2, 3)) - self.limit)
        return torch.stack([-ahead / 2, ahead / 2], 1)


def pictures(*levels):
    return torch.stack([torch.full((3, SIDE, SIDE), level * LEVEL) for level in levels])


def test_shares_are_of_images_that_the_classifier_gets_right_and_as_sure_as_their_kin():
    """Within 8 levels, signs at 100 cross 105 unseen below 110; those at 90 do not; those at 120 are wrong already."""
    images = pictures(*[100] * 6, *[90] * 6, *[120] * 4)
    kin = ["bright"] * 6 + ["dark"] * 6 + ["wrong"] * 4
    detector = Detector(Brightness(110), classes=BINARY, size_px=SIDE).eval()
    told = []
    found = attack_both(
        Brightness(105).eval(), detector, 0.5, images, torch.zeros(16, dtype=torch.int64), kin,
        epsilon=8 * LEVEL, steps=20, report=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    every = 2 * 4 * 21 + 2  # four ways from two places, what the last of 20 steps leads to, and the judge
    assert told == [(done, every) for done in range(1, every + 1)]
    for rate in (found.plain, found.plain_unseen, found.adaptive):
        assert (rate.hits, rate.total) == (6, 12)
        assert rate.interval == pytest.approx(Rate(1, 2).interval)


def test_a_classifier_that_gets_nothing_right_is_said():
    detector = Detector(Brightness(110), classes=BINARY, size_px=SIDE).eval()
    with pytest.raises(ConfigError, match="none of 1 clean images right"):
        attack_both(
            Brightness(105).eval(), detector, 0.5, pictures(120), torch.zeros(1, dtype=torch.int64), ["a"], epsilon=0.1
        )
    with pytest.raises(ValueError, match="between 0 and 1"):
        attack_both(
            Brightness(105).eval(), detector, 1.0, pictures(90), torch.zeros(1, dtype=torch.int64), ["a"], epsilon=0.1
        )
