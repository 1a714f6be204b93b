"""A detector on trial: no image of a bank that it is tested on may be of what it learnt from."""

import subprocess
import sys

import numpy as np
import pytest

from natadv.detection import trial
from natadv.detection.recipe import DetectorRecipe
from natadv.detection.run import DETECTOR
from natadv.detection.train import train_detector
from natadv.detection.trial import try_detector
from natadv.errors import ConfigError, DataError
from tests.drawn_bank import write_bank

SIDE, COUNT = 16, 12


def bank(folder, *, swapped=0):
    """Write a bank of noise, the first `swapped` sources of whose parts have changed sides."""
    rng = np.random.default_rng(0)
    drawn = {
        part: {kind: rng.integers(0, 256, (COUNT, SIDE, SIDE, 3), np.uint8) for kind in ("clean", "pgd")}
        for part in ("train", "test")
    }
    own = {part: [f"{part}-{number}" for number in range(COUNT)] for part in drawn}
    own["test"][:swapped], own["train"][:swapped] = own["train"][:swapped], own["test"][:swapped]
    return write_bank(folder, drawn, sources={part: dict.fromkeys(drawn[part], own[part]) for part in drawn})


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trial")
    recipe = DetectorRecipe(
        bank=str(bank(folder / "bank")), epochs=1, held_back=0.5, false_alarms=0.2, device="cpu", threads=1
    )
    train_detector(recipe, folder / "run")
    return folder / "run" / DETECTOR


def test_what_it_learnt_from_is_no_test_of_it(detector, tmp_path):
    with pytest.raises(ConfigError, match=r"other: 6 of its 24 test images .* --seed"):
        try_detector(detector, bank(tmp_path / "other", swapped=3), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_another_bank_parted_alike_is(detector, tmp_path):
    found, _ = try_detector(detector, bank(tmp_path / "other"), tmp_path / "out")
    assert found.kinds[0].images == COUNT


def test_a_torn_image_is_of_a_bank_to_be_made_again_and_leaves_no_folder(detector, tmp_path):
    folder = bank(tmp_path / "other")
    torn = next((folder / "test/pgd").iterdir())
    torn.write_bytes(torn.read_bytes()[:20])
    with pytest.raises(DataError, match=r"test/pgd/.*: not a readable image; .*make the bank again"):
        try_detector(detector, folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_where_nothing_can_be_written_is_known_before_the_measuring(detector, tmp_path, monkeypatch):
    folder = bank(tmp_path / "other")
    (tmp_path / "file").write_text("mine")
    monkeypatch.setattr(trial, "_measured_on", lambda *_, **__: pytest.fail("measured for nothing"))
    with pytest.raises(DataError, match="file"):
        try_detector(detector, folder, tmp_path / "file" / "out")
    assert (tmp_path / "file").read_text() == "mine"


def test_what_was_measured_is_not_written_over(detector, tmp_path):
    bank_folder = bank(tmp_path / "other")
    try_detector(detector, bank_folder, tmp_path / "out")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(ConfigError, match="out: holds a test already; take another folder"):
        try_detector(detector, bank_folder, tmp_path / "out", false_alarms=0.5)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_what_draws_the_curves_is_missed_before_the_measuring(detector, tmp_path):
    """An installation for training alone has no matplotlib; an hour of attacks must not end with that."""
    words = ["detect", "test", detector, bank(tmp_path / "other"), "--out", tmp_path / "out"]
    code = "import sys; sys.modules['matplotlib'] = None; import natadv.cli; natadv.cli.main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 1
    assert "needs matplotlib" in done.stderr
    assert not (tmp_path / "out").exists()
