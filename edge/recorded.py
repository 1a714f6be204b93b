"""Recordings as live sources: a video file, a clip or a folder of images, paced as it was taken."""

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.source import IMAGE_S, Shot, SourceOptions
from edge.whole_frames import WholeFrames
from natadv.errors import ConfigError
from natadv.images import SUFFIXES, Image, LabelledFile, labelled_files, read_image
from rigs.clip import INFO, read_clip
from rigs.frame import Frame
from rigs.video import play_video, probe_video

# Seconds since the first image, the image, and its label where it is known.
Timed = Iterator[tuple[float, Image, str | None]]


class Recording(WholeFrames):
    """A recording that plays as a camera would: an image is there when its time has come, not before.

    Where decoding is slower than that, playing slows down with it; a frame's time is when it was there.
    """

    live = False

    def __init__(self, play: Callable[[], Timed], labels: tuple[str, ...], *, fast: bool) -> None:
        """Play a recording.

        Args:
            play: begins it.
            labels: that its images may have.
            fast: do not wait for an image's time.
        """
        self._play = play
        self._labels = labels
        self._fast = fast

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels that its images may have."""
        return self._labels

    def shots(self, stop: threading.Event) -> Generator[Shot, None, None]:
        """Yield the images in order, each at its time."""
        begin_s: float | None = None
        for index, (offset_s, image, label) in enumerate(self._play()):
            now_s = self.now_s()
            if begin_s is None or self._fast:
                begin_s = now_s - offset_s
            due_s = begin_s + offset_s
            if stop.wait(max(0.0, due_s - now_s)):
                return
            if now_s > due_s:
                begin_s += now_s - due_s
            yield Shot(Frame(image, index, max(now_s, due_s)), label)


@contextmanager
def open_recorded(path: Path, options: SourceOptions) -> Iterator[Recording]:
    """Open a video file, a clip's folder, or a folder of images.

    Raises:
        ConfigError: if there is no such file or folder.
        DataError: if it is none of the three.
    """
    if path.is_file():
        probe_video(path)
        yield Recording(lambda: _video(path), (), fast=options.fast)
    elif (path / INFO).is_file():
        clip = read_clip(path)
        times = clip.table()["timestamp_s"].to_pylist()
        yield Recording(
            lambda: ((at - times[0], image, None) for at, image in zip(times, clip.images(), strict=True)),
            (),
            fast=options.fast,
        )
    elif (path / "manifest.jsonl").is_file():  # capture's, which stands on a higher floor
        raise ConfigError(f"source {path}: a session; name one of its clips, as {path}/clips/0000-wet")
    elif path.is_dir():
        files = _files(path)
        labels = tuple(sorted({file.label for file in files if file.label}))
        yield Recording(lambda: _images(files, options.image_s or IMAGE_S), labels, fast=options.fast)
    else:
        raise ConfigError(f"source {path}: no such rig, file or folder, and not the number of a camera")


def _video(path: Path) -> Timed:
    for at_s, image in play_video(path):
        yield at_s, image, None


def _files(folder: Path) -> list[LabelledFile]:
    flat = [LabelledFile(path, "") for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES]
    return flat or labelled_files(folder)


def _images(files: list[LabelledFile], image_s: float) -> Timed:
    for index, file in enumerate(files):
        yield index * image_s, read_image(file.path), file.label or None
