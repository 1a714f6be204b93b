"""Where a bundle comes from: what the networks' files say, no more, and the revision of the sources."""

import json
import math
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from torch import nn

from edge.provenance import UNKNOWN, Training
from export.plain import plain_values
from export.provenance import provenance_of
from export.revision import git_revision
from natadv.training.rain.checkpoint import LoadedNetwork
from natadv.training.recipe import Recipe
from tests.tiny_checkpoint import tiny_checkpoint

PAPERS = {
    "data": "gtsrb",
    "train_images": 6246,
    "test_images": 2330,
    "hits": [],
    "init_sha256": None,
    "versions": {"natadv": "0.1.0", "torch": "2.15.0"},
}


def trained(papers=PAPERS, **settings):
    recipe = Recipe(data="gtsrb", **settings).model_dump(mode="json")
    loaded = replace(tiny_checkpoint(nn.Identity(), ("a",), (8, 8)), recipe=recipe, provenance=papers)
    return provenance_of(loaded).classifier


def test_a_checkpoint_that_says_nothing_is_unknown():
    found = provenance_of(tiny_checkpoint(nn.Identity(), ("a",), (8, 8)))
    assert found.classifier == Training(data=UNKNOWN, method=UNKNOWN, natadv_version=UNKNOWN, settings={}, materials={})
    assert found.rain is None


def test_what_a_checkpoint_says_is_carried():
    found = trained(epochs=7)
    assert found.data == "gtsrb: 6246 images, 2330 more held out"
    assert found.method == "7 epochs from random weights; no adversarial training"
    assert found.natadv_version == "0.1.0"
    assert found.settings["learning_rate"] == 6e-3
    assert found.materials == PAPERS


@pytest.mark.parametrize(
    ("settings", "papers", "said"),
    [
        ({"pgd": 1.0, "epsilon": 8}, {}, "adversarial training by PGD: 100 % of the pictures, 8/255, 10 steps"),
        (
            {"advrd": 0.5},
            {"generators": ["optics medium", "gan sha256 0123"]},
            "adversarial training by AdvRD: 50 % of the pictures, drops by optics medium, gan sha256 0123, 3 steps",
        ),
        ({"raindrops": 0.8}, {}, "80 % of the pictures seen through simulated wet glass"),
        ({"pretrained": True}, {}, "12 epochs from timm's pretrained weights; no adversarial training"),
        (
            {},
            {"init_sha256": "0123456789ab" + 52 * "f"},
            "from the checkpoint sha256 0123456789ab; no adversarial training in this run",
        ),
        ({}, {"hits": [{"images": 3}, {"images": 4}]}, "with 7 recorded hits of 2 folders"),
        ({}, {"blend": {"share": 0.25}}, "its weights blended with its ancestor's, 25 % of them"),
    ],
    ids=["pgd", "advrd", "raindrops", "pretrained", "init", "hits", "blend"],
)
def test_how_it_was_trained_is_said_in_words(settings, papers, said):
    method = trained(PAPERS | papers, **settings).method
    assert said in method
    assert ("no adversarial training" in method) == ("pgd" not in settings and "advrd" not in settings)


def test_where_weights_came_from_is_not_guessed():
    papers = {name: value for name, value in PAPERS.items() if name != "init_sha256"}
    assert "from weights unknown" in trained(papers).method


def test_the_tuning_of_rain_is_carried():
    network = LoadedNetwork(
        network=nn.Identity(),
        name="compact:8x2",
        recipe={"steps": 3000, "aim": "label", "order": "down-shift-up", "share": 0.05, "per_channel": False},
        metrics={},
        provenance={"pictures": "gtsrb: 6246 pictures", "classifier": "plain.pt sha256 41e7e7370740"},
        digest="b" * 64,
        training=None,
    )
    found = provenance_of(tiny_checkpoint(nn.Identity(), ("a",), (8, 8)), network).rain
    assert found.data == "gtsrb: 6246 pictures"
    assert found.method == "compact:8x2, tuned for 3000 steps towards the true labels; down-shift-up, share 0.05"
    assert found.natadv_version == UNKNOWN
    assert found.materials["classifier"] == "plain.pt sha256 41e7e7370740"


def test_a_training_in_its_middle_is_not_said_to_be_done():
    recipe = Recipe(data="gtsrb", epochs=4).model_dump(mode="json")
    bare = tiny_checkpoint(nn.Identity(), ("a",), (8, 8))
    network = LoadedNetwork(
        network=nn.Identity(),
        name="compact:8x2",
        recipe={"steps": 3000},
        metrics={},
        provenance={},
        digest="b" * 64,
        training={"step": 250},
    )
    found = provenance_of(replace(bare, recipe=recipe, provenance=PAPERS, training={"epoch": 2}), network)
    assert found.classifier.method.startswith("2 of 4 epochs, unfinished, from random weights")
    assert found.rain.method.startswith("compact:8x2, tuned for 250 of 3000 steps, unfinished, towards")
    ended = provenance_of(replace(bare, recipe=recipe, provenance=PAPERS, training={"epoch": 4}))
    assert ended.classifier.method.startswith("4 epochs from random weights")


def test_values_are_plain_and_homes_stay_at_home():
    found = plain_values(
        {
            "data": "/home/ann/data/signs",
            "hits": ("/mnt/x/hits", "runs/hits"),
            "root": "~/data",
            "windows": "C:\\Users\\ann\\signs",
            "generator": {"file": Path("/home/ann/gan.pt"), "share": 0.5, "on": True, "none": None},
            "loss": math.nan,
            "odd": "two\nlines\x9b\udcff",
        }
    )
    assert found == {
        "data": ".../signs",
        "hits": [".../hits", "runs/hits"],
        "root": ".../data",
        "windows": ".../signs",
        "generator": {"file": ".../gan.pt", "share": 0.5, "on": True, "none": None},
        "loss": "nan",
        "odd": "two\\nlines\\x9b\\udcff",
    }
    json.dumps(found, allow_nan=False, ensure_ascii=False).encode()


def git(folder, *words):
    who = {f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    command = ["git", "-C", str(folder), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | who).stdout.strip()


@pytest.fixture
def tree(tmp_path):
    """A repository with one source and one other file."""
    (tmp_path / "natadv").mkdir()
    (tmp_path / "natadv" / "a.py").write_text("A = 1\n")
    (tmp_path / "notes.txt").write_text("none\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def test_the_revision_of_a_tree_is_its_commit(tree):
    assert git_revision(tree) == git(tree, "rev-parse", "HEAD")
    (tree / "notes.txt").write_text("other\n")
    (tree / "runs").mkdir()
    (tree / "runs" / "x.py").write_text("")
    assert git_revision(tree) == git(tree, "rev-parse", "HEAD")  # none of them takes part in an export


@pytest.mark.parametrize("name", ["a.py", "new.py"])
def test_sources_that_differ_are_dirty(tree, name):
    (tree / "natadv" / name).write_text("A = 2\n")
    assert git_revision(tree) == git(tree, "rev-parse", "HEAD") + "-dirty"


def test_an_installed_package_has_none_also_within_a_repository(tree):
    assert git_revision(tree / "natadv") is None


def test_without_git_it_is_unknown(tree, monkeypatch):
    monkeypatch.setenv("PATH", str(tree))
    assert git_revision(tree) == UNKNOWN


def test_a_tree_without_a_commit_is_unknown(tmp_path):
    git(tmp_path, "init", "-q")
    assert git_revision(tmp_path) == UNKNOWN


def test_a_hooks_own_repository_is_not_asked(tree, tmp_path_factory, monkeypatch):
    other = tmp_path_factory.mktemp("other")
    git(other, "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    found = git_revision(tree)
    monkeypatch.delenv("GIT_DIR")
    assert found == git(tree, "rev-parse", "HEAD")
