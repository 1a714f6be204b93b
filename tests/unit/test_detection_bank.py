"""`natadv detect bank` on a tiny classifier: numbers, parts, papers, stopping, refusals."""

import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from natadv.batches import to_batch
from natadv.data.kin import kin_of
from natadv.detection.bank import About, make_bank, outcomes_folder
from natadv.detection.banked import read_bank
from natadv.detection.crafted import CRAFTED, crafted
from natadv.detection.kin import dealt_out, parted
from natadv.detection.sources import open_sources
from natadv.detection.tries import natural_tries
from natadv.detection_cli import app
from natadv.errors import ConfigError, DataError, ResourceError
from natadv.images import read_image
from natadv.training.victim import open_victim
from tests.colours import write_colours
from tests.tiny_classifier import write_tiny_classifier

run = CliRunner().invoke
KINDS = ["--kind", "fgsm", "--kind", "hsv", "--kind", "rdba"]


@pytest.fixture
def given(tmp_path):
    write_colours(tmp_path / "colours", each=24, lead=2)
    model = write_tiny_classifier(tmp_path / "tiny.onnx")
    return ["bank", "--data", str(tmp_path / "colours"), "--model", str(model), "--device", "cpu", "--count", "8"]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_bank_has_equal_numbers_of_what_fooled_parted_by_source(given, tmp_path):
    done = run(app, [*given, *KINDS, "--out", str(tmp_path / "bank")])
    assert done.exit_code == 0, done.output
    # As each is done, for whoever keeps a log: a bar is for terminals alone, and a kind may take an hour.
    assert done.stderr.splitlines() == [f"{kind}: 8 of 8" for kind in ("clean", "fgsm", "hsv", "rdba")]
    bank = read_bank(tmp_path / "bank")
    assert list(bank.kinds) == ["clean", "fgsm", "hsv", "rdba"]
    assert all(len(bank.of(part, kind)) == 4 for part in ("train", "test") for kind in bank.kinds)
    assert bank.kinds_of("clean", "natural") == ("clean", "rdba")
    model = open_victim(str(tmp_path / "tiny.onnx"))
    for image in bank.images:
        picture = read_image(tmp_path / "bank" / image.path)
        answer = int(model.model(to_batch(picture[None], torch.device("cpu"))).argmax())
        assert ("blue", "green", "red")[answer] == image.said
        assert (image.said == image.label) == (image.kind == "clean")
        assert image.source.startswith(f"test/{image.label}/")
    for kind in bank.kinds.values():
        assert 8 <= kind.fooled <= kind.tried
    assert not (tmp_path / "bank.part").exists()


def test_clean_images_are_the_sources_bit_by_bit(given, tmp_path):
    run(app, [*given, *KINDS, "--out", str(tmp_path / "bank")])
    for image in (one for one in read_bank(tmp_path / "bank").images if one.kind == "clean"):
        there = read_image(tmp_path / "colours" / image.source)
        assert (read_image(tmp_path / "bank" / image.path) == there).all()


def test_one_seed_makes_one_bank_and_a_stopped_one_goes_on(given, tmp_path, monkeypatch):
    run(app, [*given, *KINDS, "--out", str(tmp_path / "whole")])
    from natadv.detection import crafted as made_by

    attacks = []
    real = made_by.kept_outcome

    def stopped(folder, settings, attack, *rest, **options):
        if settings["kind"].get("rain") == "rdba":
            signal.raise_signal(signal.SIGTERM)
        return real(folder, settings, attack, *rest, **options)

    def counting(folder, settings, attack, *rest, **options):
        def counted(*given):
            attacks.append(settings["kind"])
            return attack(*given)

        return real(folder, settings, counted, *rest, **options)

    monkeypatch.setattr(made_by, "kept_outcome", stopped)
    halted = run(app, [*given, *KINDS, "--out", str(tmp_path / "bank")])
    assert halted.exit_code == 143
    assert "the same command goes on" in halted.output
    assert not (tmp_path / "bank").exists()
    monkeypatch.setattr(made_by, "kept_outcome", counting)
    assert run(app, [*given, *KINDS, "--out", str(tmp_path / "bank")]).exit_code == 0
    assert {kind.get("rain") for kind in attacks} == {"rdba"}
    assert contents(tmp_path / "bank") == contents(tmp_path / "whole")


def test_another_seed_takes_other_images(given, tmp_path):
    for seed in ("0", "1"):
        run(app, [*given, "--kind", "fgsm", "--seed", seed, "--out", str(tmp_path / seed)])
    first, second = ([image.source for image in read_bank(tmp_path / seed).images] for seed in ("0", "1"))
    assert first != second


def test_a_kind_with_too_few_is_said_with_what_would_do(given, tmp_path):
    given[given.index("--count") + 1] = "60"
    refused = run(app, [*given, "--kind", "fgsm", "--out", str(tmp_path / "bank")])
    assert isinstance(refused.exception, DataError)
    assert "clean" in str(refused.exception)
    least = str(refused.exception).rsplit("--count ", 1)[1]
    given[given.index("--count") + 1] = least
    assert run(app, [*given, "--kind", "fgsm", "--out", str(tmp_path / "bank")]).exit_code == 0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (["--kind", "fgms"], "--kind fgms: expected one of dry, fgsm"),
        (["--kind", "captured"], "needs --session"),
        (["--kind", "imagenet-a"], "needs --imagenet-a"),
        (["--count", "7"], "expected an even number"),
        (["--model", "nothing.pt"], "no such file"),
        (["--pool", "999"], "there are only 72 images"),
        (
            ["--kind", "fgsm", "--imagenet-a", "nowhere"],
            "--imagenet-a: is for --kind imagenet-a, which is not asked for",
        ),
        (
            ["--kind", "fgsm", "--session", "nowhere"],
            "--session: is for --kind dry or captured, which is not asked for",
        ),
        (["--kind", "fgsm", "--misclassified", "nowhere"], "--misclassified: is for --kind misclassified"),
        (["--kind", "fgsm", "--generator", "gan"], "--generator: is for --kind advrd"),
    ],
)
def test_wrong_options_are_refused_and_leave_nothing(given, wrong, words, tmp_path):
    refused = run(app, [*given, *wrong, "--out", str(tmp_path / "bank")])
    assert isinstance(refused.exception, ConfigError)
    assert words in str(refused.exception)
    assert not list(tmp_path.glob("bank*"))


def test_an_old_bank_is_not_written_over(given, tmp_path):
    run(app, [*given, "--kind", "fgsm", "--out", str(tmp_path / "bank")])
    refused = run(app, [*given, "--kind", "fgsm", "--out", str(tmp_path / "bank")])
    assert "exists already" in str(refused.exception)


def test_a_full_disk_is_said(given, tmp_path, small_disk):
    (small_disk / "filler").write_bytes(b"0" * 1_990_000)
    refused = run(app, [*given, "--kind", "fgsm", "--out", str(small_disk / "bank")])
    assert isinstance(refused.exception, ResourceError)
    assert not (small_disk / "bank").exists()


@pytest.mark.parametrize("name", CRAFTED)
def test_every_kind_keeps_what_fools_alone(given, tmp_path, name):
    victim = open_victim(str(tmp_path / "tiny.onnx"))
    sources = open_sources(victim, str(tmp_path / "colours"), seed=0)
    maker = crafted(name, sources, tmp_path / "kept", seed=0)
    block = next(maker.blocks("train"))
    assert maker.family in ("artificial", "semantic", "natural")
    assert block.tried == len(sources.order["train"])
    for one in block.made:
        assert one.said != one.label
        answer = victim.model(to_batch(one.image[None], torch.device("cpu"))).argmax()
        assert sources.names[int(answer)] == one.said
        clean = sources.images[sources.keys.index(one.source)]
        assert one.image.shape == clean.shape
        assert (one.image != clean).any()


def test_frames_of_one_sign_are_kin():
    assert kin_of("train/00/00003_00017.png") == kin_of("train/00/00003_00029.png") == "train/00/00003"
    assert kin_of("train/01/00003_00017.png") != kin_of("train/00/00003_00017.png")
    assert kin_of("train/cat/0007.jpg") == "train/cat/0007.jpg"


def test_kin_stay_together_and_the_halves_are_even():
    keys = [
        f"train/{label:02d}/{track:05d}_{frame:05d}.png"
        for label in range(5)
        for track in range(3)
        for frame in range(4)
    ]
    labels = [key.split("/")[1] for key in keys]
    parts = parted(keys, labels, 3)
    assert all(len({parts[key] for key in keys if kin_of(key) == kin}) == 1 for kin in map(kin_of, keys))
    assert abs(sum(part == "train" for part in parts.values()) - 30) <= 4
    assert all({"train", "test"} == {parts[key] for key in keys if f"/{label:02d}/" in key} for label in range(5))
    assert parted(keys[::-1], labels[::-1], 3) == parts
    assert parted(keys, labels, 4) != parts
    assert set(dealt_out(keys, labels, 3, 0).values()) == {0, 1, 2}


def test_rain_by_chance_meets_an_image_alike_in_any_batch():
    def darker(image, chance):
        return np.asarray(image * chance.random(), np.uint8)

    def model(batch):  # says 1 where it is dark
        mean = batch.mean((1, 2, 3))
        return torch.stack([mean, 0.3 - mean], 1)

    images = torch.full((3, 3, 4, 4), 0.8) + torch.arange(3)[:, None, None, None] / 255
    images = (images * 255).round() / 255
    labels = torch.zeros(3, dtype=torch.int64)
    together = natural_tries(model, images, labels, rain=darker, tries=20)
    assert together.fooled.all()
    alone = natural_tries(model, images[2:], labels[2:], rain=darker, tries=20)
    assert torch.equal(alone.images, together.images[2:])
    # 1 for the clean image, one for each try, and one that judges.
    assert alone.queries.item() == together.queries[2].item() >= 3
    with pytest.raises(ValueError, match="at least 1"):
        natural_tries(model, images, labels, rain=darker, tries=0)


def test_makers_of_one_kind_need_an_even_number(tmp_path):
    with pytest.raises(ConfigError, match="even number"):
        make_bank(tmp_path / "bank", {}, About("", "", "", 16, 0), count=3)
    assert not outcomes_folder(tmp_path / "bank").parent.exists()
