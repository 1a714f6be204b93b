"""The front door: what every folder's `--help` shows."""

import importlib

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from natadv.cli import _FOLDERS


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


@pytest.mark.parametrize("folder", ["data", "train", "attack", "robustness", "backdoor", "detect", "papers"])
def test_no_seed_is_larger_than_generators_take(folder: str) -> None:
    command = get_command(app_of(folder))
    commands = getattr(command, "commands", {folder: command}).values()
    seeds = [option for command in commands for option in command.params if option.name == "seed"]
    assert seeds
    assert {option.max for option in seeds} == {2**32 - 1}
