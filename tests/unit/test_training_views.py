"""What training sees: seeded by position, resumable, never mirrored."""

import numpy as np
import pytest
import torch

from natadv.batches import to_batch
from natadv.training.augment import augment
from natadv.training.pictures import Pictures
from natadv.training.views import Views

EMPTY = Pictures(np.zeros((0, 8, 8, 3), np.uint8), np.zeros(0, np.int64))


def pictures(count, first=0):
    images = np.arange(first, first + count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)
    return Pictures(images, np.arange(count) % 3)


def views(**changes):
    settings = {
        "clean": pictures(20),
        "hits": EMPTY,
        "hit_share": 0.2,
        "raindrops": 0.0,
        "glass": None,
        "batch_size": 4,
        "seed": 5,
    }
    return Views(**(settings | changes))


def drops(image, rng):
    return np.full_like(image, 200 + rng.integers(50))


def test_an_epoch_shows_every_picture_once_in_another_order_each_time():
    first, second = (np.concatenate([images[:, 0, 0, 0] for images, _ in views().epoch(n)]) for n in (1, 2))
    assert sorted(first) == sorted(second) == list(range(20))
    assert list(first) != list(second)
    for images, targets in views().epoch(1):
        assert (images[:, 0, 0, 0] % 3 == targets).all()


def test_raindrops_fall_on_the_share_asked_for_and_follow_from_the_seed():
    wet = views(clean=pictures(200), raindrops=0.5, glass=drops)
    shown = np.concatenate([images[:, 0, 0, 0] for images, _ in wet.epoch(3)])
    again = np.concatenate([images[:, 0, 0, 0] for images, _ in wet.epoch(3)])
    other = np.concatenate([images[:, 0, 0, 0] for images, _ in wet.epoch(4)])
    assert np.array_equal(shown, again)
    assert not np.array_equal(shown, other)
    assert 60 < (shown >= 200).sum() < 140


def test_hits_are_repeated_to_their_share_and_get_no_more_drops():
    seen = views(hits=pictures(2, first=100), hit_share=0.5, raindrops=1.0, glass=drops)
    shown = np.concatenate([images[:, 0, 0, 0] for images, _ in seen.epoch(1)])
    assert seen.repeats == 10
    assert (shown == 100).sum() == (shown == 101).sum() == 10
    assert (shown >= 200).sum() == 20


def test_a_failing_glass_stops_the_epoch():
    def broken(image, rng):
        raise ValueError("no such drop")

    with pytest.raises(ValueError, match="no such drop"):
        list(views(raindrops=1.0, glass=broken).epoch(1))


def test_fewer_pictures_than_a_batch_make_one_step():
    assert [len(targets) for _, targets in views(batch_size=64).epoch(1)] == [20]


def test_augment_is_seeded_stays_in_range_and_moves_little():
    batch = to_batch(np.random.default_rng(0).integers(0, 256, (16, 32, 32, 3), dtype=np.uint8), torch.device("cpu"))
    first, again, other = (augment(batch, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.shape == batch.shape
    assert 0 <= first.min() <= first.max() <= 1
    assert torch.equal(augment(batch, torch.Generator(), strength=0), batch)
    with pytest.raises(ValueError, match="must not be negative"):
        augment(batch, torch.Generator(), strength=-1)


def test_augment_never_mirrors():
    """The right half is white: after any view, the right of the picture is brighter than the left."""
    batch = torch.zeros(200, 3, 16, 16)
    batch[..., 8:] = 1
    seen = augment(batch, torch.Generator().manual_seed(0))
    assert (seen[..., 12:].mean((1, 2, 3)) > seen[..., :4].mean((1, 2, 3))).all()
    batch = batch.transpose(2, 3)
    seen = augment(batch, torch.Generator().manual_seed(0))
    assert (seen[..., 12:, :].mean((1, 2, 3)) > seen[..., :4, :].mean((1, 2, 3))).all()


def test_drops_without_glass_are_refused():
    with pytest.raises(ValueError, match="expected glass"):
        views(raindrops=0.5, glass=None)
