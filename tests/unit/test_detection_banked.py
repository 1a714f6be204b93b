"""A bank's papers: what is read, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from natadv.detection.banked import PAPERS, read_bank
from natadv.errors import DataError


def papers(**changes: Any) -> dict[str, Any]:
    described = {"family": "artificial", "settings": {"epsilon": 8}, "tried": 3, "fooled": 2}
    one = {"part": "train", "source": "00/1.png", "label": "stop"}
    return {
        "data": "gtsrb",
        "model": "checkpoint.pt",
        "model_sha256": "0" * 64,
        "size_px": 64,
        "seed": 0,
        "kinds": {"clean": described | {"family": "clean"}, "pgd": described},
        "images": [
            one | {"path": "train/clean/00000.png", "kind": "clean", "said": "stop"},
            one | {"path": "train/pgd/00000.png", "kind": "pgd", "said": "yield"},
        ],
    } | changes


def write(folder: Path, written: dict[str, Any]) -> Path:
    for image in written["images"]:
        path = folder / image["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (folder / PAPERS).write_text(json.dumps(written))
    return folder


def test_a_bank_is_read_with_its_images_by_part_and_kind(tmp_path: Path) -> None:
    bank = read_bank(write(tmp_path, papers()))
    assert [image.said for image in bank.of("train", "pgd")] == ["yield"]
    assert bank.of("test", "pgd") == ()


def test_a_source_in_both_parts_is_refused(tmp_path: Path) -> None:
    images = papers()["images"]
    images[1] |= {"part": "test", "path": "test/pgd/00000.png"}
    with pytest.raises(DataError, match=r"bank\.json: damaged .*00/1\.png: it or its kin are sources of both parts"):
        read_bank(write(tmp_path, papers(images=images)))


@pytest.mark.parametrize(
    "kin",
    [("test/a/00001_00002.ppm", "test/a/00001_00019.ppm"), ("imagenet-a/n01/a b.jpg", "imagenet-a-plus/n01/a b.png")],
)
def test_kin_in_both_parts_are_refused(tmp_path: Path, kin: tuple[str, str]) -> None:
    """Two frames of one sign; a photograph and what was cropped of it."""
    images = papers()["images"]
    images[0]["source"], images[1]["source"] = kin
    images[1] |= {"part": "test", "path": "test/pgd/00000.png"}
    with pytest.raises(DataError, match="or its kin are sources of both parts"):
        read_bank(write(tmp_path, papers(images=images)))


@pytest.mark.parametrize("place", ["train/fgsm/0.png", "test/pgd/0.png", "train/pgd/../../0.png"])
def test_an_image_elsewhere_than_its_papers_say_is_refused(tmp_path: Path, place: str) -> None:
    images = papers()["images"]
    images[1]["path"] = place
    with pytest.raises(DataError, match="does not lie in train/pgd"):
        read_bank(write(tmp_path, papers(images=images)))


def test_missing_papers_kinds_and_images_are_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="natadv detect bank"):
        read_bank(tmp_path)
    with pytest.raises(DataError, match="no kind 'clean'"):
        read_bank(write(tmp_path, papers(kinds={"pgd": papers()["kinds"]["pgd"]})))
    (write(tmp_path, papers()) / "train/pgd/00000.png").unlink()
    with pytest.raises(DataError, match=r"00000\.png: is named by bank\.json and is missing"):
        read_bank(tmp_path)
