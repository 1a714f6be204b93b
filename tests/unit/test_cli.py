"""The front door: what every folder's `--help` shows."""

import importlib
from collections.abc import Callable

import pytest
import typer
from pydantic import ValidationError
from typer.main import get_command
from typer.testing import CliRunner

from natadv.cli import _FOLDERS
from natadv.detection.recipe import DetectorRecipe
from natadv.training.quasi_gan.recipe import QuasiGanRecipe
from natadv.training.rain.recipe import SuperResolutionRecipe
from natadv.training.recipe import Recipe


@pytest.mark.parametrize("name", list(_FOLDERS))
def test_no_folder_offers_to_install_a_completion_of_its_own(name: str) -> None:
    """It would complete a program of the folder's name, which there is none of."""
    said = CliRunner().invoke(app_of(name), ["--help"], terminal_width=140)
    assert said.exit_code == 0
    assert "completion" not in said.output


def app_of(name: str) -> typer.Typer:
    found: typer.Typer = importlib.import_module(_FOLDERS[name][0]).app
    return found


def test_who_has_a_detector_is_told_how_it_comes_to_a_device() -> None:
    said = CliRunner().invoke(app_of("detect"), ["--help"], terminal_width=140)
    assert "natadv export CHECKPOINT --detector" in said.output


@pytest.mark.parametrize("folder", sorted(_FOLDERS.keys() - {"rig", "capture", "export", "edge"}))  # they seed no torch
def test_no_seed_is_larger_than_generators_take(folder: str) -> None:
    command = get_command(app_of(folder))
    commands = getattr(command, "commands", {folder: command}).values()
    seeds = [option for command in commands for option in command.params if option.name == "seed"]
    assert seeds
    assert {option.max for option in seeds} == {2**32 - 1}


@pytest.mark.parametrize("make", [Recipe, QuasiGanRecipe, SuperResolutionRecipe, DetectorRecipe])
def test_nor_that_of_a_recipe(make: Callable[..., object]) -> None:
    needed = {"data": "signs", "bank": "bank", "photographs": "p", "classifier": "c"}
    with pytest.raises(ValidationError, match=r"seed\n.*less than or equal to 4294967295"):
        make(**{name: value for name, value in needed.items() if name in make.model_fields}, seed=2**32)
