"""Hits: taken with their papers alone, and never from a test session."""

import csv

import numpy as np
import pytest

from natadv.errors import DataError
from natadv.images import write_image
from natadv.training.hits import load_hits

LABELS = ("a", "b", "c")


def write_hits(folder, rows, columns=("path", "label", "session_purpose")):
    for number, row in enumerate(rows):
        path = folder / row[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, np.full((10, 12, 3), 10 * number, np.uint8))
    folder.mkdir(exist_ok=True)
    with (folder / "provenance.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
    return folder


def test_hits_of_a_training_session(tmp_path):
    hits = load_hits(write_hits(tmp_path, [("c/0.png", "c", "training"), ("a/1.png", "a", "training")]), LABELS)
    assert hits.targets.tolist() == [2, 0]
    assert (hits.read(1) == 10).all()


def test_a_session_without_hits_is_no_error(tmp_path):
    assert len(load_hits(write_hits(tmp_path, []), LABELS)) == 0


@pytest.mark.parametrize("purpose", ["test", "", "Training"])
def test_one_row_of_another_purpose_refuses_the_folder(tmp_path, purpose):
    write_hits(tmp_path, [("a/0.png", "a", "training"), ("b/1.png", "b", purpose)])
    with pytest.raises(DataError, match=r"provenance\.csv, line 3: .*training sessions alone"):
        load_hits(tmp_path, LABELS)


def test_a_folder_without_papers_is_refused(tmp_path):
    write_hits(tmp_path, [("a/0.png", "a", "training")])
    (tmp_path / "provenance.csv").unlink()
    with pytest.raises(DataError, match=r"provenance\.csv: missing"):
        load_hits(tmp_path, LABELS)


def test_an_image_without_papers_is_refused(tmp_path):
    write_hits(tmp_path, [("a/0.png", "a", "training")])
    write_image(tmp_path / "a" / "smuggled.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(DataError, match=r"smuggled\.png: not listed"):
        load_hits(tmp_path, LABELS)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("a/0.png", "d", "training"), "label 'd' is not one of"),
        (("../outside.png", "a", "training"), "no such image in the folder"),
    ],
)
def test_rows_that_do_not_fit(tmp_path, row, message):
    with pytest.raises(DataError, match=message):
        load_hits(write_hits(tmp_path / "hits", [row]), LABELS)


def test_a_missing_image_and_a_missing_column(tmp_path):
    write_hits(tmp_path / "x", [("a/0.png", "a", "training")])
    (tmp_path / "x/a/0.png").unlink()
    with pytest.raises(DataError, match="no such image"):
        load_hits(tmp_path / "x", LABELS)
    write_hits(tmp_path / "y", [("a/0.png", "a")], columns=("path", "label"))
    with pytest.raises(DataError, match="lacks the column 'session_purpose'"):
        load_hits(tmp_path / "y", LABELS)
