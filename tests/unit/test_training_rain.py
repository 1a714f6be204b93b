"""RAIN's training on folders of squares: that it learns, resumes to the bit, and leaves the classifier alone."""

import hashlib
import json
import math

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from natadv.defenses.rain import Rain
from natadv.errors import ConfigError, DataError
from natadv.models.classifier import create_classifier
from natadv.models.super_resolution.create import create_super_resolution
from natadv.train_cli import app
from natadv.training.checkpoint import load_classifier, save_checkpoint
from natadv.training.defenses import defense_flags, open_defense
from natadv.training.rain.checkpoint import load_network, save_network
from natadv.training.rain.loop import LAST, METRICS
from natadv.training.rain.recipe import SuperResolutionRecipe, TuningRecipe
from natadv.training.rain.super_resolution import NETWORK, train_super_resolution
from natadv.training.rain.tuning import NETWORK as TUNED
from natadv.training.rain.tuning import distillation, tone_difference, tune_rain
from tests.squares import write_squares


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("squares")
    write_squares(folder, np.random.default_rng(0), train=12, test=6, size=20, noise=60)
    return folder


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    path = tmp_path_factory.mktemp("classifier") / "checkpoint.pt"
    torch.manual_seed(0)
    model = create_classifier("natadv_slim", ("blue", "red"), (16, 16))
    save_checkpoint(path, model, metrics={}, recipe={}, provenance={})
    return path


def recipe(folder, **changed):
    small = {"data": str(folder), "network": "compact:8x1", "size_px": 16, "steps": 6, "batch_size": 4, "every": 3}
    return SuperResolutionRecipe(**small | {"device": "cpu", "threads": 1} | changed)


def tuning(folder, sr, classifier, **changed):
    small = {"data": str(folder), "super_resolution": str(sr), "classifier": str(classifier), "size_px": 16}
    return TuningRecipe(**small | {"steps": 4, "batch_size": 4, "every": 2, "device": "cpu", "threads": 1} | changed)


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("sr") / "run"
    train_super_resolution(recipe(folder, steps=120, every=60), out)
    return out / NETWORK


def test_it_learns_more_than_interpolation(trained):
    loaded = load_network(trained)
    assert loaded.metrics["psnr"] > loaded.metrics["psnr_bicubic"] + 0.3
    assert loaded.name == "compact:8x1"
    assert loaded.training is None


def test_a_stopped_run_ends_as_one_that_was_not(folder, tmp_path, monkeypatch):
    whole = tmp_path / "whole"
    train_super_resolution(recipe(folder), whole)

    from natadv.training.rain import loop

    def torn(*given, **named):
        save(*given, **named)
        raise KeyboardInterrupt

    save = loop.save_network
    monkeypatch.setattr(loop, "save_network", torn)
    with pytest.raises(KeyboardInterrupt):
        train_super_resolution(recipe(folder), tmp_path / "stopped")
    monkeypatch.setattr(loop, "save_network", save)
    assert load_network(tmp_path / "stopped" / LAST).training["step"] == 3
    train_super_resolution(recipe(folder), tmp_path / "stopped", resume=True)
    first, second = (load_network(place / NETWORK).network.state_dict() for place in (whole, tmp_path / "stopped"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    with pytest.raises(ConfigError, match="was begun with batch_size 4, not 8"):
        train_super_resolution(recipe(folder, batch_size=8), tmp_path / "stopped", resume=True)
    with pytest.raises(ConfigError, match="holds a run already"):
        train_super_resolution(recipe(folder), tmp_path / "stopped")


def test_a_tuning_that_was_stopped_between_states_ends_as_one_that_was_not(
    folder, trained, classifier, tmp_path, monkeypatch
):
    given = tuning(folder, trained, classifier, steps=6, every=2, order="shift-down-up", per_channel=True)
    tune_rain(given, tmp_path / "whole")

    from natadv.training.rain import tuning as module

    calls = []

    def stopped(*logits):
        calls.append(logits)
        if len(calls) == 4:  # the second step after the first state
            raise KeyboardInterrupt
        return distillation(*logits)

    monkeypatch.setattr(module, "distillation", stopped)
    with pytest.raises(KeyboardInterrupt):
        tune_rain(given, tmp_path / "stopped")
    monkeypatch.undo()
    assert load_network(tmp_path / "stopped" / LAST).unfinished == (2, 6)
    tune_rain(given, tmp_path / "stopped", resume=True)
    first, second = (load_network(tmp_path / run / TUNED) for run in ("whole", "stopped"))
    weights = first.network.state_dict(), second.network.state_dict()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert first.metrics == second.metrics
    assert (tmp_path / "whole" / METRICS).read_bytes() == (tmp_path / "stopped" / METRICS).read_bytes()


def test_a_run_stopped_at_its_last_state_has_all_its_measures(folder, tmp_path, monkeypatch):
    from natadv.training.rain import loop

    def torn(*given, **named):
        save_network(*given, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "save_network", torn)
    with pytest.raises(KeyboardInterrupt):
        train_super_resolution(recipe(folder, steps=3), tmp_path / "run")
    monkeypatch.undo()
    train_super_resolution(recipe(folder, steps=3), tmp_path / "run", resume=True)
    measured = [json.loads(line) for line in (tmp_path / "run" / METRICS).read_text().splitlines()]
    assert [line["step"] for line in measured] == [0, 3]


def test_a_network_that_its_last_step_ruined_is_not_kept(folder, tmp_path, monkeypatch):
    from natadv.training.rain import super_resolution

    # 0 as a number, none as a slope.
    monkeypatch.setattr(super_resolution, "l1_loss", lambda made, images: (0 * (made - images).sum()).sqrt())
    with pytest.raises(ConfigError, match="weights are no numbers after step 1; try a lower --lr"):
        train_super_resolution(recipe(folder, steps=1), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_measures_keep_nothing_for_a_gradient(folder, trained, classifier, tmp_path, monkeypatch):
    from natadv.training.rain import tuning as module

    modes = []

    class Seen(Rain):
        def forward(self, batch, noise):
            modes.append((self.upsampler.training, torch.is_grad_enabled()))
            return super().forward(batch, noise)

    monkeypatch.setattr(module, "Rain", Seen)
    tune_rain(tuning(folder, trained, classifier, steps=2), tmp_path / "run")
    assert set(modes) == {(True, True), (False, False)}


def test_a_teacher_is_followed(folder, trained, tmp_path):
    train_super_resolution(recipe(folder, teacher=str(trained)), tmp_path / "pupil")
    pupil = load_network(tmp_path / "pupil" / NETWORK)
    assert pupil.provenance["teacher_sha256"] == load_network(trained).digest
    alone = load_network(trained).network.state_dict()
    assert any(not torch.equal(alone[name], weight) for name, weight in pupil.network.state_dict().items())


def test_photographs_train_too_and_small_ones_are_left_out(folder, tmp_path):
    given = {"data": None, "photographs": str(folder / "train")}
    train_super_resolution(recipe(folder, **given), tmp_path / "run")
    with pytest.raises(DataError, match="0 photographs of 64 px or more"):
        train_super_resolution(recipe(folder, **given, size_px=64), tmp_path / "large")


@pytest.mark.parametrize("aim", ["answer", "label"])
def test_tuning_changes_the_network_alone(folder, trained, classifier, aim, tmp_path):
    before = hashlib.sha256(classifier.read_bytes()).hexdigest()
    settings = tuning(folder, trained, classifier, learning_rate=0.01, share=0.1, aim=aim)
    metrics = tune_rain(settings, tmp_path / "run")
    tuned = load_network(tmp_path / "run" / TUNED)
    assert 0 <= metrics["rain"] <= 1
    assert hashlib.sha256(classifier.read_bytes()).hexdigest() == before
    assert before[:12] in tuned.provenance["classifier"]
    old, new = load_network(trained).network.state_dict(), tuned.network.state_dict()
    assert any(not torch.equal(old[name], new[name]) for name in old)
    assert tuned.rain().share == 0.1
    assert tuned.rain(share=0.2, order="down-up").order == "down-up"


@pytest.mark.parametrize(
    ("source", "said"),
    [("data", "75.0 % right behind RAIN, before tuning 25.0 %"), ("photographs", "on 75.0 %, before tuning 25.0 %")],
)
def test_the_command_says_what_the_network_was_before(folder, trained, classifier, tmp_path, monkeypatch, source, said):
    from natadv.training.rain import tuning as module

    measured = [{"step": step, "rain": share, "clean": 1.0} for step, share in ((0, 0.25), (1, 0.5), (2, 0.75))]
    monkeypatch.setattr(module, "run_task", lambda *given: measured)
    place = folder if source == "data" else folder / "train"
    given = ("rain", trained, "--classifier", classifier, f"--{source}", place, "--size", 16, "--device", "cpu")
    assert said in CliRunner().invoke(app, [str(word) for word in (*given, "--out", tmp_path / "run")]).output


def test_measures_begin_before_the_first_step(folder, trained, classifier, tmp_path):
    given = tuning(folder, trained, classifier, data=None, photographs=str(folder / "train"))
    untuned = tune_rain(given, tmp_path / "run")["untuned"]
    first = json.loads((tmp_path / "run" / METRICS).read_text().splitlines()[0])
    assert first == {"step": 0, "rain": untuned, "clean": 1}


def test_tuning_leaves_batch_statistics_alone(folder, trained, classifier, tmp_path, monkeypatch):
    from natadv.training.rain import tuning as module

    opened = []

    def spy(*given):
        opened.append(module_open(*given))
        return opened[-1]

    module_open = module.open_victim
    monkeypatch.setattr(module, "open_victim", spy)
    tune_rain(tuning(folder, trained, classifier), tmp_path / "run")
    kept, used = load_classifier(classifier).model.state_dict(), opened[0].model.model.state_dict()
    assert all(torch.equal(kept[name], used[name]) for name in kept)


def test_photographs_are_labelled_by_the_classifier(folder, trained, classifier, tmp_path):
    given = tuning(folder, trained, classifier, data=None, photographs=str(folder / "train"))
    assert tune_rain(given, tmp_path / "run")["clean"] == 1
    assert any(
        not torch.equal(before, after)
        for before, after in zip(
            load_network(trained).network.state_dict().values(),
            load_network(tmp_path / "run" / TUNED).network.state_dict().values(),
            strict=True,
        )
    )


def test_distillation_is_zero_where_answers_agree_and_counts_what_is_unlikely_too():
    answers = torch.tensor([[9.0, 2.0, 0.0], [0.0, 5.0, 5.0]])
    assert distillation(answers + 7, answers) == pytest.approx(0, abs=1e-6)
    two = torch.log(torch.tensor([[0.75, 0.25]]))
    plain = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert distillation(torch.zeros(1, 2), two, temperature=1) == pytest.approx(plain)
    # Of sure answers a temperature shows what they are unsure of.
    swapped = answers[:, [0, 2, 1]]
    assert distillation(swapped, answers) > 10 * distillation(swapped, answers, temperature=1)


@pytest.mark.parametrize(
    ("changed", "words"),
    [({"data": None}, "give either --data or --photographs"), ({"photographs": "x"}, "give either")],
)
def test_one_source_of_pictures(folder, changed, words):
    with pytest.raises(ValueError, match=words):
        recipe(folder, **changed)


def test_an_order_without_super_resolution_is_refused(folder, trained, classifier):
    with pytest.raises(ValueError, match="--order shift has no super-resolution to tune"):
        tuning(folder, trained, classifier, order="shift")


def test_photographs_have_no_labels_to_aim_at(folder, trained, classifier):
    with pytest.raises(ValueError, match="photographs have no labels"):
        tuning(folder, trained, classifier, data=None, photographs=str(folder / "train"), aim="label")


def test_what_cannot_be_trained_is_refused(folder, classifier, trained, tmp_path):
    with pytest.raises(ConfigError, match="has nothing to train"):
        train_super_resolution(recipe(folder, network="bicubic"), tmp_path / "a")
    with pytest.raises(ConfigError, match="takes 16x16 px"):
        tune_rain(tuning(folder, trained, classifier, size_px=32), tmp_path / "b")


def test_a_torn_file_is_refused(trained, tmp_path):
    torn = tmp_path / "sr.pt"
    torn.write_bytes(trained.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"sr\.pt: not a readable checkpoint"):
        load_network(torn)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"recipe": {"order": "sideways"}}, "expected an order of down-shift-up, .*, got sideways"),
        ({"recipe": {"share": "much"}}, "'<=' not supported between"),
        ({"training": {"epoch": 1}}, "'step'"),
    ],
    ids=str,
)
def test_a_file_with_settings_of_another_version_is_refused(changed, words, tmp_path):
    given = {"recipe": {}, "metrics": {}, "provenance": {}} | changed
    save_network(tmp_path / "rain.pt", create_super_resolution("compact:4x1"), name="compact:4x1", **given)
    with pytest.raises(DataError, match=rf"rain\.pt: the network does not fit its own description \({words}"):
        load_network(tmp_path / "rain.pt")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("rainn:x", "expected none, rain:FILE"),
        ("resize-pad@share=1", "has no settings"),
        ("shift@p=0.1", "no setting 'p'; there are share"),
        ("shift@share=much", "share cannot be 'much'"),
        ("shift@share=1", "share is from 0 to below 1"),
        ("rain:bicubic@order=up", "no order 'up'"),
        ("shift@order=down-up", "shift has one setting, share"),
    ],
)
def test_unknown_defences_are_refused(spec, words):
    with pytest.raises(ConfigError, match=words):
        open_defense(spec)


def test_the_bench_says_that_a_network_is_of_an_unfinished_tuning(folder, trained, classifier, tmp_path):
    tune_rain(tuning(folder, trained, classifier, steps=4), tmp_path / "run")
    finished = load_network(tmp_path / "run" / TUNED)
    described = finished.provenance["classifier"]
    middle = tmp_path / "middle.pt"
    about = {"name": finished.name, "metrics": {}, "provenance": finished.provenance}
    state = {"step": 2, "history": [], "optimizer": {}}
    save_network(middle, finished.network, recipe=finished.recipe, training=state, **about)

    def flags(path):
        return defense_flags(open_defense(f"rain:{path}@share=0.1"), described, (16, 16))

    unfinished = "its network is of an unfinished training, 2 of 4 steps"
    assert flags(middle) == [unfinished, *flags(tmp_path / "run" / TUNED)]


def test_defences_are_known_by_their_weights_and_settings(trained):
    names = [f"rain:{trained}", f"rain:{trained}@share=0.1", "rain:bicubic", "shift", "resize-pad", "pixel-deflection"]
    described = [open_defense(name).described for name in names]
    assert len(set(described)) == len(names)
    assert load_network(trained).digest[:12] in described[0]
    assert open_defense("none").defense is None


def test_tone_is_brightness_and_contrast_wherever_things_are():
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert tone_difference(images.roll((2, -3), (2, 3)), images).item() == pytest.approx(0, abs=1e-6)
    assert tone_difference(images + 0.25, images).item() == pytest.approx(0.25, abs=1e-6)
    doubled = (images.mean((2, 3)) + images.std((2, 3))).mean().item()
    assert tone_difference(2 * images, images).item() == pytest.approx(doubled, rel=1e-4)
    one_colour = torch.full((2, 3, 8, 8), 0.5, requires_grad=True)
    tone_difference(one_colour, images).backward()
    assert one_colour.grad.isfinite().all()


def test_tuning_keeps_the_tone_as_much_as_it_is_asked_to(folder, trained, classifier, tmp_path):
    images = torch.linspace(0.2, 0.8, 7)[:, None, None, None].expand(7, 3, 16, 16)
    found = []
    for brightness in (0.0, 100.0):
        out = tmp_path / f"tuned-{brightness}"
        tune_rain(tuning(folder, trained, classifier, brightness=brightness, steps=40, every=40), out)
        network = load_network(out / TUNED).network.eval()
        with torch.no_grad():
            seen = Rain(network, share=0.05)(images, torch.Generator().manual_seed(2))
        found.append(tone_difference(seen, images).item())
    assert found[1] < 0.5 * found[0]
