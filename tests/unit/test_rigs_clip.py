import json

import numpy as np
import pytest

from natadv.errors import ClipError
from natadv.raindrops.pose import Pose
from rigs.clip import FRAMES, INFO, VIDEO, read_clip, write_clip
from rigs.frame import DropState, Frame


def _frames(count=6, size=(48, 64)):
    generator = np.random.default_rng(0)
    return [
        Frame(
            generator.integers(0, 256, (*size, 3), np.uint8),
            index=7 + n,
            timestamp_s=0.1 + n / 30,
            pose=Pose(n, -n, 2.5 * n) if n % 2 else None,
            drops=DropState(3, n / 10) if n % 2 else None,
        )
        for n in range(count)
    ]


def test_a_clip_gives_back_every_pixel_time_and_pose(tmp_path):
    frames = _frames()
    write_clip(tmp_path / "clip", frames, 30)
    clip = read_clip(tmp_path / "clip")
    clip.verify()
    back = list(clip.frames())
    assert len(back) == len(frames)
    for was, now in zip(frames, back, strict=True):
        assert (was.image == now.image).all()
        assert (was.index, was.timestamp_s, was.pose, was.drops) == (now.index, now.timestamp_s, now.pose, now.drops)


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def break_down(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("pyarrow.parquet.write_table", break_down)
    with pytest.raises(KeyboardInterrupt):
        write_clip(tmp_path / "clip", _frames(), 30)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_clip_is_never_replaced(tmp_path):
    write_clip(tmp_path / "clip", _frames(), 30)
    with pytest.raises(ValueError, match="exists already"):
        write_clip(tmp_path / "clip", _frames(), 30)
    read_clip(tmp_path / "clip").verify()


@pytest.mark.parametrize("name", [VIDEO, FRAMES, INFO])
def test_a_missing_file_is_named(tmp_path, name):
    write_clip(tmp_path / "clip", _frames(), 30)
    (tmp_path / "clip" / name).unlink()
    with pytest.raises(ClipError, match=name):
        read_clip(tmp_path / "clip")


@pytest.mark.parametrize("name", [VIDEO, FRAMES])
def test_a_flipped_bit_is_found(tmp_path, name):
    write_clip(tmp_path / "clip", _frames(), 30)
    path = tmp_path / "clip" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ClipError, match=name):
        read_clip(tmp_path / "clip").verify()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.8])
def test_a_torn_video_is_an_error_not_a_short_clip(tmp_path, share):
    write_clip(tmp_path / "clip", _frames(12), 30)
    path = tmp_path / "clip" / VIDEO
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ClipError, match="torn"):
        list(read_clip(tmp_path / "clip").images())


def test_other_pixels_under_the_right_bytes_are_found(tmp_path):
    write_clip(tmp_path / "clip", _frames(), 30)
    path = tmp_path / "clip" / INFO
    info = json.loads(path.read_text())
    info["pixels_sha256"] = "0" * 64
    path.write_text(json.dumps(info))
    with pytest.raises(ClipError, match="other pixels"):
        read_clip(tmp_path / "clip").verify()


def test_frames_of_two_sizes_are_refused(tmp_path):
    with pytest.raises(ValueError, match="one size"):
        write_clip(tmp_path / "clip", [*_frames(1), *_frames(1, (32, 64))], 30)
