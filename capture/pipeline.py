"""From clips to probabilities with every core busy: decode, cut out, classify.

Decoding what was stored without loss is what bounds a scan, and one decoder keeps one core busy. So each worker
takes a whole clip and does all three with it in one thread; decoder, OpenCV and the model's runtime all let other
threads run meanwhile, so that one clip's model overlaps the next one's decoder, without queues between them
(docs/decisions/0005-scan-pipeline.md has the measurements).
"""

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from natadv.images import Image
from rigs.clip import Clip
from rigs.geometry import ScreenGeometry

Work = TypeVar("Work")
Result = TypeVar("Result")

CPU_PROVIDER = "CPUExecutionProvider"


class Model(Protocol):
    """What a scan needs of an `edge.classifier.Classifier`."""

    labels: tuple[str, ...]
    input_size: tuple[int, int]
    digest: str
    provider: str
    manifest: Any

    def probabilities(self, frames: NDArray[np.uint8], numbers: Sequence[int] | None = None) -> NDArray[np.float32]:
        """Return the softmax probabilities, (n, classes), of frames uint8 (n, h, w, 3) at the model's size.

        A randomised model sees each with the noise of its number.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some frames of a clip in order, with what the model says of them.

    Attributes:
        start: place of the first in the clip.
        frames: the part that holds the picture, uint8 RGB (h, w, 3), as coarse as the pictures of it allow.
        geometry: where the picture lies in them.
        probabilities: (n, classes).
    """

    start: int
    frames: list[Image]
    geometry: ScreenGeometry
    probabilities: NDArray[np.float32]


class Pipeline:
    """A model with the place of the picture in the frames; `batches` may be called from many threads at once."""

    def __init__(
        self, model: Model, geometry: ScreenGeometry, *, picture_size: tuple[int, int], batch: int = 16
    ) -> None:
        """Prepare to classify.

        Args:
            model: on the CPU it is called from many threads at once, on a GPU from one at a time.
            geometry: where the shown picture lies in the frames.
            picture_size: (height, width) up to which pictures can be cut out of the frames of a batch.
            batch: frames of one run of the model.

        Raises:
            ValueError: if `batch` is not positive.
        """
        if batch < 1:
            raise ValueError(f"expected a batch of at least one frame, got {batch}")
        self._model = model
        self._geometry = geometry
        self._halvings = min(geometry.halvings(model.input_size, 3), geometry.halvings(picture_size, 1))
        self._batch = batch
        # A GPU runs one batch at a time anyway; on the CPU each worker is its own stream of work.
        self._turn: AbstractContextManager[Any] = nullcontext() if model.provider == CPU_PROVIDER else threading.Lock()

    def batches(self, clip: Clip, *, threads: int = 1) -> Iterator[Batch]:
        """Decode a clip and classify all its frames in order.

        Args:
            clip: what to read.
            threads: of the decoder.

        Raises:
            ClipError: if the clip is torn.
            DeviceError: if the model's device fails.
        """
        size = self._model.input_size
        window = self._geometry.window((clip.info.height_px, clip.info.width_px), self._halvings)
        geometry = self._geometry.seen_through(window)
        inputs = np.empty((self._batch, *size, 3), np.uint8)
        frames: list[Image] = []
        start = 0
        first_number = _first_number(clip)
        for frame in clip.images(threads=threads, window=window):
            # Cut out at once, while the decoded frame is in the processor's cache.
            inputs[len(frames)] = geometry.rectify(frame, size)
            frames.append(frame)
            if len(frames) == self._batch:
                yield Batch(start, frames, geometry, self._classify(inputs, first_number + start))
                start += len(frames)
                frames = []
        if frames:
            yield Batch(start, frames, geometry, self._classify(inputs[: len(frames)], first_number + start))

    def _classify(self, inputs: NDArray[np.uint8], first_number: int) -> NDArray[np.float32]:
        with self._turn:
            return self._model.probabilities(inputs, range(first_number, first_number + len(inputs)))


def _first_number(clip: Clip) -> int:
    """Return the noise number of a clip's first frame, by its name: no matter which core reads which clip when."""
    return int.from_bytes(hashlib.sha256(clip.folder.name.encode()).digest()[:8], "big") << 32


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def on_all_cores(
    work: Callable[[Work, int, threading.Event], Result], items: Sequence[Work], workers: int
) -> list[Result]:
    """Do work on every item, several at once, and return the results in the items' order.

    OpenCV is held to one thread meanwhile: the cores are busy already. At the first error, or Ctrl-C, the others
    are told to stop and the error is raised when they have.

    Args:
        work: gets an item, the threads it may use for it, and an event that is set when it should give up.
        items: what to work on.
        workers: items in work at once.
    """
    stop = threading.Event()
    with _single_threaded_opencv(), ThreadPoolExecutor(workers, thread_name_prefix="scan") as pool:
        futures = [
            pool.submit(work, item, _threads_for(number, len(items), workers), stop)
            for number, item in enumerate(items)
        ]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
            return [future.result() for future in futures]
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _threads_for(number: int, count: int, workers: int) -> int:
    """Return the decoder threads of an item: where the last items are fewer than the workers, they share the cores."""
    left = count - number // workers * workers
    return max(1, workers // min(workers, left))


@contextmanager
def _single_threaded_opencv() -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
