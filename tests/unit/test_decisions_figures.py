"""Figures that documents take from results are those of the results."""

from pathlib import Path

import pytest

from natadv.papers.results import read_numbers

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs/decisions/0016-backdoors.md"
ROWS = {
    "ResNet18, 12 classes": "resnet18, 12 classes",
    "ResNet18, 43 classes": "resnet18, 43 classes",
    "VGG16 with batch normalisation, 48 px, 12 classes": "vgg16_bn, 12 classes",
    "the same, 43 classes": "vgg16_bn, 43 classes",
    "slim, 12 classes": "natadv_slim, 12 classes",
    "slim, 43 classes": "natadv_slim, 43 classes",
}


@pytest.fixture(scope="module")
def table_1():
    return {(one.row, one.column): one.ours for one in read_numbers(ROOT / "results/rdba/table-1.csv")}


@pytest.mark.parametrize("name", ROWS)
def test_the_table_of_backdoors_has_the_results_accuracies_and_successes(name, table_1):
    lines = [line.split("|") for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    (cells,) = ([cell.strip() for cell in line[2:6]] for line in lines if line[1].strip() == name)
    model = ROWS[name]
    expected = [f"{table_1[f'{model}, clean', 'accuracy']:.1f}"]
    for trigger in ("rdba", "blended", "badnets"):
        row = f"{model}, {trigger}"
        expected.append(f"{table_1[row, 'accuracy']:.1f} / {table_1[row, 'ASR']:.1f}")
    assert cells == expected


def test_natural_rains_ranges_are_those_of_the_results(table_1):
    text = " ".join(DOCUMENT.read_text(encoding="utf-8").split())
    for column, words in (
        ("rendered light", "{} % behind light drops"),
        ("rendered medium", "{} % behind medium"),
        ("rendered heavy", "{} % behind heavy ones"),
        ("rendered fine", "(fine ones {},"),
        ("rendered close", "close {},"),
        ("rendered soft", "soft {})"),
        ("photographed", "{} % under photographed rain"),
        ("filmed, wet", "{} % as filmed"),
    ):
        found = [table_1[f"{model}, rdba", column] for model in ROWS.values()]
        assert words.format(f"{min(found):.0f} to {max(found):.0f}") in text, column
