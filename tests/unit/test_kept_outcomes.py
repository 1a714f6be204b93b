"""Outcomes on disk: what was attacked once is not attacked again, and nothing else is taken for it."""

import pytest
import torch

from natadv.attacks.outcome import Outcome
from natadv.attacks.success import rounded
from natadv.errors import DataError
from natadv.training.kept_outcomes import kept_outcome

IMAGES = rounded(torch.rand(5, 3, 6, 6, generator=torch.Generator().manual_seed(0)))
LABELS = torch.arange(5)


@pytest.fixture
def attack():
    """An attack that inverts the images of even classes, and notes what it was asked."""

    def invert(images, labels, targets):
        invert.asked.append(labels.tolist())
        if len(invert.asked) == invert.breaks_at:
            raise KeyboardInterrupt
        fooled = labels % 2 == 0
        found = torch.where(fooled[:, None, None, None], rounded(1 - images), images)
        return Outcome(found, fooled, labels + 10, labels + 20)

    invert.asked, invert.breaks_at = [], None
    return invert


def test_it_is_attacked_once(attack, tmp_path):
    done = []
    first = kept_outcome(tmp_path, {"a": 1}, attack, IMAGES, LABELS, block=2, report=done.append)
    again = kept_outcome(tmp_path, {"a": 1}, attack, IMAGES, LABELS, block=2)
    assert attack.asked == [[0, 1], [2, 3], [4]]
    assert done == [2, 4, 5]
    for name in ("images", "fooled", "queries", "gradients"):
        assert torch.equal(getattr(first, name), getattr(again, name))
    assert torch.equal(first.images[1], IMAGES[1])
    assert first.queries.tolist() == [10, 11, 12, 13, 14]


def test_stopped_it_goes_on(attack, tmp_path):
    attack.breaks_at = 2
    with pytest.raises(KeyboardInterrupt):
        kept_outcome(tmp_path, {}, attack, IMAGES, LABELS, block=2)
    kept_outcome(tmp_path, {}, attack, IMAGES, LABELS, block=2)
    assert attack.asked == [[0, 1], [2, 3], [2, 3], [4]]


def test_other_settings_images_and_targets_are_another_attack(attack, tmp_path):
    for settings, images, targets in (
        ({"a": 1}, IMAGES, None),
        ({"a": 2}, IMAGES, None),
        ({"a": 1}, 1 - IMAGES, None),
        ({"a": 1}, IMAGES, LABELS + 1),
        ({"a": 1}, IMAGES, LABELS + 2),
    ):
        kept_outcome(tmp_path, settings, attack, images, LABELS, targets, block=5)
    assert len(attack.asked) == 5


def test_a_torn_file_is_said(attack, tmp_path):
    kept_outcome(tmp_path, {}, attack, IMAGES, LABELS, block=5)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="torn or altered"):
        kept_outcome(tmp_path, {}, attack, IMAGES, LABELS, block=5)


def test_a_file_under_another_name_is_said(attack, tmp_path):
    kept_outcome(tmp_path, {"a": 1}, attack, IMAGES, LABELS, block=5)
    (first,) = tmp_path.iterdir()
    kept_outcome(tmp_path, {"a": 2}, attack, IMAGES, LABELS, block=5)
    (second,) = set(tmp_path.iterdir()) - {first}
    second.write_bytes(first.read_bytes())
    with pytest.raises(DataError, match="another outcome"):
        kept_outcome(tmp_path, {"a": 2}, attack, IMAGES, LABELS, block=5)
