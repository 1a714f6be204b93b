"""`natadv papers deployed`: what a bundle's own file does, beside what its manifest says of it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from export.checkpoint import Reduction, export_classifier
from natadv.data.load import load_dataset
from natadv.errors import ConfigError
from natadv.evaluation.rates import Rate
from natadv.images import write_image
from natadv.papers.cli import app
from natadv.papers.number import Number
from natadv.papers.results import read_numbers
from tests.scanned_sessions import record
from tests.tiny_bundle import BLUE, GREEN, RED
from tests.tiny_checkpoint import tiny_checkpoint

LABELS, SIZE = ("blue", "green", "red"), (16, 16)
EACH = 8


class Colours(nn.Module):
    """Says which channel is the brightest on average."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 3, 1, bias=False)
        self.head.weight.data = torch.eye(3).flip(0)[:, :, None, None] * 20

    def forward(self, batch: Tensor) -> Tensor:
        return self.head(batch).mean((2, 3))


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Path]]:
    """A folder of plain colours, two frames of a sign as GTSRB names them, and the same classifier as two bundles."""
    folder = tmp_path_factory.mktemp("deployed")
    for label, colour in zip(LABELS, (BLUE, GREEN, RED), strict=True):
        for split in ("train", "test"):
            (folder / "data" / split / label).mkdir(parents=True)
            for number in range(EACH):
                image = np.clip(np.full((*SIZE, 3), colour, int) + 3 * number, 0, 255).astype(np.uint8)
                write_image(folder / "data" / split / label / f"{number // 2:05d}_{number % 2:05d}.png", image)
    loaded = tiny_checkpoint(Colours().eval(), LABELS, SIZE)
    test, train = (load_dataset(str(folder / "data"), split) for split in ("test", "train"))
    for precision in ("fp32", "fp16"):
        export_classifier(
            loaded,
            folder / precision,
            dataset=test,
            robust_count=12,
            reduction=Reduction("fp16", train, max_loss=0.2) if precision == "fp16" else None,
            least_images=0,
        )
    return folder / "data", {"plain fp32": folder / "fp32", "plain fp16": folder / "fp16"}


def run(data: Path, bundles: dict[str, Path], results: Path, *more: object) -> dict[tuple[str, str], Number]:
    rows = [f"{row}={folder}" for row, folder in bundles.items()]
    given = ["deployed", *rows, "--data", data, "--results", results, "--restarts", 2, *more]
    outcome = CliRunner().invoke(app, [str(one) for one in given])
    if outcome.exception and not isinstance(outcome.exception, SystemExit):
        raise outcome.exception
    return {number.place: number for number in read_numbers(results / "deployed" / "table-1.csv")}


def test_a_row_has_all_that_is_asked_before_a_model_is_deployed(
    bundles: tuple[Path, dict[str, Path]], tmp_path: Path
) -> None:
    plan = [("r", "rrr", "rrrr"), ("b", "bbb", "bbgb"), ("g", "ggg", "gggg"), ("g", "ggr", "gggg")]
    session = record(tmp_path / "session", plan, purpose="test").folder
    found = run(*bundles, tmp_path / "results", "--session", session)
    for row in bundles[1]:
        assert found[row, "clean"].ours == 100
        assert found[row, "clean"].n == 3 * EACH
        signs = 3 * EACH // 2
        assert f"interval by kin, {signs} in {3 * EACH} images" in found[row, "clean"].setting
        assert found[row, "clean"].low == pytest.approx(100 * Rate(signs, signs).interval[0])
        assert 0 <= found[row, "pgd"].ours <= 100
        assert "attack pgd-margin" in found[row, "pgd"].setting
        assert found[row, "advrd"].n == 3 * EACH
        # One control is wrong and does not count; of the three others one clip has a frame that is wrong.
        assert (found[row, "clips"].ours, found[row, "clips"].n) == (pytest.approx(200 / 3), 3)
        assert (found[row, "frames"].ours, found[row, "frames"].n) == (pytest.approx(1100 / 12), 12)
        assert found[row, "frames"].low < found[row, "frames"].ours < found[row, "frames"].high
        assert 0 <= found[row, "parity"].ours < 1e-3
    assert ("plain fp32", "agrees") not in found
    assert found["plain fp16", "agrees"].ours == 100
    assert found["plain fp16", "agrees"].low == pytest.approx(100 * Rate(signs, signs).interval[0])
    assert "precision fp16" in found["plain fp16", "advrd"].setting
    assert "| plain fp16 |" in (tmp_path / "results/deployed/table-1.md").read_text()


def test_only_some_columns(bundles: tuple[Path, dict[str, Path]], tmp_path: Path) -> None:
    found = run(*bundles, tmp_path, "--column", "clean", "--column", "parity")
    assert {column for _, column in found} == {"clean", "parity"}


def test_a_training_session_proves_nothing(bundles: tuple[Path, dict[str, Path]], tmp_path: Path) -> None:
    session = record(tmp_path / "session", [("r", "rrr", "rr")]).folder
    with pytest.raises(ConfigError, match="training session"):
        run(*bundles, tmp_path / "results", "--session", session)


def test_a_bundle_that_was_not_measured_says_how_to(bundles: tuple[Path, dict[str, Path]], tmp_path: Path) -> None:
    export_classifier(tiny_checkpoint(Colours().eval(), LABELS, SIZE), tmp_path / "bare", least_images=0)
    with pytest.raises(ConfigError, match=r"bare: was not measured; export it with --data and --robust"):
        run(bundles[0], {"bare": tmp_path / "bare"}, tmp_path / "results")


@pytest.mark.parametrize(("given", "said"), [(("--column", "speed"), "--column speed"), (("nonsense",), "ROW=FOLDER")])
def test_wrong_words_are_named(
    bundles: tuple[Path, dict[str, Path]], tmp_path: Path, given: tuple[str, ...], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        run(*bundles, tmp_path, *given)
