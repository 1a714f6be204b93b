"""What an unattended session came to: counted from its manifest, its journal, its clips, and notes taken beside it."""

import contextlib
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.loopback_truth import checked
from capture.journal import Reader
from natadv.durable import append_line
from natadv.errors import ClipError
from natadv.images import Image, resize
from rigs.archive import Archive, open_archive
from rigs.rig import RigSettings
from rigs.session import ClipRecord

_WARM_S: Final = 120.0
"""After a process began; what it takes until then is no leak."""
_LONG_S: Final = 600.0
"""A process that was warm for less says nothing of an hour."""
_SIDE_PX: Final = 32
_ON_PURPOSE: Final = "a fault made on purpose"


@dataclass
class Notes:
    """Lines of a file, each with a kind and a time of `time.time`; appended to as things happen."""

    path: Path
    lines: list[dict[str, Any]]

    @classmethod
    def read(cls, path: Path) -> "Notes":
        """Return the notes that are there; a line that was cut off counts for nothing."""
        lines = []
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            with contextlib.suppress(json.JSONDecodeError):
                lines.append(json.loads(line))
        return cls(path, lines)

    def add(self, kind: str, **what: Any) -> None:
        """Add a line."""
        line = {"at": round(time.time(), 3), "kind": kind, **what}
        self.lines.append(line)
        append_line(self.path, json.dumps(line))

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the lines of a kind."""
        return [line for line in self.lines if line["kind"] == kind]


def judge(session: Path, notes: Notes, rig: RigSettings | None = None) -> dict[str, Any]:
    """Return the figures of a session.

    Args:
        session: its folder.
        notes: taken beside it.
        rig: the loopback bench, whose frames are computed again and compared; None for another.
    """
    archive, events = open_archive(session), list(Reader(session).events())
    clips = _clips(archive)
    complete, skipped = {item.number for item in archive.complete_items()}, archive.skipped()
    given_up = {item.number for item, _ in skipped}
    records = archive.records()
    there = {(one.item, one.kind, one.pixels_sha256) for one in records}
    rejected = archive.manifest().rejected  # taken back with its attempt and put aside, which is no loss
    known = {tuple(key) for line in notes.of("known") for key in line["keys"]}
    known -= {key for key in known if (key[0], key[2]) in rejected}
    fell = Counter(
        event.reason.partition(" (")[0]
        for event in events
        if event.kind == "device-lost" and _ON_PURPOSE in event.reason
    )
    wall_s = running_s(notes.lines)
    return {
        "images": len(archive.settings.items),
        "complete": len(complete),
        "skipped": len(given_up),
        "neither": sorted({item.number for item in archive.settings.items} - complete - given_up),
        "clips_recorded": len(records),
        "clips_lost": sorted(map(list, known - there)) + clips["damaged"],
        "images_recorded_again": sum(event.kind == "reshot" for event in events),
        "controls_of_another_image": clips["wrong"],
        "frames": clips["frames"],
        "frames_lost_and_said": sum(one.lost for one in records),
        "frames_lost_and_not_said": clips["gaps"] - sum(one.lost for one in records),
        "torn_frames_refused": sum("is torn" in event.text for event in events),
        "frames_not_bit_exact": None if rig is None else sum(one.differing for one in checked(archive, rig)),
        "faults_from_outside": dict(Counter(line["name"] for line in notes.of("fault"))),
        "calls_failed_on_purpose": dict(fell),
        "devices_lost": sum(event.kind == "device-lost" for event in events),
        "devices_back": sum(event.kind == "device-back" for event in events),
        "processes": len(notes.of("life")),
        "silences": len(notes.of("silence")),
        "runs_of_this_program": len(notes.of("begun")),
        "wall_s": round(wall_s, 1),
        "images_an_hour": round(3600 * len(complete) / wall_s, 1) if wall_s else None,
        "s_an_image": round(wall_s / len(complete), 1) if complete else None,
        "rss_mb_max": max((line["rss_mb"] for line in notes.of("sample") if line["rss_mb"]), default=None),
        "rss_mb_an_hour": slope_mb_an_hour(notes.lines),
    }


def running_s(lines: Sequence[dict[str, Any]]) -> float:
    """Return how long a session was being recorded, interruptions of the whole left out."""
    total_s, begun_s, last_s = 0.0, None, 0.0
    for line in lines:
        if line["kind"] == "begun":
            total_s += last_s - begun_s if begun_s is not None else 0.0
            begun_s = line["at"]
        last_s = line["at"]
    return total_s + (last_s - begun_s if begun_s is not None else 0.0)


def slope_mb_an_hour(lines: Sequence[dict[str, Any]]) -> float | None:
    """Return by how much memory grows within processes that are warm; None where none lived long enough to tell.

    Each process has a level of its own: what is fitted is the one slope that all share.
    """
    lives: list[list[tuple[float, float]]] = []
    begun_s = 0.0
    for line in lines:
        if line["kind"] == "life":
            begun_s = line["at"]
            lives.append([])
        elif line["kind"] == "sample" and lives and line["rss_mb"] and line["at"] - begun_s >= _WARM_S:
            lives[-1].append((line["at"] / 3600, line["rss_mb"]))
    long = [life for life in lives if life and 3600 * (life[-1][0] - life[0][0]) >= _LONG_S]
    apart = [np.array(life) - np.mean(life, 0) for life in long]
    if not apart:
        return None
    hours, megabytes = np.concatenate(apart).T
    return round(float(hours @ megabytes / (hours @ hours)), 1)


def _clips(archive: Archive) -> dict[str, Any]:
    """Verify every clip, pixel by pixel, and count what is in them."""
    items = {item.number: item for item in archive.settings.items}
    shown = {number: _small(archive.image(item)) for number, item in items.items()}
    found: dict[str, Any] = {"frames": 0, "gaps": 0, "damaged": [], "wrong": []}
    for record in archive.records():
        try:
            clip = archive.clip(items[record.item], record.kind, record)
            clip.verify()
        except ClipError as error:
            found["damaged"].append(str(error))
            continue
        index = clip.table()["index"].to_numpy()
        found["frames"] += len(index)
        found["gaps"] += int(index[-1] - index[0] + 1 - len(index))
        if record.kind == "dry" and not _is_shown(archive, record, next(iter(clip.images())), shown):
            found["wrong"].append(record.item)
    return found


def _is_shown(archive: Archive, record: ClipRecord, frame: Image, shown: dict[int, Any]) -> bool:
    """Return whether a control is more like its own image than like any other of the session."""
    seen = _unit(archive.settings.geometry.rectify(frame, (_SIDE_PX, _SIDE_PX)))
    alike = {number: float(seen @ one) for number, one in shown.items()}
    return max(alike, key=alike.__getitem__) == record.item


def _small(image: Image) -> Any:
    return _unit(resize(image, (_SIDE_PX, _SIDE_PX)))


def _unit(image: Image) -> Any:
    apart = image.astype(float).ravel() - image.mean()
    return apart / max(float(np.linalg.norm(apart)), 1e-9)
