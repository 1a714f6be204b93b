"""Sources give frames at their own pace, and say in one line what is missing."""

import itertools
import math
import tempfile
import threading
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from edge.opening import open_source
from edge.recorded import Recording
from edge.rig_source import RigSource
from edge.source import Shot, SourceOptions
from edge.webcam import open_webcam
from natadv.errors import ConfigError, ConnectError, DataError, FrameTimeoutError
from natadv.images import labelled_files, write_image
from rigs.clip import write_clip
from rigs.frame import Frame
from rigs.rig import load_rig

FAST = SourceOptions(fast=True)


def grey(level: int, size: tuple[int, int] = (16, 24)) -> np.ndarray:
    return np.full((*size, 3), level, np.uint8)


def played(name: Path, options: SourceOptions = FAST) -> list[Shot]:
    with open_source(str(name), options) as source:
        return list(source.shots(threading.Event()))


def write_video(path: Path, count: int, fps: int = 10) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264rgb", rate=fps, options={"crf": "0"})
        stream.width, stream.height, stream.pix_fmt = 24, 16, "rgb24"
        for number in range(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey(10 * number), format="rgb24")))
        container.mux(stream.encode(None))


def test_a_video_gives_every_frame(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mkv", 12)
    shots = played(tmp_path / "v.mkv")
    assert [int(shot.frame.image[0, 0, 0]) for shot in shots] == [10 * n for n in range(12)]
    assert [shot.frame.index for shot in shots] == list(range(12))
    assert {shot.frame.image.shape for shot in shots} == {(16, 24, 3)}


def test_a_clip_gives_every_frame(tmp_path: Path) -> None:
    frames = [Frame(grey(10 * n), n, 5 + n / 30) for n in range(6)]
    write_clip(tmp_path / "clip", frames, 30)
    shots = played(tmp_path / "clip")
    assert [int(shot.frame.image[0, 0, 0]) for shot in shots] == [0, 10, 20, 30, 40, 50]


def test_a_labelled_folder_knows_the_truth_and_a_flat_one_does_not(tmp_path: Path) -> None:
    for label in ("yield", "stop"):
        (tmp_path / label).mkdir()
        write_image(tmp_path / label / "0.png", grey(50))
    with open_source(str(tmp_path), FAST) as source:
        assert source.labels == ("stop", "yield")
    assert [shot.label for shot in played(tmp_path)] == ["stop", "yield"]
    assert [shot.label for shot in played(tmp_path / "stop")] == [None]


class Stopwatch(threading.Event):
    """An event whose `wait` takes no time, but moves a recording's clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 100.0

    def wait(self, timeout: float | None = None) -> bool:
        self.now_s += timeout or 0.0
        return self.is_set()


class TimedRecording(Recording):
    clock: Stopwatch

    def now_s(self) -> float:
        return self.clock.now_s


def timed(*, fast: bool, decoding_s: float = 0.0) -> list[tuple[float, float]]:
    """Play ten images a tenth of a second apart; return (when it was given, what time it says)."""
    clock = Stopwatch()

    def play() -> Any:
        for number in range(10):
            clock.now_s += decoding_s
            yield number / 10, grey(number), None

    recording = TimedRecording(play, (), fast=fast)
    recording.clock = clock
    return [(clock.now_s, shot.frame.timestamp_s) for shot in recording.shots(clock)]


def test_a_recording_is_paced_as_it_was_taken() -> None:
    given = timed(fast=False)
    np.testing.assert_allclose([at for at, _ in given], 100 + np.arange(10) / 10)
    np.testing.assert_allclose([said for _, said in given], [at for at, _ in given])


def test_decoding_within_the_pace_does_not_change_it() -> None:
    np.testing.assert_allclose(np.diff([at for at, _ in timed(fast=False, decoding_s=0.06)]), 0.1)


def test_slow_decoding_slows_the_recording_down_and_ages_nothing() -> None:
    given = timed(fast=False, decoding_s=0.25)
    np.testing.assert_allclose(np.diff([at for at, _ in given]), 0.25)
    np.testing.assert_allclose([said for _, said in given], [at for at, _ in given])


def test_fast_waits_for_nothing() -> None:
    assert {at for at, _ in timed(fast=True)} == {100.0}


def test_a_recording_ends_when_asked(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mkv", 12)
    stop = threading.Event()
    with open_source(str(tmp_path / "v.mkv"), SourceOptions()) as source:
        shots = source.shots(stop)
        next(shots)
        stop.set()
        assert list(shots) == []


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("nothing.mp4", ConfigError, "no such rig, file or folder"),
        ("nothing.yaml", ConfigError, "nothing.yaml"),
        ("text.mp4", DataError, "not a readable video"),
        ("empty", DataError, "no images found"),
    ],
)
def test_what_is_no_source_is_named(tmp_path: Path, name: str, error: type[Exception], said: str) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty").mkdir()
    with pytest.raises(error, match=said) as caught:
        played(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["0", "video.mp4"])
def test_only_a_rig_shows_images(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="only a rig has a screen"), open_source(name, SourceOptions(images=tmp_path)):
        pass


@pytest.mark.parametrize("name", ["0", "rtsp://127.0.0.1/x", "simulated"])
def test_a_camera_is_not_played_fast(name: str) -> None:
    """Its frames would queue behind the model, and grow old."""
    with (
        pytest.raises(ConfigError, match=f"source {name}: a camera's frames.*leave --fast out"),
        open_source(name, FAST),
    ):
        pass


@pytest.mark.parametrize(
    ("name", "options", "option"),
    [
        ("0", SourceOptions(seed=0), "--seed"),
        ("rtsp://127.0.0.1/x", SourceOptions(seed=3), "--seed"),
        ("v.mkv", SourceOptions(seed=3), "--seed"),
        ("0", SourceOptions(image_s=1.0), "--image-s"),
        ("v.mkv", SourceOptions(image_s=1.0), "--image-s"),
        ("clip", SourceOptions(image_s=1.0), "--image-s"),
        ("simulated", SourceOptions(image_s=1.0), "--image-s"),
    ],
)
def test_an_option_that_says_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, options: SourceOptions, option: str
) -> None:
    write_video(tmp_path / "v.mkv", 2)
    write_clip(tmp_path / "clip", [Frame(grey(0), n, n / 30) for n in range(2)], 30)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=f"source {name}: .*leave {option} out"), open_source(name, options):
        pass


def test_images_are_shown_as_long_as_is_said(tmp_path: Path) -> None:
    for number in range(3):
        write_image(tmp_path / f"{number}.png", grey(50))
    shots = played(tmp_path, SourceOptions(image_s=0.05))
    assert all(gap >= 0.05 - 1e-6 for gap in np.diff([shot.frame.timestamp_s for shot in shots]))
    assert len(shots) == 3


class FakeVideo:
    """Stands for cv2.VideoCapture; gives BGR."""

    def __init__(self, count: int, *, opens: bool = True) -> None:
        self.left, self.opens, self.released = count, opens, False

    def isOpened(self) -> bool:
        return self.opens

    def set(self, prop: int, value: float) -> bool:
        return True

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.left -= 1
        return (True, np.full((4, 4, 3), (255, 0, 0), np.uint8)) if self.left >= 0 else (False, None)

    def release(self) -> None:
        self.released = True


def test_a_webcam_gives_rgb_and_an_error_instead_of_black() -> None:
    video = FakeVideo(3)
    with open_webcam(2, connect=lambda number: video) as camera:
        shots = camera.shots(threading.Event())
        images = [shot.frame.image for shot in itertools.islice(shots, 3)]
        assert {tuple(image[0, 0]) for image in images} == {(0, 0, 255)}
        with pytest.raises(FrameTimeoutError, match="camera 2: no frame after 3"):
            next(shots)
    assert video.released


def test_a_webcam_that_is_not_there_is_let_go() -> None:
    video = FakeVideo(0, opens=False)
    with pytest.raises(ConnectError, match="camera 7: cannot be opened"), open_webcam(7, connect=lambda number: video):
        pass
    assert video.released


def test_the_real_opencv_says_no_more_than_we_do(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConnectError, match="camera 93"), open_webcam(93):
        pass
    assert capfd.readouterr() == ("", "")


def test_a_rig_shows_its_images_in_turn_behind_moving_drops(tmp_path: Path) -> None:
    """On the virtual clock, so that the same frames come on any machine."""
    for label, level in (("dark", 30), ("light", 230)):
        (tmp_path / label).mkdir()
        write_image(tmp_path / label / "0.png", grey(level, (64, 64)))
    rig_settings = load_rig(Path("simulated"))
    with rig_settings.open(realtime=False) as rig:
        source = RigSource(rig, labelled_files(tmp_path), image_s=0.5, seed=3)
        assert source.labels == ("dark", "light")
        shots = list(itertools.islice(source.shots(threading.Event()), 32))
        shown = {
            label: [source.picture(shot.frame.image, (8, 8)).mean() for shot in shots if shot.label == label]
            for label in source.labels
        }
        ages = source.now_s() - shots[-1].frame.timestamp_s
    assert min(shown["light"]) > max(shown["dark"]) + 60
    assert shots[0].label is not None  # not before the screen shows something
    assert sum(shot.label is None for shot in shots) >= int(rig_settings.settle_s * 30)
    assert all(shot.frame.drops is not None and shot.frame.drops.count > 0 for shot in shots)
    assert len({shot.frame.pose for shot in shots}) > 16
    assert ages >= 0


@pytest.mark.parametrize("seed", [0, 3])
def test_on_a_rig_it_may_begin_to_rain_during_the_run(tmp_path: Path, seed: int) -> None:
    """Dry frames for as long as was asked, then wet ones; the stage is at rest while its plate is wetted."""
    (tmp_path / "grey").mkdir()
    write_image(tmp_path / "grey" / "0.png", grey(128, (64, 64)))
    with load_rig(Path("simulated")).open(realtime=False) as rig:
        rig.reseed(seed)
        moving: list[bool] = []
        spray = rig.sprayer.spray

        def watched(duration_s: float) -> None:
            moving.append(rig.stage.is_moving())
            spray(duration_s)

        rig.sprayer.spray = watched  # type: ignore[method-assign]
        source = RigSource(rig, labelled_files(tmp_path), image_s=0.5, seed=seed, rain_after_s=1.0)
        shots = list(itertools.islice(source.shots(threading.Event()), 75))
    times = [shot.frame.timestamp_s - shots[0].frame.timestamp_s for shot in shots]
    wet = [shot.frame.drops is not None and shot.frame.drops.count > 0 for shot in shots]
    begins = wet.index(True)
    assert not any(wet[:begins])
    assert all(wet[begins:])
    assert times[begins - 1] == pytest.approx(1.0, abs=2 / 30)  # dry to the last frame before
    assert moving == [False]  # once
    assert len({shot.frame.pose for shot in shots[begins:]}) > 8  # and then it goes on


def test_rain_to_come_needs_a_rig_that_shows_images(tmp_path: Path) -> None:
    write_image(tmp_path / "0.png", grey(128, (64, 64)))
    for name, why in (("simulated", "say --images"), (str(tmp_path), "leave --rain-after out")):
        with (
            pytest.raises(ConfigError, match=why),
            open_source(name, SourceOptions(rain_after_s=1.0)),
        ):
            pass


def test_an_image_is_shown_for_a_time_that_ends(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match="--image-s inf: expected a number of seconds"),
        open_source("simulated", SourceOptions(images=tmp_path, image_s=math.inf)),
    ):
        pass


def test_a_film_in_shared_memory_is_no_camera() -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        write_video(Path(folder) / "v.mkv", 3)
        assert len(played(Path(folder) / "v.mkv")) == 3
        with pytest.raises(ConfigError, match="no such rig, file or folder"):
            played(Path(folder) / "w.mkv")


def test_a_character_device_of_any_name_is_a_camera(tmp_path: Path) -> None:
    """As a udev rule's /dev/wet-glass is; /dev/null stands for one, and is none."""
    (tmp_path / "wet-glass").symlink_to("/dev/null")
    name = str(tmp_path / "wet-glass")
    with pytest.raises(ConnectError, match="wet-glass: cannot be opened"), open_source(name, SourceOptions()):
        pass


def test_a_device_is_a_camera_though_it_is_not_there() -> None:
    for name in ("/dev/v4l/by-id/none", "/dev/wet-glass-unplugged"):
        with (
            pytest.raises(ConnectError, match=f"camera {name}: cannot be opened"),
            open_source(name, SourceOptions()),
        ):
            pass
    with pytest.raises(ConfigError, match="leave --fast out"):
        open_source("/dev/video0", SourceOptions(fast=True))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("rtps://me:secret@camera/1", SourceOptions()),
        ("rtsp:/me:secret@camera/1", SourceOptions()),
        ("rtsp:me:secret@camera/1", SourceOptions()),
        ("rtsp://me:secret@camera/1", SourceOptions(fast=True)),
        ("rtps://camera/1?password=secret", SourceOptions()),
        ("http://camera/1?token=secret", SourceOptions(fast=True)),
    ],
    ids=[
        "misspelt",
        "a slash short",
        "two slashes short",
        "of no use",
        "misspelt with a query",
        "of no use with a query",
    ],
)
def test_a_cameras_password_is_in_no_message(name: str, options: SourceOptions) -> None:
    with pytest.raises(ConfigError, match=r"camera/1(\?.*=\*\*\*)?: ") as raised, open_source(name, options):
        pass
    assert "secret" not in str(raised.value)
