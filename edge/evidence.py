"""Evidence: clips of a live run's alarms on disk, until a person says what they show.

A folder of evidence holds

    TIME-SIGNS/        a session of one item without a control (`rigs.archive`), which `natadv capture scan` reads, and
        alarm.json     AlarmInfo: when, why, which model
        answers.jsonl  what the model said of its frames, an Answer a line
        strip/N.jpg    PICTURES frames, spread evenly, small, for a look at it
    labelled/TIME-.../ pictures of a labelled clip that the model was wrong or unsure about, as training reads them

Clips take their names when they are whole. They are bounded by a budget of bytes, the oldest out first; what was
labelled is a person's work and stays.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Annotated, Final, Literal, Self

import cv2
import numpy as np
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from edge.parts import LabelledPart, labelling_alone, parts_of
from natadv.durable import PART_SUFFIX, file_error, new_folder
from natadv.errors import ConfigError, DataError, ResourceError
from natadv.images import resize
from rigs.archive import fill_archive, open_archive
from rigs.clip import write_clip
from rigs.frame import Frame
from rigs.geometry import ScreenGeometry
from rigs.session import Item, SessionSettings

ALARM, ANSWERS, STRIP, LABELLED, LOCK = "alarm.json", "answers.jsonl", "strip", "labelled", ".lock"
PICTURES: Final = 6
_PICTURE_PX: Final = 320  # wide
_GONE: Final = ".gone"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Answer(_Record):
    """What the model said of a frame.

    Attributes:
        index: of the frame.
        timestamp_s: of the frame.
        confidence: of the label, 0..1.
        truth: what the frame shows, where the source knew.
    """

    index: int
    timestamp_s: FiniteFloat
    label: str
    confidence: FiniteFloat
    truth: str | None = None


class AlarmInfo(_Record):
    """What `alarm.json` says.

    Attributes:
        at: when the alarm began.
        signs: of it, see `edge.alarm`.
        said: the label that the model gave then.
        source: what it looked at.
        model_sha256: of the model.
        labels: that it knows.
    """

    format: Literal["natadv-evidence/1"] = "natadv-evidence/1"
    at: Annotated[AwareDatetime, Field(strict=False)]
    signs: tuple[str, ...]
    said: str
    source: str
    model_sha256: str
    labels: tuple[str, ...]


class EvidenceClip:
    """One clip of evidence.

    Attributes:
        name: of its folder.
        info: of its alarm.
        archive: it as a session.
    """

    def __init__(self, folder: Path) -> None:
        """Open it.

        Raises:
            DataError: if it is none.
        """
        self.name = folder.name
        path = folder / ALARM
        try:
            self.info = AlarmInfo.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise DataError(f"{folder}: no evidence of a live run ({ALARM} is missing or damaged)") from error
        self.archive = open_archive(folder)

    @property
    def label(self) -> str | None:
        """What a person said it shows; None: nobody did."""
        return self.archive.settings.items[0].label or None

    def parts(self) -> list[LabelledPart]:
        """Return the parts of it that a person labelled apart.

        Raises:
            DataError: if what is kept of one is damaged.
        """
        return parts_of(self.archive.folder.parent / LABELLED, self.name)

    def picture(self, place: int) -> bytes | None:
        """Return one of its PICTURES, JPEG; None: there is no such."""
        try:
            return (self.archive.folder / STRIP / f"{place}.jpg").read_bytes()
        except FileNotFoundError:
            return None

    def answers(self) -> list[Answer]:
        """Return what the model said of its frames.

        Raises:
            DataError: if the file is damaged.
        """
        path = self.archive.folder / ANSWERS
        try:
            return [Answer.model_validate_json(line) for line in path.read_bytes().splitlines()]
        except (OSError, ValidationError) as error:
            raise DataError(f"{path}: damaged") from error


class EvidenceStore:
    """A folder of evidence, for one live run at a time to write to."""

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        """Open or make the folder, clear away what a killed run left, and keep other runs out.

        Args:
            folder: may exist.
            max_bytes: that the clips may take.

        Raises:
            ConfigError: if it holds something else, or is no folder.
            DataError: if another process writes to it, or it cannot be written.
        """
        self.folder, self._max_bytes = folder, max_bytes
        self._held = ExitStack()
        try:
            if folder.exists() and not (folder / LOCK).exists() and any(folder.iterdir()):
                raise ConfigError(f"{folder}: holds other things than evidence; name a new folder")
            _make(folder)
            lock = self._held.enter_context((folder / LOCK).open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.close()
            raise DataError(f"{folder}: another run writes its evidence there; name another folder") from error
        except NotADirectoryError as error:
            raise ConfigError(f"{folder}: is a file; name a folder for the evidence") from error
        except OSError as error:
            self.close()
            raise file_error(folder / LOCK, error) from error
        for left in [*folder.glob(f"*{PART_SUFFIX}"), *folder.glob(f"*{_GONE}")]:
            shutil.rmtree(left, ignore_errors=True)
        if (labelled := folder / LABELLED).is_dir():
            # What one who is labelling writes aside is no leftover; and a run does not wait for a person's work.
            with labelling_alone(labelled, wait=False) as alone:
                for left in labelled.glob(f"*{PART_SUFFIX}") if alone else ():
                    shutil.rmtree(left, ignore_errors=True)

    def write(
        self, frames: Sequence[Frame], answers: Sequence[Answer], info: AlarmInfo, *, geometry: ScreenGeometry
    ) -> EvidenceClip:
        """Keep a clip; the oldest go where it would not fit.

        Args:
            frames: of one size, at least one.
            answers: of some of them.
            info: of the alarm.
            geometry: where in the frames the model looked.

        Raises:
            ResourceError: if the disk is full, or the clip alone is larger than what clips may take.
            DataError: if it cannot be written for another reason.
        """
        # Microseconds keep two apart, and names sort by time.
        name = f"{info.at.astimezone(UTC):%Y%m%dT%H%M%S.%f}-{'-'.join(info.signs) or 'alarm'}"
        folder = self.folder / name
        nearest = min(frames, key=lambda frame: abs(frame.timestamp_s - _turn(frames, answers)))
        with new_folder(folder) as part:
            settings = _settings(frames, info, geometry, name, nearest)
            archive = fill_archive(part, settings, [nearest.image])
            clip = write_clip(part / settings.items[0].clip_name("wet"), frames, settings.fps, threads=1)
            lost = frames[-1].index - frames[0].index + 1 - len(frames)
            archive.add(settings.items[0], "wet", clip, lost)
            _write_strip(part / STRIP, frames)
            (part / ANSWERS).write_text("".join(f"{answer.model_dump_json()}\n" for answer in answers), "utf-8")
            (part / ALARM).write_text(info.model_dump_json(indent=1) + "\n", "utf-8")
            self._make_room(_size(part))
        return EvidenceClip(folder)

    def clips(self) -> list[EvidenceClip]:
        """Return the clips, the newest first; one that is damaged is left out."""
        return list(reversed(evidence_clips(self.folder)))

    def close(self) -> None:
        """Let other runs in; may be called twice."""
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _make_room(self, size: int) -> None:
        """Let the oldest clips go until one of this size fits."""
        if size > self._max_bytes:
            raise ResourceError(
                f"{self.folder}: the clip takes {size / 1e6:.0f} MB, more than the {self._max_bytes / 1e6:.0f} MB that"
                " all may take; allow more (--evidence-disk)"
            )
        clips = _folders(self.folder)
        sizes = [_size(folder) for folder in clips]
        while clips and sum(sizes) + size > self._max_bytes:
            discard(clips.pop(0))
            sizes.pop(0)


def _make(folder: Path) -> None:
    """Make a folder where there is none.

    Raises:
        DataError: if it cannot be made.
        ResourceError: if the disk is full.
        NotADirectoryError: if it is to be in a file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except NotADirectoryError:
        raise
    except OSError as error:
        found = file_error(folder, error)
        if isinstance(found, ResourceError):
            raise found from error
        raise DataError(f"{folder}: cannot be made ({error.strerror}); name a folder that can be written to") from error


def evidence_clips(folder: Path) -> list[EvidenceClip]:
    """Return the clips in a folder of evidence, the oldest first; one that is damaged is left out.

    Raises:
        DataError: if there is no such folder.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder of evidence")
    found = []
    for one in _folders(folder):
        try:
            found.append(EvidenceClip(one))
        except DataError:
            continue
    return found


def discard(folder: Path) -> None:
    """Let a clip go; it is gone at once, whatever is killed meanwhile."""
    gone = folder.with_name(folder.name + _GONE)
    try:
        folder.rename(gone)
    except FileNotFoundError:
        return  # a person removed it
    except OSError as error:
        raise file_error(folder, error) from error
    shutil.rmtree(gone, ignore_errors=True)


def _folders(folder: Path) -> list[Path]:
    aside = (PART_SUFFIX, _GONE)
    return sorted(path for path in folder.iterdir() if (path / ALARM).is_file() and path.suffix not in aside)


def _size(folder: Path) -> int:
    found = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # what a label is written aside to, or a person removed
                found += (Path(place) / name).stat().st_size
    return found


def _write_strip(folder: Path, frames: Sequence[Frame]) -> None:
    folder.mkdir()
    for place, number in enumerate(np.linspace(0, len(frames) - 1, PICTURES).round().astype(int)):
        image = frames[number].image
        height, width = image.shape[:2]
        scale = min(1.0, _PICTURE_PX / width)
        small = resize(image, (max(1, round(scale * height)), max(1, round(scale * width))))
        ok, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
        if not ok:
            raise DataError(f"{folder}: a frame of {width}x{height} px cannot be made a picture")
        (folder / f"{place}.jpg").write_bytes(data.tobytes())


def _turn(frames: Sequence[Frame], answers: Sequence[Answer]) -> float:
    """Return the time of the answer that the model was least sure of; the middle of the clip where there is none."""
    if not answers:
        return (frames[0].timestamp_s + frames[-1].timestamp_s) / 2
    return min(answers, key=lambda answer: answer.confidence).timestamp_s


def _settings(
    frames: Sequence[Frame], info: AlarmInfo, geometry: ScreenGeometry, name: str, nearest: Frame
) -> SessionSettings:
    height, width = nearest.image.shape[:2]
    steps = np.diff([frame.timestamp_s for frame in frames])
    digest = hashlib.sha256(np.ascontiguousarray(nearest.image).data).hexdigest()
    return SessionSettings(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        natadv_version=version("natadv"),
        purpose="training",
        seed=0,
        clip_s=frames[-1].timestamp_s - frames[0].timestamp_s,
        control_frames=0,
        spray_s=0.0,
        fps=float(np.clip(1 / np.median(steps), 1, 1000)) if len(steps) and np.median(steps) > 0 else 30.0,
        images="",
        items=(Item(number=0, source=name, label="", sha256=digest),),
        crop_px=(0, 0, width, height),
        corners_px=geometry.corners_px,
        lens=geometry.lens.settings if geometry.lens else None,
        rig_file=info.source,
        rig={},
    )
