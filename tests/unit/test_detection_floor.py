"""The floor: whether the clean images that a kind was made of are told from clean ones, before anything was done."""

import numpy as np
import pytest

from natadv.detection.banked import read_bank
from natadv.detection.floor import floors
from natadv.evaluation.roc import area_under_curve
from natadv.images import write_image
from tests.drawn_bank import write_bank

SIDE, COUNT = 16, 30


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Data whose last third is flat: `chosen` was made of those, `fair` of the others, `found` of no data."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("floor")
    drawn, sources = {}, {}
    for part in ("train", "test"):
        (folder / "data" / part / "a").mkdir(parents=True)
        images = rng.integers(0, 256, (3 * COUNT, SIDE, SIDE, 3)).astype(np.uint8)
        images[2 * COUNT :] = rng.integers(40, 200, (COUNT, 1, 1, 3))
        for number, image in enumerate(images):
            write_image(folder / "data" / part / "a" / f"{number:03d}.png", image)
        keys = [f"{part}/a/{number:03d}.png" for number in range(3 * COUNT)]
        thirds = [slice(start, start + COUNT) for start in (0, COUNT, 2 * COUNT)]
        # What an attack did is the same grey for all: the floor must not look at it.
        grey = np.full((COUNT, SIDE, SIDE, 3), 128, np.uint8)
        drawn[part] = {"clean": images[:COUNT], "fair": grey, "chosen": grey, "found": grey}
        sources[part] = dict(zip(("clean", "fair", "chosen"), (keys[third] for third in thirds), strict=True))
        sources[part]["found"] = [f"elsewhere/{part}-{number}" for number in range(COUNT)]
    return folder, write_bank(folder / "bank", drawn, sources=sources)


def test_a_choice_shows_and_what_was_done_does_not(place):
    folder, bank = place
    found = floors(read_bank(bank), ("fair", "chosen", "found"), str(folder / "data"))
    assert set(found) == {"fair", "chosen"}  # of `found` there are no originals
    areas = {kind: area_under_curve(one.clean, one.suspect) for kind, one in found.items()}
    assert areas["chosen"][0] > 0.99
    assert areas["fair"][1] < 0.5 < areas["fair"][2]
    assert len(found["fair"].clean_kin) == len(found["fair"].clean) == COUNT
