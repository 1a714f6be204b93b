"""An image file that was cut off is refused, and nothing but our own line is said of it."""

import cv2
import numpy as np
import pytest

from natadv.errors import DataError
from natadv.images import read_image, write_image


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".ppm"])
def test_a_whole_file_is_read(tmp_path, picture, suffix):
    write_image(tmp_path / f"a{suffix}", picture)
    assert read_image(tmp_path / f"a{suffix}").shape == picture.shape


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".ppm"])
@pytest.mark.parametrize("kept", [0.01, 0.5, 0.99])
def test_a_cut_off_file_is_one_error_and_no_other_line(tmp_path, picture, capfd, suffix, kept):
    path = tmp_path / f"a{suffix}"
    write_image(path, picture)
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(DataError, match="not a readable image"):
        read_image(path)
    said = capfd.readouterr()
    assert said.out + said.err == ""


def test_one_flipped_bit_of_a_png_is_found(tmp_path, picture):
    path = tmp_path / "a.png"
    write_image(path, picture)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="not a readable image"):
        read_image(path)


def test_a_png_with_something_after_its_end_is_whole(tmp_path, picture):
    path = tmp_path / "a.png"
    write_image(path, picture)
    path.write_bytes(path.read_bytes() + b"more")
    assert (read_image(path) == picture).all()


def test_the_log_of_opencv_is_left_as_it_was(tmp_path, picture):
    before = cv2.utils.logging.getLogLevel()
    write_image(tmp_path / "a.png", picture)
    read_image(tmp_path / "a.png")
    assert cv2.utils.logging.getLogLevel() == before
