"""`natadv train`: options reach the recipe, and what is wrong is one line."""

import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from natadv.errors import ConfigError, DataError
from natadv.images import write_image
from natadv.train_cli import app


@pytest.fixture
def folder(tmp_path):
    for label, level in (("dark", 20), ("light", 230)):
        (tmp_path / "data" / label).mkdir(parents=True)
        for index in range(10):
            image = np.full((12, 12, 3), 128, np.uint8)
            image[:, : 6 if label == "dark" else 12 : 2] = level
            image[index] = 60
            write_image(tmp_path / "data" / label / f"{index}.png", image)
    return tmp_path


def run(*arguments):
    result = CliRunner().invoke(app, list(map(str, arguments)))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_train_then_harden_then_evaluate(folder):
    options = ("--data", folder / "data", "--epochs", 1, "--batch-size", 4, "--device", "cpu", "--threads", 1)
    first = run("classifier", *options, "--size", 12, "--out", folder / "a")
    assert "test accuracy" in first.output
    second = run("classifier", *options, "--init", folder / "a/checkpoint.pt", "--out", folder / "b")
    assert "natadv_slim at 12 px on CPU, 1 threads" in second.output
    shown = run("evaluate", folder / "b/checkpoint.pt", "--data", folder / "data")
    assert shown.output.startswith("accuracy ")
    assert "/4, 95 %" in shown.output  # a fifth of the twenty is held back


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--lr", -1), "^--lr -1.0: expected more than 0$"),
        (("--raindrops", 2), "^--raindrops 2.0: expected 1 or less$"),
        (("--wetness", "damp"), "^--wetness damp: no preset 'damp'; there are light, medium"),
        (("--epochs", -3), "^--epochs -3: expected 1 or more$"),
        (("--epsilon", 255, "--pgd", 1), "^--epsilon 255.0: expected less than 255$"),
        (("--device", "tpu"), "^--device tpu: expected 'auto', 'cpu' or 'cuda'$"),
    ],
)
def test_a_wrong_option_is_one_line(folder, option, message):
    with pytest.raises(ConfigError, match=message) as caught:
        run("classifier", "--data", folder / "data", "--out", folder / "a", *option)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("option", "message"), [(("--model", "resnet999"), "no such model"), (("--init", "no.pt"), "")]
)
def test_no_training_is_said_to_begin_that_does_not(folder, option, message):
    options = ("--data", folder / "data", "--out", folder / "a", "--device", "cpu", *option)
    result = CliRunner().invoke(app, ["classifier", *map(str, options)])
    assert isinstance(result.exception, (ConfigError, DataError))
    assert message in str(result.exception)
    assert result.output == ""
    assert not (folder / "a").exists()


def test_data_of_one_label_are_one_line(folder):
    shutil.rmtree(folder / "data" / "light")
    with pytest.raises(DataError, match=r"data: only one label, 'dark'.*two labels or more") as caught:
        run("classifier", "--data", folder / "data", "--out", folder / "a", "--device", "cpu")
    assert "\n" not in str(caught.value)


_STOPPED = """
import os, signal, sys
from natadv import cli
from natadv.training import run as run_module
epochs, whole, number = 0, *map(int, sys.argv[1:3])
trained = run_module.Run.train_epoch
def cut(self, report):
    global epochs
    if epochs == whole:
        os.kill(os.getpid(), number)
    epochs += 1
    trained(self, report)
run_module.Run.train_epoch = cut
sys.argv[1:3] = []
cli.main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("whole", [0, 1])
def test_ctrl_c_and_sigterm_end_a_training_alike(folder, number, whole):
    options = ("train", "classifier", "--data", folder / "data", "--epochs", 3, "--batch-size", 4, "--size", 12)
    options = (*options, "--device", "cpu", "--threads", 1, "--out", folder / "a")
    words = [sys.executable, "-c", _STOPPED, str(whole), str(int(number)), *map(str, options)]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == 128 + number, done.stderr
    kept = "with --resume goes on after the last whole epoch" if whole else "nothing to go on with yet"
    assert kept in done.stderr.splitlines()[-1]
    assert (folder / "a" / "last.pt").exists() == (folder / "a").exists() == bool(whole)


def test_hardening_without_hits_says_so(folder):
    hits = folder / "hits"
    hits.mkdir()
    (hits / "provenance.csv").write_text("path,label,session_purpose\n")
    options = ("--data", folder / "data", "--epochs", 1, "--batch-size", 4, "--size", 12, "--device", "cpu")
    said = run("classifier", *options, "--hits", hits, "--out", folder / "a", "--resume").output
    assert "no hits in" in said
    assert "no run there yet" in said


def test_evidence_is_taken_as_hits_are(folder):
    options = ("--data", folder / "data", "--epochs", 1, "--batch-size", 4, "--size", 12, "--device", "cpu")
    (folder / "kept").mkdir()
    options = (*options, "--evidence", folder / "kept")
    with pytest.raises(DataError, match="no labelled evidence"):
        run("classifier", *options, "--out", folder / "a")
    clip = folder / "kept" / "labelled" / "20260504T120000.000000-flicker"
    label = next(path.name for path in (folder / "data").rglob("*") if path.is_dir() and any(path.glob("*.png")))
    (clip / label).mkdir(parents=True)
    write_image(clip / label / "0003.png", np.full((20, 20, 3), 90, np.uint8))
    (clip / "provenance.csv").write_text(f"path,label,session_purpose\n{label}/0003.png,{label},training\n")
    assert run("classifier", *options, "--out", folder / "b").exit_code == 0
    recipe = torch.load(folder / "b" / "checkpoint.pt", weights_only=True)["recipe"]
    assert recipe["hits"] == [str(clip)] or tuple(recipe["hits"]) == (str(clip),)


def test_help_needs_no_torch():
    code = "import sys, natadv.train_cli, natadv.data_cli; sys.exit(any(m in sys.modules for m in ('torch', 'cv2')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
