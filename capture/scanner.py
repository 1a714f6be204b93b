"""One image's clips through a model: a row per frame, and the hits that are kept as pictures."""

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from capture.hits import HitPictures, control_is_right, hit_frames
from capture.outcome import ItemOutcome, Moment
from capture.pipeline import Batch, Model, Pipeline
from natadv.images import Image
from rigs.archive import Archive
from rigs.hits import Hit, write_hits
from rigs.session import Item, Kind

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What one image gave: its outcome, its frames' rows, its hits that are kept, its wet frames' drops and hits."""

    outcome: ItemOutcome
    table: pa.Table
    kept: list[Hit]
    coverages: list[float] | None
    hits: list[bool]


@dataclass(frozen=True, slots=True)
class _Seen:
    """A clip as the model sees it: per frame the answer's index, its confidence and that of the true label."""

    table: pa.Table
    predicted: NDArray[np.int64]
    confidence: NDArray[np.float32]
    label_confidence: NDArray[np.float32]


class Scanner:
    """Scans one item at a time, in many threads at once."""

    def __init__(
        self,
        archive: Archive,
        model: Model,
        hits_folder: Path,
        *,
        batch: int,
        hits_per_clip: int,
        verify: bool,
        progress: Progress | None,
    ) -> None:
        """Prepare to scan; the arguments are those of `capture.scan.scan_session`.

        Raises:
            ValueError: if `batch` or `hits_per_clip` is too small.
        """
        HitPictures(hits_per_clip)
        self._archive = archive
        self._model = model
        self._size = archive.settings.geometry.picture_size
        self._pipeline = Pipeline(model, archive.settings.geometry, picture_size=self._size, batch=batch)
        self._limit = hits_per_clip
        self._folder = hits_folder
        self._verify = verify
        self._progress = progress
        self._noted = archive.noted()
        self._total = sum(record.frames for record in self._noted.values())
        self._done = 0
        self._lock = threading.Lock()

    def scan(self, item: Item, threads: int, stop: threading.Event) -> ItemResult:
        """Classify both clips of an item and write the hits that are kept.

        Args:
            item: with both clips complete.
            threads: of the decoder.
            stop: set when another item has failed.

        Raises:
            ClipError: if a clip is torn.
            CancelledError: if `stop` was set meanwhile.
        """
        target = self._target(item)
        pictures = HitPictures(self._limit)
        dry = self._see(item, "dry", threads, stop, None) if "dry" in self._archive.settings.kinds else None
        right = target >= 0 and (dry is None or control_is_right(dry.predicted, target))
        wet = self._see(item, "wet", threads, stop, pictures if right else None)
        hits = hit_frames(wet.predicted, target, right)
        chosen = pictures.chosen()
        kept = [self._hit(item, wet, frame) for frame in chosen]
        write_hits(self._folder, kept, lambda hit: chosen[hit.frame])
        coverages = wet.table["drop_coverage"].to_pylist()
        known = None if any(value is None for value in coverages) else coverages
        rows = [] if dry is None else [self._rows(item, "dry", dry, np.zeros(len(dry.predicted), bool))]
        table = pa.concat_tables([*rows, self._rows(item, "wet", wet, hits)])
        return ItemResult(self._outcome(item, dry, wet, right, hits, known), table, kept, known, hits.tolist())

    def _target(self, item: Item) -> int:
        """Return the place of an item's label; -1 where nobody labelled it."""
        return self._model.labels.index(item.label) if item.label else -1

    def _see(self, item: Item, kind: Kind, threads: int, stop: threading.Event, pictures: HitPictures | None) -> _Seen:
        target = self._target(item)
        clip = self._archive.clip(item, kind, self._noted.get((item.number, kind)))
        if self._verify:
            clip.verify(pixels=False)
        table = clip.table()
        rows: list[NDArray[np.float32]] = []
        for batch in self._pipeline.batches(clip, threads=threads):
            if stop.is_set():
                raise CancelledError
            rows.append(batch.probabilities)
            if pictures:
                self._offer(batch, target, pictures)
            self._advance(len(batch.frames))
        probabilities = np.concatenate(rows)
        of_label = probabilities[:, target] if target >= 0 else np.zeros(len(probabilities), np.float32)
        return _Seen(table, probabilities.argmax(1), probabilities.max(1), of_label)

    def _offer(self, batch: Batch, target: int, pictures: HitPictures) -> None:
        answers = batch.probabilities.argmax(1)
        for place in np.flatnonzero(answers != target):

            def picture(frame: Image = batch.frames[place]) -> Image:
                return batch.geometry.rectify(frame, self._size)

            pictures.offer(batch.start + int(place), float(batch.probabilities[place, answers[place]]), picture)

    def _advance(self, frames: int) -> None:
        if self._progress:
            with self._lock:
                self._done += frames
                self._progress(self._done, self._total)

    def _hit(self, item: Item, wet: _Seen, frame: int) -> Hit:
        settings = self._archive.settings
        row = wet.table.slice(frame, 1).to_pylist()[0]
        return Hit(
            path=hit_path(item, frame),
            label=item.label,
            session=self._archive.folder.resolve().name,
            session_purpose=settings.purpose,
            item=item.number,
            image=item.source,
            image_sha256=item.sha256,
            clip=item.clip_name("wet"),
            frame=frame,
            frame_index=row["index"],
            timestamp_s=row["timestamp_s"],
            drop_coverage=row["drop_coverage"],
            predicted=self._model.labels[wet.predicted[frame]],
            confidence=float(wet.confidence[frame]),
            label_confidence=float(wet.label_confidence[frame]),
            model_sha256=self._model.digest,
        )

    def _rows(self, item: Item, kind: Kind, seen: _Seen, hits: NDArray[np.bool_]) -> pa.Table:
        count = len(seen.predicted)
        labels = pa.array(self._model.labels)
        target = self._target(item)
        columns = {
            "item": pa.array([item.number] * count, pa.int32()),
            "source": pa.array([item.source] * count),
            "kind": pa.array([kind] * count),
            "frame": pa.array(range(count), pa.int32()),
            "label": pa.array([item.label] * count),
            "predicted": labels.take(pa.array(seen.predicted)),
            "confidence": pa.array(seen.confidence),
            "label_confidence": pa.array(seen.label_confidence),
            "correct": pa.array(seen.predicted == target),
            "hit": pa.array(hits),
        }
        recorded = {("frame_index" if name == "index" else name): seen.table[name] for name in seen.table.column_names}
        return pa.table({**columns, **recorded})

    def _outcome(
        self,
        item: Item,
        dry: _Seen | None,
        wet: _Seen,
        right: bool,
        hits: NDArray[np.bool_],
        coverages: list[float] | None,
    ) -> ItemOutcome:
        target = self._target(item)
        places = np.flatnonzero(hits)
        best = int(np.where(hits, wet.confidence, -1).argmax()) if len(places) else None
        return ItemOutcome(
            item=item.number,
            source=item.source,
            label=item.label,
            control=None if dry is None else self._moment(dry, int((dry.predicted != target).argmax())),
            control_right=right,
            frames=len(wet.predicted),
            hits=len(places),
            first=self._moment(wet, int(places[0])) if len(places) else None,
            best=None if best is None else self._moment(wet, best),
            weakest=self._moment(wet, int(wet.label_confidence.argmin())),
            coverage=None if coverages is None else float(np.mean(coverages)),
        )

    def _moment(self, seen: _Seen, frame: int) -> Moment:
        times = seen.table["timestamp_s"]
        return Moment(
            frame=frame,
            time_s=times[frame].as_py() - times[0].as_py(),
            predicted=self._model.labels[seen.predicted[frame]],
            confidence=float(seen.confidence[frame]),
            label_confidence=float(seen.label_confidence[frame]),
        )


def hit_path(item: Item, frame: int) -> str:
    """Return where a hit's picture is kept below the folder of hits."""
    return f"{item.label}/{item.number:04d}-{frame:04d}.png"
