"""The session folder on disk: the one place that knows its layout.

    session.json      SessionSettings: all that is needed to repeat the session, written once before anything else
    images/NNNN.png   the clean images, as shown; NNNN.drops.json beside one whose clip has drops of a layout
    clips/NNNN-dry    the control of item NNNN: a Clip through dry glass; none where `control_frames` is 0
    clips/NNNN-wet    its clip: the same through wet glass
    clips/*.damaged   clips that differed from their checksums; clips/*.rejectedN those of an attempt that was rejected
                      after it had been written; nothing reads either, and they may be removed
    manifest.jsonl    one ClipRecord a line, appended and synced after a clip has its final name; a VoidRecord takes it
                      back where the clip was found damaged or gone; what else an image came to, see rigs.manifest
    journal.jsonl     what happened, for people, see capture.journal
    scans/DIGEST/     predictions of one model bundle, see capture.scan
    live/DIGEST/      hits of one bundle that was scanned with while the session was recorded, see capture.live_scan
    report.html       see capture.report

Everything else asks the Archive. Sessions are recorded at a rig (`capture`), or kept by a live run as evidence
(`edge.evidence`): of one item without a control, whose label is empty until a person gave it one.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pydantic import BaseModel, ValidationError

from natadv.durable import PART_SUFFIX, append_line, changing, file_error, new_folder, replace_file, sync
from natadv.errors import ClipError, DataError
from natadv.images import Image, read_image, write_image
from natadv.lock import held, is_held
from natadv.raindrops.layout import Layout, load_layout
from rigs.clip import Clip, read_clip
from rigs.manifest import Manifest, read_manifest
from rigs.session import (
    ClipRecord,
    Item,
    Kind,
    RejectedRecord,
    RetriedRecord,
    SessionSettings,
    SkippedRecord,
    VoidRecord,
)

SETTINGS, MANIFEST, LOCK = "session.json", "manifest.jsonl", ".lock"


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was found of a session that was stopped.

    Attributes:
        kept: finished clips that had not been noted.
        damaged: where clips were put that differ from their checksums; they will be recorded again.
        gone: noted clips that are no longer there; they will be recorded again.
    """

    kept: list[Path]
    damaged: list[Path]
    gone: list[Path]


@dataclass(frozen=True, slots=True)
class Archive:
    """A session folder that exists."""

    folder: Path
    settings: SessionSettings

    def records(self) -> list[ClipRecord]:
        """Return the completed clips in order of completion; a last line that was cut off counts for nothing.

        Raises:
            DataError: if any other line is damaged.
        """
        return list(self.noted().values())

    def noted(self) -> dict[tuple[int, Kind], ClipRecord]:
        """Return the same by number of the item and kind of the clip.

        Raises:
            DataError: as `records`.
        """
        return self.manifest().noted

    def manifest(self) -> Manifest:
        """Return the same with what else the images came to.

        Raises:
            DataError: as `records`.
        """
        return read_manifest(self.folder / MANIFEST)

    def missing(self) -> list[tuple[Item, Kind]]:
        """Return the clips that are still to be recorded, in order; those of skipped images are not."""
        manifest = self.manifest()
        return [
            (item, kind)
            for item in self.settings.items
            for kind in self.settings.kinds
            if (item.number, kind) not in manifest.noted and manifest.fate(item.number).skipped is None
        ]

    def complete_items(self) -> list[Item]:
        """Return the items with all their clips that were not skipped."""
        manifest = self.manifest()
        return [
            item
            for item in self.settings.items
            if manifest.fate(item.number).skipped is None
            and all((item.number, kind) in manifest.noted for kind in self.settings.kinds)
        ]

    def skipped(self) -> list[tuple[Item, tuple[str, ...]]]:
        """Return the items that were given up, each with why."""
        manifest = self.manifest()
        fates = [(item, manifest.fate(item.number).skipped) for item in self.settings.items]
        return [(item, reasons) for item, reasons in fates if reasons is not None]

    def clip_folder(self, item: Item, kind: Kind) -> Path:
        """Return where the clip is or will be."""
        return self.folder / item.clip_name(kind)

    def clip(self, item: Item, kind: Kind, record: ClipRecord | None = None) -> Clip:
        """Open a completed clip.

        Args:
            item: what was shown.
            kind: dry or wet.
            record: its line of the manifest, to compare it with.

        Raises:
            ClipError: if it is damaged, or another clip than the manifest's.
        """
        clip = read_clip(self.clip_folder(item, kind))
        if record is not None and clip.info.pixels_sha256 != record.pixels_sha256:
            raise ClipError(
                f"{clip.folder}: not the clip that {MANIFEST} notes; record it again with `natadv capture run --resume`"
            )
        return clip

    def image(self, item: Item) -> Image:
        """Return the clean image of an item.

        Raises:
            DataError: if its file is damaged.
        """
        return read_image(self.folder / item.image_name)

    def layout(self, item: Item) -> Layout | None:
        """Return the drops that an item's clip is to have; None where the plate is sprayed.

        Raises:
            DataError: if their file is missing or was changed.
        """
        if item.drops_sha256 is None:
            return None
        path = self.folder / item.layout_name
        layout = load_layout(path)
        if hashlib.sha256(path.read_bytes()).hexdigest() != item.drops_sha256:
            raise DataError(f"{path}: changed since the session began; begin a new one")
        return layout

    @property
    def placed(self) -> int:
        """How many images have the drops of a layout, found to fool some model, instead of a spray."""
        return sum(item.drops_sha256 is not None for item in self.settings.items)

    def add(
        self,
        item: Item,
        kind: Kind,
        clip: Clip,
        lost: int,
        *,
        attempt: int = 0,
        coverage: float | None = None,
        measured: bool = False,
        light: float | None = None,
    ) -> None:
        """Note a clip as completed; call it once its folder has its final name. The rest is as in ClipRecord."""
        record = ClipRecord(
            item=item.number,
            kind=kind,
            clip=item.clip_name(kind),
            frames=clip.info.frame_count,
            lost=lost,
            pixels_sha256=clip.info.pixels_sha256,
            attempt=attempt,
            coverage=coverage,
            measured=measured,
            light=light,
        )
        self._note(record)

    def reject(self, item: Item, reasons: Sequence[str], *, asked: bool = False) -> None:
        """Note that an attempt at an image does not count; clips of it that were written are put aside, not removed.

        Raises:
            DataError, ResourceError: if it cannot be noted.
        """
        manifest = self.manifest()
        attempt = manifest.fate(item.number).attempt
        records = [manifest.noted.get((item.number, kind)) for kind in self.settings.kinds]
        checksums = tuple(record.pixels_sha256 for record in records if record)
        # The line takes all its clips back at once; killed after it, `recover` puts aside what it names.
        self._note(RejectedRecord(item=item.number, rejected=tuple(reasons), asked=asked, pixels_sha256=checksums))
        with changing(self.folder / "clips"):
            for kind in self.settings.kinds:
                self._put_aside(self.clip_folder(item, kind), attempt)
            sync(self.folder / "clips")

    def _put_aside(self, folder: Path, attempt: int) -> None:
        if folder.exists():
            aside = folder.with_name(f"{folder.name}.rejected{attempt}")
            shutil.rmtree(aside, ignore_errors=True)
            folder.rename(aside)

    def skip(self, item: Item, reasons: Sequence[str]) -> None:
        """Note that an image is given up.

        Raises:
            DataError, ResourceError: if it cannot be noted.
        """
        self._note(SkippedRecord(item=item.number, skipped=tuple(reasons)))

    def retry_skipped(self) -> list[Item]:
        """Give all images that were given up their attempts again, and return them.

        Raises:
            DataError, ResourceError: if it cannot be noted.
        """
        items = [item for item, _ in self.skipped()]
        for item in items:
            self._note(RetriedRecord(item=item.number, retried=True))
        return items

    def _note(self, record: BaseModel) -> None:
        # What says nothing new is left out, so that a session without re-shoots is one for older readers too.
        append_line(self.folder / MANIFEST, record.model_dump_json(exclude_defaults=True))

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Keep every other process from recording into this session meanwhile; a killed one holds it no longer.

        Raises:
            DataError: if another process is recording, or the lock cannot be had.
        """
        refusal = f"{self.folder}: another process is recording this session; let it end"
        with held(self.folder / LOCK, refusal):
            yield

    def recover(self) -> Recovery:
        """Tidy up before going on: note finished clips, put rejected and damaged ones aside, take back what is gone.

        Every byte of every clip is compared with its checksum, as fast as the disk can read.

        Raises:
            DataError, ResourceError: if something cannot be put aside, or noted.
        """
        with changing(self.folder / "clips"):
            for part in (self.folder / "clips").glob(f"*{PART_SUFFIX}"):
                shutil.rmtree(part)
            manifest = self.manifest()
            noted = manifest.noted
            kept, damaged, gone = [], [], []
            for item, kind in [(item, kind) for item in self.settings.items for kind in self.settings.kinds]:
                folder, record = self.clip_folder(item, kind), noted.get((item.number, kind))
                if not folder.exists():
                    if record:
                        self._take_back(record, "gone")
                        gone.append(folder)
                    continue
                try:
                    clip = self.clip(item, kind, record)
                    clip.verify(pixels=record is None)
                    table = clip.table()
                except ClipError as error:
                    aside = folder.with_name(f"{folder.name}.damaged")
                    shutil.rmtree(aside, ignore_errors=True)
                    folder.rename(aside)
                    if record:
                        self._take_back(record, str(error))
                    damaged.append(aside)
                    continue
                if not record and (item.number, clip.info.pixels_sha256) in manifest.rejected:
                    self._put_aside(folder, manifest.fate(item.number).attempt - 1)  # its rejection was killed half-way
                    continue
                if not record:
                    self._add_again(item, kind, clip, table, manifest.fate(item.number).attempt)
                    kept.append(folder)
            return Recovery(kept, damaged, gone)

    def _add_again(self, item: Item, kind: Kind, clip: Clip, table: pa.Table, attempt: int) -> None:
        """Note a clip that was finished but not noted, with what its frames say of themselves."""
        indices: list[int] = table["index"].to_pylist()
        coverages: list[float | None] = table["drop_coverage"].to_pylist()
        known = [coverage for coverage in coverages if coverage is not None]
        self.add(
            item,
            kind,
            clip,
            indices[-1] - indices[0] + 1 - len(indices),
            attempt=attempt,
            coverage=sum(known) / len(known) if known else None,
            measured=bool(known) and table["drop_count"].null_count > 0,
        )

    def _take_back(self, record: ClipRecord, reason: str) -> None:
        self._note(VoidRecord(item=record.item, kind=record.kind, void=reason))

    def scan_folder(self, digest: str) -> Path:
        """Return where the scan by the model with this SHA-256 is kept."""
        return self.folder / "scans" / digest[:12]


def create_archive(
    folder: Path, settings: SessionSettings, images: Sequence[Image], layouts: Mapping[int, bytes] | None = None
) -> Archive:
    """Make a new session folder with its settings and clean images; it appears whole or not at all.

    Args:
        folder: new.
        settings: with the items.
        images: one an item.
        layouts: files of drops, by the numbers of the items that have one.

    Raises:
        DataError: if the folder exists, or cannot be written.
        ResourceError: if the disk is full.
    """
    if folder.exists():
        raise DataError(f"{folder}: exists already; add --resume to go on with it, or name another folder")
    with new_folder(folder) as part:
        fill_archive(part, settings, images, layouts)
    return Archive(folder, settings)


def fill_archive(
    folder: Path, settings: SessionSettings, images: Sequence[Image], layouts: Mapping[int, bytes] | None = None
) -> Archive:
    """Fill an empty folder as a session's; whoever made it gives it its name. The arguments are `create_archive`'s.

    Raises:
        OSError: if it cannot be written.
    """
    (folder / "clips").mkdir()
    (folder / "images").mkdir()
    for item, image in zip(settings.items, images, strict=True):
        write_image(folder / item.image_name, image)
        sync(folder / item.image_name)
        if layouts and item.number in layouts:
            replace_file(folder / item.layout_name, layouts[item.number])
    (folder / SETTINGS).write_bytes(_settings_bytes(settings))
    return Archive(folder, settings)


def relabel(archive: Archive, label: str) -> Archive:
    """Give all items of a session the label that a person saw; settings are else never written again.

    Raises:
        DataError, ResourceError: if it cannot be written.
    """
    items = tuple(item.model_copy(update={"label": label}) for item in archive.settings.items)
    settings = archive.settings.model_copy(update={"items": items})
    replace_file(archive.folder / SETTINGS, _settings_bytes(settings))
    return Archive(archive.folder, settings)


def _settings_bytes(settings: SessionSettings) -> bytes:
    return (json.dumps(settings.model_dump(mode="json"), indent=1) + "\n").encode()


def is_recording(folder: Path) -> bool:
    """Return whether a process is recording the session in `folder` at this moment."""
    return is_held(folder / LOCK)


def open_archive(folder: Path) -> Archive:
    """Open a session folder.

    Raises:
        DataError: if it is not one.
    """
    path = folder / SETTINGS
    if not path.is_file():
        raise DataError(f"{folder}: not a session folder ({SETTINGS} is missing)")
    try:
        return Archive(folder, SessionSettings.model_validate_json(path.read_bytes()))
    except OSError as error:
        raise file_error(path, error) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(f"{path}: not a natadv-session/1 description ({place}: {first['msg']})") from error
