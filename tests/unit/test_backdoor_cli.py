"""`natadv backdoor` on squares: plant, audit, undo and train, and what is wrong."""

import json
import shutil

import numpy as np
import pytest

from natadv.backdoors.named import TRIGGERS
from natadv.errors import FOUND, ConfigError, DataError
from natadv.images import read_image, write_image
from tests.backdoor_command import QUICK, SMALL
from tests.backdoor_command import run_backdoor as run
from tests.bright_squares import bright_squares


def test_a_planted_folder_is_audited_and_undone(squares, planted, tmp_path):
    assert (
        "12 of 48 training images have badnets and the label green; none of all its images differs"
        in run("audit", planted).output
    )
    assert "12 images are as they were" in run("undo", planted, "--out", tmp_path / "clean").output
    before = sorted(read_image(path).tobytes() for path in (squares / "train").glob("*/*.png"))
    after = sorted(read_image(path).tobytes() for path in (tmp_path / "clean" / "train").glob("*/*.png"))
    assert after == before


def test_an_audit_sees_an_altered_image(squares, tmp_path):
    run("plant", squares, "--trigger", "badnets", *SMALL, "--out", tmp_path / "data")
    path = tmp_path / "data" / json.loads((tmp_path / "data" / "poison.json").read_text())["poisoned"][0]["path"]
    write_image(path, np.zeros((16, 16, 3), np.uint8))
    result = run("audit", tmp_path / "data")
    assert result.exit_code == FOUND
    assert f"{path.relative_to(tmp_path / 'data')}: other pixels" in result.output


def test_classes_alone_are_planted_and_the_first_is_the_target(squares, tmp_path):
    result = run("plant", squares, "--trigger", "rdba", "--classes", "red,blue", *SMALL, "--out", tmp_path / "data")
    assert "3 of 32 training images have rdba and the label red" in result.output
    assert {path.name for path in (tmp_path / "data" / "test").iterdir()} == {"red", "blue"}


def test_training_plants_on_the_way(squares, tmp_path):
    result = run("train", squares, "--trigger", "badnets", *SMALL, *QUICK, "--out", tmp_path / "a")
    assert "have badnets and the label blue" in result.output
    assert "none of all its images differs" in run("audit", tmp_path / "a" / "data").output


def test_triggers_are_listed_with_what_can_be_set():
    said = run("triggers").output
    for name, (_, settings) in TRIGGERS.items():
        part = said.partition(f"{name}: ")[2]
        for setting in settings:
            assert f"\n  {setting}=" in part
    assert "alpha=6.0  density" in said
    assert all(len(line.split("  ")) > 2 for line in said.splitlines() if line.startswith("  "))  # a meaning each


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--trigger", "rain"), "trigger 'rain': expected one of rdba"),
        (("--trigger", "rdba", "--set", "alpha=0"), "expected 0 < alpha"),
        (("--trigger", "rdba", "--set", "alfa=1"), "as alpha=..."),
        (("--trigger", "rdba", "--share", "0"), "--share 0.0: expected more than 0"),
        (("--trigger", "rdba", "--target", "pink"), "--target pink: no such label; there are blue, green, red"),
        (("--trigger", "rdba", "--classes", "red,pink"), "class 'pink'"),
    ],
)
def test_a_wrong_option_of_plant_is_one_line(squares, tmp_path, arguments, message):
    with pytest.raises(ConfigError, match=message) as caught:
        run("plant", squares, *arguments, *SMALL, "--out", tmp_path / "data")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("--trigger", "rdba"), "was planted with trigger"),
        (("--share", 0.5), r"with share 0\.1, not 0\.5"),
        (("--target", "red"), "with target blue, not red"),
        (("--size", 24), "with size 16, not 24"),
        (("--classes", "blue,red"), "with classes"),
    ],
)
def test_going_on_with_other_poison_is_refused(planted_on_the_way, changed, said, tmp_path):
    begun = planted_on_the_way
    with pytest.raises(ConfigError, match=said):
        run(*begun, "--resume", *changed)
    assert run(*begun, "--resume").exit_code == 0
    elsewhere = bright_squares(tmp_path)
    with pytest.raises(ConfigError, match=f"with data .*, not {elsewhere}"):
        run(begun[0], elsewhere, *begun[2:], "--resume")
    with pytest.raises(ConfigError, match="add --resume to go on"):
        run(*begun)


@pytest.fixture(scope="module")
def planted_on_the_way(squares, tmp_path_factory):
    out = tmp_path_factory.mktemp("on_the_way") / "a"
    begun = ("train", squares, "--trigger", "badnets", "--share", 0.1, *SMALL, *QUICK, "--out", out)
    run(*begun)
    return begun


def test_a_folder_without_papers_is_not_trained_as_planted(squares, tmp_path):
    with pytest.raises(DataError, match=r"has no poison\.json.*; plant a trigger .*--trigger"):
        run("train", squares, "--out", tmp_path / "a")
    with pytest.raises(ConfigError, match="say how --trigger plants"):
        run("train", squares, "--target", "red", "--out", tmp_path / "a")
    with pytest.raises(ConfigError, match="say how --trigger plants"):
        run("train", squares, "--share", 0.7, "--out", tmp_path / "a")


def test_poison_on_poison_is_refused_and_so_is_training_on_what_differs_from_its_papers(planted, tmp_path):
    for words in (["plant", planted], ["train", planted]):
        with pytest.raises(ConfigError, match="badnets was planted there already"):
            run(*words, "--trigger", "rdba", "--out", tmp_path / "a", *SMALL)
    shutil.copytree(planted, tmp_path / "b")
    (tmp_path / "b" / "train" / "green" / "new.png").write_bytes(next((planted / "train").rglob("*.png")).read_bytes())
    with pytest.raises(DataError, match=r"train/green/new\.png: not in its papers; put the folder back"):
        run("train", tmp_path / "b", *QUICK, "--out", tmp_path / "c")
    assert {one.name for one in tmp_path.iterdir()} == {"b"}


def test_nothing_is_planted_among_the_data_themselves_nor_in_one_class_alone(planted, squares, tmp_path):
    with pytest.raises(ConfigError, match="whose images it would be among"):
        run("plant", squares, "--trigger", "rdba", *SMALL, "--out", squares / "train" / "planted")
    for out in (planted / "clean", squares / "clean"):
        with pytest.raises(ConfigError, match="whose images it would be among"):
            run("undo", planted, "--out", out)
    with pytest.raises(ConfigError, match="one class alone, red; a trigger leads from others to one"):
        run("plant", squares, "--trigger", "rdba", "--classes", "red", *SMALL, "--out", tmp_path / "a")
    assert not (tmp_path / "a").exists()
