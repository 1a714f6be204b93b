"""Journal: a campaign that may be stopped. A block of images is on disk, with its papers, before the next begins.

Until it is done it lies in OUT.unfinished, whose campaign.json says what it was begun with and how far it is. Lines and
images beyond that belong to a block that was cut off; they are made again, and come out the same.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from natadv.campaign.files import PROVENANCE
from natadv.durable import file_error, replace_file, sync
from natadv.errors import ConfigError, DataError

UNFINISHED = ".unfinished"
_STATE = "campaign.json"


class Journal:
    """A campaign's folder while it is filled.

    Attributes:
        folder: where images and papers go.
        done: images that are through, of those drawn; what the model gets wrong counts too.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any], *, done: int = 0, lines: int = 0) -> None:
        self.folder, self.done = folder, done
        self._about, self._lines = dict(about), lines

    def add(self, lines: Sequence[Mapping[str, Any]], done: int) -> None:
        """Note a block whose images are written.

        Args:
            lines: the papers of the images attacked.
            done: images that are through now.

        Raises:
            ResourceError: if the disk is full.
            DataError: if the file system refuses for another reason.
        """
        try:
            with (self.folder / PROVENANCE).open("a", encoding="utf-8") as papers:
                papers.writelines(json.dumps(line) + "\n" for line in lines)
            sync(self.folder / PROVENANCE)
        except OSError as error:
            raise file_error(self.folder / PROVENANCE, error) from error
        self.done, self._lines = done, self._lines + len(lines)
        self._keep_state()

    def papers(self) -> list[dict[str, Any]]:
        """Return the papers of all images attacked so far."""
        text = (self.folder / PROVENANCE).read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def _keep_state(self) -> None:
        state = {"about": self._about, "done": self.done, "lines": self._lines}
        replace_file(self.folder / _STATE, (json.dumps(state) + "\n").encode())


@contextmanager
def campaign_folder(out: Path, about: Mapping[str, Any], *, resume: bool) -> Iterator[Journal]:
    """Give a journal to fill, which takes the name `out` when the block ends well.

    What was stopped stays, to be resumed, if a block of it is done; otherwise nothing does.

    Args:
        out: new folder.
        about: what the campaign is, as plain values; the same when it is resumed.
        resume: go on with one that was stopped, if there is one.

    Raises:
        ConfigError: if there is one and it is not to be resumed, or it is another campaign.
        DataError: if what is there is no campaign, or the file system refuses.
        ResourceError: if the disk is full.
    """
    folder = out.with_name(out.name + UNFINISHED)
    journal = _resumed(folder, about, resume) if folder.exists() else _begun(folder, about)
    try:
        yield journal
        (folder / _STATE).unlink()
        sync(folder)
        folder.rename(out)
    except BaseException as error:
        if not journal.done:
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise file_error(out, error) from error
        raise


def _begun(folder: Path, about: Mapping[str, Any]) -> Journal:
    try:
        folder.mkdir(parents=True)
        (folder / PROVENANCE).touch()
    except OSError as error:
        raise file_error(folder, error) from error
    return Journal(folder, about)


def _resumed(folder: Path, about: Mapping[str, Any], resume: bool) -> Journal:
    if not resume:
        raise ConfigError(f"{folder}: an attack that was stopped; go on with --resume, or remove that folder")
    try:
        state = json.loads((folder / _STATE).read_text(encoding="utf-8"))
        before, done, count = dict(state["about"]), int(state["done"]), int(state["lines"])
        lines = (folder / PROVENANCE).read_bytes().splitlines(keepends=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder}: not an attack that was stopped ({error}); remove it, and attack anew") from error
    plain = json.loads(json.dumps(about))  # as it was written: tuples are lists
    for name in plain.keys() | before.keys():
        if plain.get(name) != before.get(name):
            raise ConfigError(
                f"{folder}: was begun with {name} {before.get(name)}, not {plain.get(name)}; resume with the same"
            )
    replace_file(folder / PROVENANCE, b"".join(lines[:count]))
    return Journal(folder, about, done=done, lines=count)
