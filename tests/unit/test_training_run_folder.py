"""A run's folder belongs to one run, and one that kept nothing leaves no trace."""

import inspect
import subprocess
import sys

import pytest

from natadv.detection.train import train_detector
from natadv.errors import ConfigError, DataError
from natadv.lock import held
from natadv.training.classifier import train_classifier
from natadv.training.quasi_gan.train import train_quasi_gan
from natadv.training.rain.super_resolution import train_super_resolution
from natadv.training.rain.tuning import tune_rain
from natadv.training.recipe import Recipe
from natadv.training.run_folder import RECIPE, STATE, run_folder


@pytest.mark.parametrize(
    "train", [train_classifier, train_detector, train_quasi_gan, train_super_resolution, tune_rain]
)
def test_a_second_training_into_a_folder_is_refused(train, tmp_path):
    recipe = inspect.signature(train).parameters["recipe"].annotation.model_construct()
    with run_folder(tmp_path / "run"), pytest.raises(DataError, match="run: another run trains there"):
        train(recipe, tmp_path / "run")


def test_another_process_is_refused_and_a_killed_one_is_not_in_the_way(tmp_path):
    code = "import sys, time; from pathlib import Path; from natadv.training.run_folder import run_folder\n"
    code += "with run_folder(Path(sys.argv[1])): print('in', flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True
    ) as other:
        try:
            assert other.stdout.readline() == "in\n"
            with pytest.raises(DataError, match="another run trains there"), run_folder(tmp_path / "run"):
                pass
        finally:
            other.kill()
    with run_folder(tmp_path / "run"):
        pass


def test_what_failed_before_it_kept_a_state_leaves_no_folder(tmp_path):
    with pytest.raises(ConfigError, match="neither a folder nor one of"):
        train_classifier(Recipe(data=str(tmp_path / "nothing"), device="cpu"), tmp_path / "new")
    with pytest.raises(KeyboardInterrupt), run_folder(tmp_path / "new"):
        (tmp_path / "new" / RECIPE).write_text("x")
        raise KeyboardInterrupt
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("kept", [STATE, "data.csv"])
def test_what_can_be_gone_on_with_and_what_is_not_ours_stays(kept, tmp_path):
    with pytest.raises(KeyboardInterrupt), run_folder(tmp_path / "new"):
        (tmp_path / "new" / kept).write_text("x")
        raise KeyboardInterrupt
    assert (tmp_path / "new" / kept).exists()


def test_a_folder_that_was_there_is_left_as_it_was(tmp_path):
    (tmp_path / RECIPE).write_text("of a blend")
    with pytest.raises(KeyboardInterrupt), run_folder(tmp_path):
        raise KeyboardInterrupt
    assert (tmp_path / RECIPE).read_text() == "of a blend"


def test_a_lock_that_its_holder_removed_is_nobodys(tmp_path, monkeypatch):
    """Who waits for it would hold a file without a name, and the next one a new file of the same name."""
    path = tmp_path / ".lock"
    first = held(path, "taken")
    first.__enter__()

    def goes(_: float) -> None:
        path.unlink()
        first.__exit__(None, None, None)

    monkeypatch.setattr("natadv.lock.time.sleep", goes)
    with pytest.raises(DataError, match="taken"), held(path, "taken"):
        pass
