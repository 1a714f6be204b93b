"""Scan a session: every frame of every completed clip through a model, and what fooled it.

A scan is a folder of the session, named by the first 12 digits of the model's SHA-256, and appears when it is whole:

    predictions.parquet   a row per frame; its metadata hold the model's full SHA-256
    summary.json          ScanSummary, see capture.outcome
    hits/                 an image folder for training, see capture.hits
"""

import contextlib
import platform
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from capture.hits import DEFINITION, LABELLED_DEFINITION
from capture.outcome import ModelInfo, ScanSummary, by_class, by_coverage, frame_share, image_share
from capture.pipeline import Model, cores, on_all_cores
from capture.scanner import ItemResult, Progress, Scanner
from natadv.durable import file_error, new_folder, sync
from natadv.errors import DataError
from rigs.archive import Archive
from rigs.hits import PROVENANCE, write_provenance

PREDICTIONS, SUMMARY, HITS = "predictions.parquet", "summary.json", "hits"
_NEW, _OLD = ".new", ".old"


def scan_session(
    archive: Archive,
    classifier: Model,
    *,
    batch: int = 16,
    workers: int | None = None,
    hits_per_clip: int = 20,
    force: bool = False,
    verify: bool = False,
    command: str = "",
    progress: Progress | None = None,
) -> ScanSummary:
    """Classify every frame of a session's completed clips and write the scan; one that is up to date is only read.

    Args:
        archive: the session.
        classifier: an open `edge.classifier.Classifier`; on the CPU best with threads=1, as the cores are shared
            out by clips.
        batch: frames of one run of the model.
        workers: clips in work at once; None for one a core.
        hits_per_clip: at most so many hits of a clip are kept as pictures; all are in the predictions.
        force: scan again even if the scan is up to date.
        verify: scan again, and compare each clip with its checksums first; a torn video is noticed without.
        command: noted in the summary.
        progress: called with (frames done, frames in all), from any thread.

    Raises:
        ValueError: if `batch`, `workers` or `hits_per_clip` is too small.
        DataError: if no image is recorded yet, or the model lacks a label of the session.
        ClipError: if a clip is torn; nothing is written then.
        ResourceError: if the disk is full; likewise.
        DeviceError: if the model's device fails; likewise.
    """
    workers = cores() if workers is None else workers
    if workers < 1:
        raise ValueError(f"expected at least one worker, got {workers}")
    check_labels(archive, classifier)
    items = archive.complete_items()
    if not items:
        raise DataError(f"{archive.folder}: no image is recorded yet; go on with `natadv capture run --resume`")
    if not (force or verify) and (known := known_scan(archive, classifier.digest, hits_per_clip)):
        return known
    folder = archive.scan_folder(classifier.digest)
    with _replaced(folder) as part:
        scanner = Scanner(
            archive,
            classifier,
            part / HITS,
            batch=batch,
            hits_per_clip=hits_per_clip,
            verify=verify,
            progress=progress,
        )
        started = time.perf_counter()
        results = on_all_cores(scanner.scan, items, workers)
        seconds = time.perf_counter() - started
        write_provenance(part / HITS, [hit for result in results for hit in result.kept])
        summary = _summarise(archive, classifier, results, seconds, hits_per_clip, command)
        table = pa.concat_tables([result.table for result in results])
        pq.write_table(table.replace_schema_metadata({"model_sha256": classifier.digest}), part / PREDICTIONS)
        (part / SUMMARY).write_text(summary.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return summary


def known_scan(archive: Archive, digest: str, hits_per_clip: int) -> ScanSummary | None:
    """Return the scan of all clips recorded so far by the model of this SHA-256, if there is one.

    Args:
        archive: the session.
        digest: of the model's bytes.
        hits_per_clip: as many hits of a clip were to be kept as pictures.

    Raises:
        DataError: if there is a scan but its summary is damaged.
    """
    folder = archive.scan_folder(digest)
    if not folder.exists() or not all((folder / name).exists() for name in (PREDICTIONS, f"{HITS}/{PROVENANCE}")):
        return None
    found = read_summary(folder)
    same = found.model.sha256 == digest and found.hits_per_clip == hits_per_clip
    return found if same and found.clips == _clips(archive) else None


def read_summary(folder: Path) -> ScanSummary:
    """Read the summary of a scan's folder.

    Raises:
        DataError: if it is missing or damaged.
    """
    path = folder / SUMMARY
    try:
        return ScanSummary.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise DataError(f"{path}: not a natadv-scan/1 summary; scan again with --force") from error


def read_predictions(folder: Path) -> pa.Table:
    """Read the predictions of a scan's folder, a row per frame, in order of item, dry before wet, and frame.

    Raises:
        DataError: if they are missing or damaged.
    """
    path = folder / PREDICTIONS
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read; scan again with --force") from error


def scan_folders(archive: Archive) -> list[Path]:
    """Return the folders of a session's scans, oldest first."""
    folders = [path.parent for path in (archive.folder / "scans").glob(f"*/{SUMMARY}") if not path.parent.suffix]
    return sorted(folders, key=lambda folder: (read_summary(folder).created, folder.name))


def check_labels(archive: Archive, classifier: Model) -> None:
    """Make sure that a model knows all labels of a session.

    Raises:
        DataError: if it does not.
    """
    lacking = sorted({item.label for item in archive.settings.items if item.label} - set(classifier.labels))
    if lacking:
        named = ", ".join(map(repr, lacking[:5])) + (f" and {len(lacking) - 5} more" if len(lacking) > 5 else "")
        raise DataError(f"{archive.folder}: the model has no label {named}; scan with a model trained on these labels")


@contextmanager
def _replaced(folder: Path) -> Iterator[Path]:
    """Give a temporary folder that takes `folder`'s name when the block ends well, in place of an older one."""
    new, old = folder.with_name(folder.name + _NEW), folder.with_name(folder.name + _OLD)
    target = new if folder.exists() else folder
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)
    with new_folder(target) as part:
        yield part
        for path in part.rglob("*"):
            sync(path)
    if target != folder:
        try:
            folder.rename(old)
            target.rename(folder)
            shutil.rmtree(old)
        except OSError as error:
            raise file_error(folder, error) from error


def _clips(archive: Archive) -> int:
    """Return how many clips there are of complete items."""
    return len(archive.settings.kinds) * len(archive.complete_items())


def _summarise(
    archive: Archive, model: Model, results: list[ItemResult], seconds: float, hits_per_clip: int, command: str
) -> ScanSummary:
    settings, manifest = archive.settings, model.manifest
    items = tuple(result.outcome for result in results)
    frames = sum(result.table.num_rows for result in results)
    counted = [result for result in results if result.outcome.control_right]
    return ScanSummary(
        created=datetime.now(UTC).isoformat(timespec="microseconds"),
        natadv_version=version("natadv"),
        versions=_versions(),
        command=command,
        model=ModelInfo(
            sha256=model.digest,
            checkpoint_sha256=manifest.checkpoint_sha256,
            name=manifest.model_name,
            labels=len(model.labels),
            input_height_px=model.input_size[0],
            input_width_px=model.input_size[1],
            provider=model.provider,
            metrics=dict(manifest.metrics),
            accuracy_data=manifest.accuracy_data,
        ),
        session=archive.folder.resolve().name,
        session_purpose=settings.purpose,
        hit_definition=DEFINITION if settings.control_frames else LABELLED_DEFINITION,
        hits_per_clip=hits_per_clip,
        clips=_clips(archive),
        frames=frames,
        seconds=seconds,
        frames_per_s=frames / seconds,
        times_real_time=frames / seconds / settings.fps,
        images=image_share(items),
        wet_frames=frame_share(items),
        controls_wrong=len(items) - len(counted),
        classes=by_class(items),
        coverages=by_coverage((result.coverages, result.hits) for result in counted if result.coverages is not None),
        items=items,
    )


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("numpy", "opencv-python", "av", "pyarrow", "onnxruntime", "onnxruntime-gpu"):
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
