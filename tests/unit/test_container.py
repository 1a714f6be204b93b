"""The container's image is built of the packages alone, with what a run's options need."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_what_a_wheel_is_made_of_goes_into_the_image_and_nothing_else() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"  # .git, .venv and runs/ too
    let_in = {line[1:] for line in lines if line.startswith("!")}
    packages = {one.rstrip("*") for one in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert let_in == packages | {"pyproject.toml", project["project"]["readme"], "LICENSE"}
    assert all((ROOT / name).exists() for name in let_in)


def test_the_image_has_the_extras_that_options_of_a_run_need() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (extras,) = re.findall(r"'/src\[(.*)\]'", (ROOT / "docs/deploy/Dockerfile").read_text())
    assert {"cpu", "signing", "mqtt"} == set(extras.split(","))
    assert set(extras.split(",")) <= set(project["project"]["optional-dependencies"])
