"""`natadv backdoor` as a person types it, on squares drawn at 16 px."""

from pathlib import Path

from click.testing import Result
from typer.testing import CliRunner

from natadv.backdoor_cli import app

SMALL = ("--size", 16)
QUICK = ("--epochs", 2, "--batch-size", 8, "--device", "cpu", "--threads", 1)


def run_backdoor(*arguments: object) -> Result:
    """Run a command; what it raises is raised."""
    result = CliRunner().invoke(app, list(map(str, arguments)))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def plant_patch(squares: Path, out: Path) -> Path:
    """Plant BadNets' patch in a quarter of the squares, to the label green."""
    words = ("--trigger", "badnets", "--set", "share=0.3", "--share", 0.25, "--target", "green")
    run_backdoor("plant", squares, *words, *SMALL, "--out", out)
    return out
