"""A bank's own way leaves no trace: nothing tells clean images from clean ones that went an attack's way."""

from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from natadv.attacks.foreign import keep_what_fools
from natadv.data.signs import load_signs
from natadv.detection.bank import About, make_bank, outcomes_folder
from natadv.detection.crafted import Crafted, untouched
from natadv.detection.residuals import residual_features
from natadv.detection.sources import Sources, parts_of
from natadv.images import read_image
from natadv.training.victim import Victim
from tests.leak_detectors import encoding_of, file_features, learnt_area

SIZE, EACH = 64, 120


class Says(nn.Module):
    """Says one class of two, whatever it sees."""

    def __init__(self, said, *, randomised=False):
        super().__init__()
        self.scores = torch.nn.functional.one_hot(torch.tensor(said), 2).float()
        self.randomised = randomised  # of such a model an attack cannot tell what it gets right, and so tries all
        self.eval()

    def forward(self, batch):
        return self.scores.expand(len(batch), 2)


@pytest.fixture(scope="module")
def sources():
    """600 drawn signs as a bank takes them, all of which the model is said to get right."""
    whole = load_signs("test")
    victim = Victim("content", "content", Says(0), (SIZE, SIZE), 2, ("sign", "none"))
    parts = parts_of(whole, 0)
    keys = tuple(f"test/{key}" for key in whole.keys)
    order = {
        part: np.array([place for place, key in enumerate(keys) if parts[key] == part]) for part in ("train", "test")
    }
    images, targets = whole.images((SIZE, SIZE)), np.zeros(len(whole), np.int64)
    return Sources(victim, "cpu", SIZE, images, targets, ("sign", "none"), keys, order, whole, parts)


def two_ways(sources, out, through=lambda picture: picture):
    """Make a bank of which half the sources went the clean way, the others that of an attack which does `through`."""
    kept = outcomes_folder(out)

    def craft(calls, clean, classes):
        pictures = (clean * 255).round().byte().permute(0, 2, 3, 1).numpy()
        changed = np.stack([through(np.ascontiguousarray(picture)) for picture in pictures])
        return torch.from_numpy(changed).permute(0, 3, 1, 2) / 255

    def attack(model, images, labels, places):
        return keep_what_fools(craft, model, images, labels, epsilon=None, batch_size=32)

    first, second = (
        replace(sources, order={part: places[half::2] for part, places in sources.order.items()}) for half in (0, 1)
    )
    second = replace(second, victim=replace(second.victim, model=Says(1, randomised=True)))
    makers = {
        "clean": Crafted("clean", {"attack": "none"}, first, untouched, kept, clean=True),
        "other": Crafted("artificial", {"attack": repr(through)}, second, attack, kept),
    }
    return make_bank(out, makers, About("signs", "content", "0" * 64, SIZE, 0), count=2 * EACH)


def files(papers, out, part):
    images = papers.of(part, "clean") + papers.of(part, "other")
    return [out / image.path for image in images], np.array([image.kind == "other" for image in images])


def learnt(papers, out, features):
    return learnt_area(
        *((features(paths), other) for paths, other in (files(papers, out, p) for p in ("train", "test")))
    )


def residuals(paths):
    return residual_features(np.stack([read_image(path) for path in paths]))


def compressed(picture, quality):
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def shrunk_and_grown(picture):
    return cv2.resize(cv2.resize(picture, (60, 60), interpolation=cv2.INTER_LINEAR), (SIZE, SIZE))


def test_nothing_tells_clean_images_from_those_that_went_an_attacks_way(sources, tmp_path):
    papers = two_ways(sources, tmp_path / "bank")
    assert all(image.said == "none" for part in ("train", "test") for image in papers.of(part, "other"))
    _, low, high = learnt(papers, tmp_path / "bank", file_features)
    assert low <= 0.5 <= high
    _, low, high = learnt(papers, tmp_path / "bank", residuals)
    assert low <= 0.5 <= high


@pytest.mark.parametrize(
    "leak", [partial(compressed, quality=95), shrunk_and_grown], ids=["JPEG once", "another resize"]
)
def test_a_leak_is_found(sources, tmp_path, leak):
    papers = two_ways(sources, tmp_path / "bank", leak)
    _, low, _ = learnt(papers, tmp_path / "bank", residuals)
    assert low > 0.6


def test_a_file_tells_nothing_but_its_pixels(sources, tmp_path):
    papers = two_ways(sources, tmp_path / "bank", lambda picture: np.full_like(picture, 7))
    made = [encoding_of(tmp_path / "bank" / image.path) for image in papers.images]
    assert all(one == made[0] for one in made)
    assert {name for name, _ in made[0]["chunks"]} == {"IHDR", "IDAT", "IEND"}


def test_a_compressed_file_would_tell(sources, tmp_path):
    papers = two_ways(sources, tmp_path / "bank", lambda picture: picture // 8 * 8)
    paths = [tmp_path / "bank" / image.path for image in papers.images]
    for path in paths:
        path.write_bytes(cv2.imencode(".png", cv2.imread(str(path)))[1].tobytes())
    assert learnt(papers, tmp_path / "bank", file_features)[1] > 0.6
