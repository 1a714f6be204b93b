"""The annotated video holds what was looked at, at its time."""

from pathlib import Path

import av
import numpy as np
import pytest

from edge.prediction import Prediction
from edge.sinks import Observation, Stages
from edge.source import Shot
from edge.video import AnnotatedVideo, annotated
from natadv.errors import ConfigError, ResourceError
from rigs.frame import Frame


def observation(
    number: int, *, at_s: float = 0.0, size: tuple[int, int] = (96, 128), truth: str | None = None
) -> Observation:
    image = np.full((*size, 3), 40 + 20 * number, np.uint8)
    prediction = Prediction("stop", 0, 0.9, np.array([0.9, 0.1], np.float32))
    return Observation(Shot(Frame(image, number, at_s), truth), prediction, Stages(0.01, 0.0, 0.004, 0.006), 0.02, 30.0)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_frames_are_played_at_the_times_they_were_taken(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    times = [50.0, 50.033, 50.1, 50.1, 51.0]
    with AnnotatedVideo(path) as video:
        for number, at_s in enumerate(times):
            video.write(observation(number, at_s=at_s))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        frames = list(container.decode(stream))
        assert stream.average_rate is not None
        assert stream.average_rate <= 30  # not the ticks of its clock
    # Equal times are moved apart by the least that the file can tell.
    np.testing.assert_allclose([frame.time for frame in frames], [0.0, 0.033, 0.1, 0.101, 1.0], atol=1e-6)
    lower_half = [frame.to_ndarray(format="rgb24")[60:].mean() for frame in frames]
    np.testing.assert_allclose(lower_half, [40, 60, 80, 100, 120], atol=6)


def test_odd_and_changing_sizes_become_those_of_the_first_frame(tmp_path: Path) -> None:
    with AnnotatedVideo(tmp_path / "out.mkv") as video:
        for number, size in enumerate([(95, 127), (95, 127), (200, 100)]):
            video.write(observation(number, at_s=number / 10, size=size))
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert [(f.height, f.width) for f in container.decode(video=0)] == [(94, 126)] * 3


def test_what_was_written_of_an_mkv_can_be_played(tmp_path: Path) -> None:
    video = AnnotatedVideo(tmp_path / "out.mkv")
    noise = np.random.default_rng(0)
    for number in range(30):
        item = observation(number % 9, at_s=number / 10)
        item.shot.frame.image[:] = noise.integers(0, 256, item.shot.frame.image.shape, np.uint8)
        video.write(item)
    torn = tmp_path / "torn.mkv"
    torn.write_bytes((tmp_path / "out.mkv").read_bytes())
    video.close()
    with av.open(str(torn)) as container:
        assert sum(1 for _ in container.decode(video=0)) > 10


def test_a_run_without_frames_leaves_no_file(tmp_path: Path) -> None:
    with AnnotatedVideo(tmp_path / "out.mkv"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_names_that_cannot_be_are_refused_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "taken.mkv").write_text("a film")
    for name, said in (
        ("out.avi", "expected a video named"),
        ("no/out.mkv", "does not exist"),
        ("taken.mkv", "exists"),
    ):
        with pytest.raises(ConfigError, match=said):
            AnnotatedVideo(tmp_path / name)
    AnnotatedVideo(tmp_path / "taken.mkv", overwrite=True)
    assert (tmp_path / "taken.mkv").read_text() == "a film"


def test_a_full_disk_is_said_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "full.mkv").symlink_to("/dev/full")
    with (
        pytest.raises(ResourceError, match="the disk is full"),
        AnnotatedVideo(tmp_path / "full.mkv", overwrite=True) as video,
    ):
        for number in range(3000):
            video.write(observation(number % 9, at_s=number / 10))


def test_the_image_itself_is_not_written_on() -> None:
    item = observation(3, truth="yield")
    before = item.shot.frame.image.copy()
    picture = annotated(item.shot.frame.image, item)
    np.testing.assert_array_equal(item.shot.frame.image, before)
    assert picture.shape == before.shape
    assert (picture != before).any()
    wrong, right = picture.reshape(-1, 3), annotated(before, observation(3, truth="stop")).reshape(-1, 3)
    assert (wrong[:, 0].astype(int) - wrong[:, 1] > 60).any()
    assert not (right[:, 0].astype(int) - right[:, 1] > 60).any()
