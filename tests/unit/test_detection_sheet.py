"""The contact sheet: kinds are rows, shared sources columns."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from natadv.detection.banked import PAPERS, read_bank
from natadv.detection.contact_sheet import contact_sheet
from natadv.detection_cli import app
from natadv.errors import ConfigError, DataError
from natadv.images import read_image, write_image
from tests.unit.test_detection_banked import papers

SIDE = 8


@pytest.fixture
def bank(tmp_path):
    """Images whose level is their source's number, ten more for pgd; pgd has none of source 1."""
    images = []
    for kind, sources in (("clean", (3, 1, 2)), ("pgd", (2, 4, 3))):
        for number, source in enumerate(sources):
            path = tmp_path / "test" / kind / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_image(path, np.full((SIDE, SIDE, 3), 10 * source + (kind == "pgd"), np.uint8), stored=True)
            images.append(
                papers()["images"][0]
                | {"path": f"test/{kind}/{number}.png", "part": "test", "kind": kind, "source": str(source)}
            )

    (tmp_path / PAPERS).write_text(json.dumps(papers(images=images, size_px=SIDE)))
    return tmp_path


def levels(picture, scale=1):
    return picture[SIDE * scale // 2 :: SIDE * scale, -3 * SIDE * scale + 1 :: SIDE * scale, 0].tolist()


def test_columns_are_the_sources_that_most_kinds_have(bank):
    sheet = contact_sheet(bank, read_bank(bank), columns=3, scale=2)
    clean, pgd = levels(sheet, 2)
    assert set(clean) == {10, 20, 30}
    assert [level + 1 for level in clean[:2]] == pgd[:2]
    assert (clean[2], pgd[2]) == (10, 41)


def test_the_command_writes_it_and_says_what_is_wrong(bank, tmp_path):
    run = CliRunner().invoke
    done = run(app, ["sheet", str(bank), "--out", str(tmp_path / "sheet.png"), "--columns", "2"])
    assert done.exit_code == 0, done.output
    assert read_image(tmp_path / "sheet.png").shape[0] == 2 * SIDE
    few = run(app, ["sheet", str(bank), "--out", str(tmp_path / "sheet.png"), "--columns", "4"])
    assert isinstance(few.exception, DataError)
    for wrong in (["--out", "sheet.gif"], ["--out", "sheet.png", "--part", "both"]):
        assert isinstance(run(app, ["sheet", str(bank), *wrong]).exception, ConfigError)
