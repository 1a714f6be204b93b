"""A cache of records on disk: one file for each model, defence and attack at its settings, one line an image.

A line is appended as soon as a batch is done, so a run that was stopped has lost one batch at most, and several
processes may write one file. What decides a result is in the file's name, as a digest, and in its first line, to read.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from natadv.durable import file_error
from natadv.errors import DataError
from natadv.evaluation.record import Record

_FORMAT = "natadv-robustness/1"


class RecordCache:
    """The records of one model, defence and attack.

    Attributes:
        path: the file.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Open the file of these settings in a folder; both are made where they are missing.

        Args:
            folder: of the cache.
            settings: all that decides a result but the image, as plain values.

        Raises:
            DataError: if the folder cannot be made or the file not be read, or it holds something else.
            ResourceError: if the disk is full.
        """
        self._head = json.dumps({"format": _FORMAT, **settings}, sort_keys=True)
        self.path = folder / f"{hashlib.sha256(self._head.encode()).hexdigest()[:16]}.jsonl"
        self._records: dict[str, Record] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise file_error(folder, error) from error
        try:
            text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{self.path}: cannot be read ({error})") from error
        lines = text.split("\n")
        if "\n" not in text and self._head.startswith(text):
            return  # killed at its first write, if there is anything at all
        if lines[0] != self._head:
            raise DataError(f"{self.path}: holds other records than its name says; move it away")
        for number, line in enumerate(lines[1:], start=2):
            if not line:
                continue
            try:
                values = json.loads(line)
                self._records[str(values["image"])] = Record.read(values)
            except (KeyError, TypeError, ValueError) as error:
                if number == len(lines):  # cut off when a process was killed; its image is attacked again
                    break
                raise DataError(f"{self.path}: line {number} is no record; move the file away") from error

    def get(self, image: str) -> Record | None:
        """Return the record of an image by its digest; None where there is none."""
        return self._records.get(image)

    def add(self, found: Iterable[tuple[str, Record]]) -> None:
        """Append records by their image's digest, and wait until they are on the disk.

        Raises:
            ResourceError: if the disk is full.
            DataError: if the file system refuses for another reason.
        """
        found = list(found)
        lines = "".join(json.dumps({"image": image, **record.plain()}) + "\n" for image, record in found)
        try:
            with self.path.open("ab+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.seek(0)
                there = file.read()
                # Who wrote a line that does not end was killed at it: the lock is ours.
                file.truncate(there.rfind(b"\n") + 1)
                file.write((lines if b"\n" in there else f"{self._head}\n{lines}").encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise file_error(self.path, error) from error
        self._records.update(found)


def image_digests(images: Tensor, labels: Tensor) -> list[str]:
    """Return what tells images apart: a digest of each one's 8-bit values, shape and label.

    Args:
        images: (n, 3, h, w), RGB in [0, 1].
        labels: classes, (n,).
    """
    values = np.ascontiguousarray((images * 255).round().byte().cpu().numpy())
    heads = [f"{values.shape[1:]} {int(label)} ".encode() for label in labels]
    return [hashlib.sha256(head + value.tobytes()).hexdigest()[:24] for head, value in zip(heads, values, strict=True)]
