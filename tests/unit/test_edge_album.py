"""Evidence as the page shows it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.album import Album
from edge.evidence import PICTURES, AlarmInfo, Answer, EvidenceStore, discard
from edge.page import gallery
from natadv.errors import ConfigError, DataError
from rigs.frame import Frame
from rigs.geometry import whole


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with EvidenceStore(tmp_path / "kept", max_bytes=1 << 30) as store:
        for minute in range(2):
            frames = [Frame(np.full((480, 640, 3), 10 * k, np.uint8), k, k / 10) for k in range(11)]
            answers = [Answer(index=k, timestamp_s=k / 10, label="stop", confidence=0.4) for k in range(11)]
            at = datetime(2026, 5, 4, 12, minute, tzinfo=UTC)
            info = AlarmInfo(
                at=at, signs=("uncertain",), said="stop", source="0", model_sha256="0" * 64, labels=("stop", "yield")
            )
            store.write(frames, answers, info, geometry=whole((480, 640)))
    return tmp_path / "kept"


def test_the_newest_clip_comes_first_with_what_is_known_of_it(folder: Path) -> None:
    newest, oldest = Album(folder).clips()
    assert (newest.at.minute, oldest.at.minute) == (1, 0)
    assert (newest.signs, newest.said, newest.label, newest.frames) == (("uncertain",), "stop", None, 11)
    assert newest.seconds == pytest.approx(1.0)
    assert newest.labels == ("stop", "yield")


def test_its_pictures_are_small_and_spread_over_it(folder: Path) -> None:
    assert gallery.PICTURES == PICTURES
    album = Album(folder)
    name = album.clips()[0].name
    pictures = [album.picture(name, place) for place in range(PICTURES)]
    decoded = [cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) for data in pictures if data]
    assert [one.shape for one in decoded] == [(240, 320, 3)] * PICTURES
    assert [round(float(one.mean()) / 10) for one in decoded] == [0, 2, 4, 6, 8, 10]
    assert album.picture(name, PICTURES) is None
    assert album.picture("../kept/" + name, 0) is None


def test_a_label_is_kept_and_a_clip_that_went_meanwhile_is_an_error(folder: Path) -> None:
    album = Album(folder)
    newest, oldest = album.clips()
    album.label(newest.name, "yield")
    assert [clip.label for clip in album.clips()] == ["yield", None]
    discard(folder / oldest.name)
    with pytest.raises(ConfigError, match="no such clip any more"):
        album.label(oldest.name, "stop")
    assert album.picture(oldest.name, 0) is None


def test_a_damaged_part_is_said_of_its_own_clip_and_hides_no_other(folder: Path) -> None:
    album = Album(folder)
    newest, oldest = album.clips()
    album.label(newest.name, "yield", from_s=0.5)
    album.label(oldest.name, "stop", to_s=0.5)
    (file,) = (folder / "labelled").glob(f"{newest.name}-*/part.json")
    file.write_text("{")
    first, second = album.clips()
    assert (first.name, first.parts, first.damaged) == (
        newest.name, (), f"{file}: damaged; remove its folder and label that part anew",
    )  # fmt: skip
    assert ([part.label for part in second.parts], second.damaged) == (["stop"], None)
    album.label(oldest.name, "yield", from_s=0.5)
    with pytest.raises(DataError, match="damaged; remove its folder"):
        album.label(newest.name, "stop", to_s=0.2)


def test_two_who_label_a_clip_at_a_time_do_so_one_after_the_other(folder: Path) -> None:
    album = Album(folder)
    name = album.clips()[0].name
    with ThreadPoolExecutor(4) as people:
        for said in [people.submit(album.label, name, ("stop", "yield")[place % 2]) for place in range(12)]:
            said.result()
    (labelled,) = (folder / "labelled").glob("2*")
    assert [path.name for path in labelled.iterdir() if path.is_dir()] == [album.clips()[0].label]
