"""A trigger that hangs on a network's file is opened again from its papers, or one line says why it is not."""

import hashlib
import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from natadv.backdoor_cli import app
from natadv.backdoors.learnt_drops import Generated
from natadv.backdoors.named import kept_trigger, make_trigger
from natadv.backdoors.planted import plant
from natadv.backdoors.poison import Poisoning
from natadv.campaign.backdoor_measure import poisoning_of_papers
from natadv.data.load import load_dataset
from natadv.errors import ConfigError
from natadv.models.classifier import create_classifier
from natadv.training.checkpoint import save_checkpoint
from natadv.training.generators import SHIPPED, described
from tests.bright_squares import bright_squares

SHA256 = hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
LABELS = ("blue", "green", "red")


@pytest.fixture
def mine(tmp_path):
    return shutil.copyfile(SHIPPED, tmp_path / "mine.pt")


@pytest.fixture
def planted(mine, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trigger = make_trigger("generated", ["generator=mine.pt"])
    bright_squares(tmp_path / "squares")
    plant(str(tmp_path / "squares"), tmp_path / "planted", lambda _: Poisoning(trigger, 1, share=0.05), size_px=16)
    return tmp_path / "planted"


def shown(trigger):
    return trigger(np.full((1, 16, 16, 3), 90, np.uint8), np.random.default_rng(3))


@pytest.mark.parametrize("name", ["gan", "optics", "optics:heavy", "optics:light@0.18"])
def test_papers_settings_open_it_again(name):
    trigger = Generated(name)
    kept = json.loads(json.dumps({"name": "generated", **trigger.settings}))
    assert kept_trigger(kept) == trigger
    assert (shown(kept_trigger(kept)) == shown(trigger)).all()


@pytest.mark.parametrize("name", ["gan", "optics", "optics:heavy", "optics:light@0.18"])
def test_papers_of_an_older_natadv_open_it_again(name):
    again = kept_trigger({"name": "generated", "generator": described(name)})
    assert (shown(again) == shown(Generated(name))).all()


def test_a_planted_folder_opens_a_file_from_anywhere(planted, mine, tmp_path, monkeypatch):
    kept = json.loads((planted / "poison.json").read_text())["settings"]["trigger"]
    assert kept == {"name": "generated", "generator": str(mine), "sha256": SHA256}
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    poisoning = poisoning_of_papers(planted, LABELS)
    papers = json.loads((planted / "poison.json").read_text())
    for one in papers["poisoned"]:
        source = load_dataset(tmp_path / "squares", "train")
        number = source.keys.index(one["key"])
        again = poisoning.triggered(source.read(number), number)
        assert hashlib.sha256(again.tobytes()).hexdigest() == one["poisoned_sha256"]


@pytest.mark.parametrize("lost", [True, False])
def test_a_file_that_is_gone_or_another_is_one_line_that_says_how_to_mend(planted, mine, tmp_path, lost):
    if lost:
        mine.rename(tmp_path / "moved.pt")
        said = rf"mine\.pt: no such file; put the one of sha256 {SHA256[:12]} back"
    else:
        mine.write_bytes(b"another")
        said = rf"mine\.pt: has sha256 [0-9a-f]{{12}}, another file; put the one of sha256 {SHA256[:12]} back"
    with pytest.raises(ConfigError, match=said) as caught:
        poisoning_of_papers(planted, LABELS)
    assert "\n" not in str(caught.value)


def test_what_the_line_says_mends_it(planted, mine, tmp_path, monkeypatch):
    monkeypatch.setattr("natadv.backdoors.rain.PRESETS", {})  # plates take a while
    mine.rename(tmp_path / "moved.pt")
    save_checkpoint(
        tmp_path / "checkpoint.pt",
        create_classifier("natadv_slim", LABELS, (16, 16)),
        metrics={},
        recipe={},
        provenance={},
    )
    asked = ["measure", str(tmp_path / "checkpoint.pt"), "--data", str(planted), "--device", "cpu"]
    refused = CliRunner().invoke(app, asked)
    assert isinstance(refused.exception, ConfigError)
    mend = str(refused.exception).partition("--trigger")[2].replace("FILE", str(tmp_path / "moved.pt")).split()
    result = CliRunner().invoke(app, [*asked, "--trigger", *mend])
    assert "attack success (ASR), generated" in result.output, result.exception


def test_a_file_that_changes_before_it_is_opened_is_noticed(mine):
    trigger = Generated(str(mine))
    mine.write_bytes(b"another")
    with pytest.raises(ConfigError, match="another file"):
        shown(trigger)


def test_older_papers_without_a_path_say_how_to_name_it(mine):
    with pytest.raises(ConfigError, match=f"do not say where its file lay; .* --set sha256={SHA256[:12]}") as caught:
        kept_trigger({"name": "generated", "generator": f"mine sha256 {SHA256[:12]}"})
    assert "\n" not in str(caught.value)
    settings = [f"generator={mine}", f"sha256={SHA256[:12]}"]
    assert make_trigger("generated", settings) == Generated(str(mine))
    with pytest.raises(ConfigError, match="another file"):
        kept_trigger({"name": "generated", "generator": f"gan sha256 {'0' * 12}"})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["generator=none.pt"], "none.pt: not a file"),
        (["generator=optics:soaked"], "no preset"),
        (["sha256=abc"], "expected 12 to 64 hex digits"),
        (["generator=optics", f"sha256={SHA256}"], "of a generator that is a file"),
    ],
)
def test_no_generator_is_refused_before_anything_is_planted(settings, said):
    with pytest.raises(ConfigError, match=said):
        make_trigger("generated", settings)
