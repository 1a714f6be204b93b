"""`natadv papers` as the tests of its tables run it, and what it wrote."""

import csv
from pathlib import Path

from typer.testing import CliRunner

from natadv.papers.cli import app


def run_papers(*words: object) -> str:
    """Return what the command says; an error that is not its own is raised."""
    result = CliRunner().invoke(app, list(map(str, words)))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def read_table(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    """Return a table's lines by row and column."""
    with path.open(newline="") as file:
        return {(row["row"], row["column"]): row for row in csv.DictReader(file)}
