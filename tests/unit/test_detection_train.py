"""Training a detector on a bank of noise: what it learns, how it goes on, what it is honest about."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from natadv.detection.banked import PAPERS
from natadv.detection.checkpoint import load_detector
from natadv.detection.material import gather
from natadv.detection.measure import measured
from natadv.detection.recipe import DetectorRecipe
from natadv.detection.run import DETECTOR, LAST, choose_threshold
from natadv.detection.scoring import logits_of, scorer_of
from natadv.detection.shown import Shown
from natadv.detection.train import train_detector
from natadv.errors import ConfigError, DataError
from natadv.evaluation.rates import Rate
from natadv.evaluation.roc import area_under_curve
from natadv.training.progress import Step
from tests.drawn_bank import write_bank

SIDE, COUNT = 16, 40


def smooth(rng, count=COUNT):
    steps = rng.integers(40, 200, (count, 1, 1, 3)) + np.linspace(-20, 20, SIDE)[None, :, None, None]
    return np.clip(np.broadcast_to(steps, (count, SIDE, SIDE, 3)), 0, 255).astype(np.uint8)


def noisy(images, rng, levels):
    return np.clip(images + rng.choice((-levels, levels), images.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    rng, drawn = np.random.default_rng(0), {}
    for part in ("train", "test"):
        clean = smooth(rng)
        dry = noisy(clean, rng, 1)
        drawn[part] = {
            "clean": clean, "pgd": noisy(clean, rng, 8), "fgsm": noisy(clean, rng, 16),
            "dry": dry, "captured": clean[:, :, ::-1] // 2,
        }  # fmt: skip
    return write_bank(
        tmp_path_factory.mktemp("banks") / "bank", drawn, families={"dry": "clean", "captured": "natural"}
    )


def recipe(bank, **more):
    return DetectorRecipe(**{"bank": str(bank), "epochs": 3, "false_alarms": 0.1, "device": "cpu", "threads": 1} | more)


def test_it_learns_what_noise_is_and_says_so_of_images_it_has_not_seen(bank, tmp_path):
    metrics = train_detector(recipe(bank, kinds=("pgd",), epochs=10), tmp_path / "run")
    assert metrics["auc"] > 0.95
    loaded = load_detector(tmp_path / "run" / DETECTOR)
    assert loaded.model.classes == ("clean", "adversarial")
    material = gather(recipe(bank, kinds=("pgd",)))
    assert metrics["clean_images"] == material.held.clean.sum() == 18  # 9 of 40 sources, clean and dry
    assert metrics["clean_kin"] == loaded.calibrated.kin == 9
    scores = scorer_of(loaded.model)(material.held.images[material.held.clean])
    assert (scores > loaded.calibrated.value + 1e-6).sum() == metrics["above"] <= 1


def test_no_source_both_trains_and_chooses_the_threshold(bank):
    material = gather(recipe(bank, held_back=0.3))
    assert not set(material.train.kin) & set(material.held.kin)
    assert len(material.train) + len(material.held) == 5 * COUNT
    assert material.provenance["held_back"] == dict.fromkeys(("clean", "dry", "pgd", "fgsm", "captured"), 12)


def test_each_kind_may_be_a_class_and_all_clean_ones_are_one(bank, tmp_path):
    material = gather(recipe(bank, n_plus_one=True))
    assert material.classes == ("clean", "pgd", "fgsm", "captured")
    pairs = set(zip(material.train.kinds.tolist(), material.targets().tolist(), strict=True))
    assert pairs == {("clean", 0), ("dry", 0), ("pgd", 1), ("fgsm", 2), ("captured", 3)}
    assert train_detector(recipe(bank, n_plus_one=True), tmp_path / "run")["auc"] > 0.6
    assert load_detector(tmp_path / "run" / DETECTOR).model.network.head.out_features == 4


def test_a_stopped_run_goes_on_as_if_nothing_had_happened(bank, tmp_path):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    train_detector(recipe(bank), whole)

    class Pulled(Exception):
        """The plug."""

    @dataclass
    class Plug:
        def __enter__(self):
            def report(step: Step) -> None:
                if step.epoch == 2 and not step.summary:
                    raise Pulled

            return report

        def __exit__(self, *_):
            return None

    with pytest.raises(Pulled):
        train_detector(recipe(bank), stopped, reporter=Plug)
    assert not (stopped / DETECTOR).exists()
    with pytest.raises(ConfigError, match="training is not over"):
        _ = load_detector(stopped / LAST).calibrated
    with pytest.raises(ConfigError, match="holds a run already"):
        train_detector(recipe(bank), stopped)
    with pytest.raises(ConfigError, match="begun with epochs 3, not 4"):
        train_detector(recipe(bank, epochs=4), stopped, resume=True)
    torch.manual_seed(99)
    train_detector(recipe(bank), stopped, resume=True)
    one, other = (load_detector(folder / DETECTOR).model.state_dict() for folder in (whole, stopped))
    assert all(torch.equal(one[name], other[name]) for name in one)
    text = (stopped / "metrics.jsonl").read_text()
    assert [json.loads(line)["epoch"] for line in text.splitlines()] == [1, 2, 3]


def test_another_bank_under_the_name_is_not_gone_on_with(bank, tmp_path):
    train_detector(recipe(bank, epochs=1), tmp_path / "run")
    (tmp_path / "run" / DETECTOR).unlink()
    papers = bank / PAPERS
    kept = papers.read_bytes()
    try:
        papers.write_bytes(kept.replace(b'"seed":0', b'"seed":1'))
        with pytest.raises(ConfigError, match="its bank or weights changed"):
            train_detector(recipe(bank, epochs=1), tmp_path / "run", resume=True)
    finally:
        papers.write_bytes(kept)


def test_what_cannot_be_trained_is_said_before_it_begins(bank, tmp_path):
    with pytest.raises(ConfigError, match=r"--kind deepfool: the bank has pgd, fgsm, captured"):
        train_detector(recipe(bank, kinds=("deepfool",)), tmp_path / "run")
    with pytest.raises(ConfigError, match="1 % cannot be promised by 40 clean images of 20 sources"):
        train_detector(recipe(bank, false_alarms=0.01), tmp_path / "run")
    with pytest.raises(DataError, match="natadv detect bank"):
        train_detector(recipe(tmp_path), tmp_path / "run")
    with pytest.raises(ConfigError, match="the loss is"):
        train_detector(recipe(bank, learning_rate=1e30), tmp_path / "run")


def test_a_detector_that_a_step_too_large_has_broken_is_no_detector(bank, tmp_path):
    """Adam's first step is as long as the rate: numbers all of them, and of no use."""
    broken = recipe(bank, learning_rate=1e9)
    with pytest.raises(ConfigError, match=r"learnt nothing: the loss is .*e\+.* a guess has 0\.693; try a lower --lr"):
        train_detector(broken, tmp_path / "run")
    assert not (tmp_path / "run" / DETECTOR).exists()
    with pytest.raises(ConfigError, match="learnt nothing"):
        train_detector(broken, tmp_path / "run", resume=True)
    with pytest.raises(ConfigError, match=r"logits are no numbers; try a lower --lr"):  # after its one step
        train_detector(recipe(bank, learning_rate=1e30, epochs=1, batch_size=1000), tmp_path / "one")


def test_a_detector_of_what_cannot_be_told_is_one_and_says_so(tmp_path):
    """Noise against noise: nothing is learnt, and nothing is broken."""
    rng = np.random.default_rng(0)
    drawn = {part: {"clean": smooth(rng), "pgd": smooth(rng)} for part in ("train", "test")}
    bank = write_bank(tmp_path / "bank", drawn)
    metrics = train_detector(recipe(bank, epochs=2), tmp_path / "run")
    assert metrics["auc_interval"][0] < 0.5 < metrics["auc_interval"][1]


def test_more_is_held_back_where_the_promise_takes_more_kin_and_half_at_most(bank):
    """Of 40 sources a fifth is 8; 5 % of false alarms take 19, and 2 % take 49."""
    for false_alarms, sources in ((0.2, 8), (0.1, 9), (0.05, 19), (0.02, 20)):
        material = gather(recipe(bank, false_alarms=false_alarms))
        assert len(set(material.held.kin.tolist())) == sources
    assert len(set(gather(recipe(bank, false_alarms=0.02, held_back=0.7)).held.kin.tolist())) == 28
    with pytest.raises(ConfigError, match=r"40 clean images of 20 sources: it takes 49 .*--false-alarms 0\.048"):
        choose_threshold(material.held, np.zeros(len(material.held)), 0.02)


def test_held_back_images_of_which_none_is_adversarial_are_refused_before_it_begins(tmp_path):
    """Two adversarial images of other sources than the clean ones: of two, a fifth is none."""
    rng = np.random.default_rng(0)
    drawn = {part: {"clean": smooth(rng, 20), "pgd": noisy(smooth(rng, 2), rng, 8)} for part in ("train", "test")}
    sources = {
        part: {kind: [f"{part}-{kind}-{number}" for number in range(len(some))] for kind, some in kinds.items()}
        for part, kinds in drawn.items()
    }
    bank = write_bank(tmp_path / "bank", drawn, sources=sources)
    with pytest.raises(ConfigError, match=r"holding 0\.2 of it back holds no adversarial image back"):
        train_detector(recipe(bank, false_alarms=0.3), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_captured_frames_are_told_from_dry_ones_and_the_rest_from_clean_ones():
    """A score that sees the camera alone: it tells captured frames from clean images, and not from dry frames."""
    kinds = np.repeat(["clean", "dry", "pgd", "captured"], 20)
    values = np.concatenate([np.arange(20), 100 + np.arange(20), 50 + np.arange(20), 100 + np.arange(20)])
    images = np.zeros((80, 8, 8, 3), np.uint8) + values[:, None, None, None].astype(np.uint8)
    kin = np.array([f"source-{number % 20}" for number in range(80)])
    shown = Shown(images, kinds, kin, np.isin(kinds, ["clean", "dry"]))
    found = measured(
        lambda some: some[:, 0, 0, 0].astype(float),
        shown,
        {"pgd": "artificial", "captured": "natural"},
        seen=("pgd",),
        threshold=60.0,
        replicates=50,
    )
    pgd, captured = found.kinds
    assert (pgd.against, pgd.area.value, pgd.seen) == ("clean", 1, True)
    assert (captured.against, captured.area.value, captured.seen) == ("dry", 0.5, False)
    assert (found.alarms["clean"].hits, found.alarms["dry"].hits) == (0, 20)
    assert (pgd.caught.hits, captured.caught.hits) == (9, 20)


def test_shares_of_frames_that_are_kin_have_the_interval_of_the_kin():
    """60 frames of 6 signs, of 2 of which all are called: as sure as 2 of 6, not as 20 of 60."""
    kinds = np.repeat(["clean", "captured"], 60)
    sign = np.tile(np.repeat(np.arange(6), 10), 2)
    kin = np.array([f"test/{number:05d}" for number in sign])
    images = np.zeros((120, 8, 8, 3), np.uint8) + np.where(sign < 2, 200, 100).astype(np.uint8)[:, None, None, None]
    found = measured(
        lambda some: some[:, 0, 0, 0].astype(float),
        Shown(images, kinds, kin, kinds == "clean"),
        {"captured": "natural"},
        threshold=150.0,
        replicates=50,
    )
    for rate in (found.kinds[0].caught, found.alarms["clean"]):
        assert (rate.hits, rate.total) == (20, 60)
        low, high = rate.interval
        assert (low, high) == pytest.approx(Rate(2, 6).interval, abs=0.06)
        assert f"{100 * low:.1f}" in str(rate)


def test_what_held_back_images_say_is_as_sure_as_their_kin(tmp_path):
    """Tracks of six like frames: 60 clean images held back know no more than ten signs do."""
    rng, drawn, sources = np.random.default_rng(0), {}, {}
    for part in ("train", "test"):
        clean = np.repeat(smooth(rng, 20), 6, axis=0)
        drawn[part] = {"clean": clean, "pgd": np.repeat(noisy(clean[::6], rng, 1), 6, axis=0)}
        names = [f"{part}/a/{track:05d}_{frame:05d}.png" for track in range(20) for frame in range(6)]
        sources[part] = dict.fromkeys(drawn[part], names)
    bank = write_bank(tmp_path / "bank", drawn, sources=sources)
    asked = recipe(bank, epochs=1, held_back=0.5, false_alarms=0.2, learning_rate=1e-5)
    metrics = train_detector(asked, tmp_path / "run")
    assert (metrics["clean_images"], metrics["above"]) == (60, 6)
    assert metrics["above_interval"][1] == pytest.approx(Rate(1, 10).interval[1], abs=0.05)
    low, high = metrics["auc_interval"]
    held = gather(asked).held
    logits = logits_of(load_detector(tmp_path / "run" / DETECTOR).model, held.images).double().numpy()
    _, one_by_one_low, one_by_one_high = area_under_curve(logits[held.clean], logits[~held.clean])
    assert high - low > 1.2 * (one_by_one_high - one_by_one_low)
    kept = load_detector(tmp_path / "run" / DETECTOR).calibrated.above
    assert kept.interval == pytest.approx(tuple(metrics["above_interval"]))
