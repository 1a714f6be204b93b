"""Looking: several models and one image's clips after another; what the process of `capture.live_scan` does."""

import argparse
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self

import cv2

from capture.events import Hits
from capture.questions import Answer, Asked
from capture.scan import check_labels
from capture.scanner import Scanner
from edge.classifier import Classifier
from edge.noise import SEED_BYTES
from natadv.errors import NatadvError
from rigs.archive import open_archive

_PICTURES: Final = 4
_NICENESS: Final = 10


class Looker:
    """Open models, as a context manager.

    Attributes:
        models: their names, in order: the bundles' folders', with digits of the digest where two are alike.
    """

    def __init__(self, session: Path, bundles: Sequence[Path], device: Any = "auto") -> None:
        """Open the bundles.

        Raises:
            BundleError, DeviceError: if one cannot be opened.
            DataError: if the session is none, or one does not know its labels.
        """
        self._archive = open_archive(session)
        self._items = {item.number: item for item in self._archive.settings.items}
        self._opened = ExitStack()
        try:
            self._classifiers = [
                self._opened.enter_context(
                    Classifier(bundle, device=device, allow_cpu=True, threads=1, noise_seed=bytes(SEED_BYTES))
                )
                for bundle in bundles
            ]
            for classifier in self._classifiers:
                check_labels(self._archive, classifier)
        except BaseException:
            self._opened.close()
            raise
        names = [bundle.resolve().name for bundle in bundles]
        self.models = tuple(
            name if names.count(name) == 1 else f"{name} {classifier.digest[:6]}"
            for name, classifier in zip(names, self._classifiers, strict=True)
        )

    def __enter__(self) -> Self:
        """Nothing more to open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let the models go."""
        self._opened.close()

    def look(self, asked: Asked) -> Answer:
        """Return what each model makes of an image's clips; an error where they cannot be read."""
        item = self._items[asked.item]
        found = []
        try:
            for name, classifier in zip(self.models, self._classifiers, strict=True):
                below = f"live/{classifier.digest[:12]}"
                scanner = Scanner(
                    self._archive,
                    classifier,
                    self._archive.folder / below,
                    batch=16,
                    hits_per_clip=_PICTURES,
                    verify=False,
                    progress=None,
                )
                result = scanner.scan(item, 1, threading.Event())
                best = result.outcome.best
                found.append(
                    Hits(
                        item=item.number,
                        model=name,
                        hits=result.outcome.hits,
                        frames=result.outcome.frames,
                        control_right=result.outcome.control_right,
                        attempt=asked.attempt,
                        best=best.frame if best else None,
                        predicted=best.predicted if best else None,
                        pictures=tuple(f"{below}/{hit.path}" for hit in result.kept),
                    )
                )
        except NatadvError as error:
            return Answer(asked=asked, error=str(error))
        return Answer(asked=asked, found=tuple(found))


def main(arguments: Sequence[str] | None = None) -> None:
    """Answer lines until there are no more; the process of a LiveScan."""
    parser = argparse.ArgumentParser()
    parser.add_argument("session", type=Path)
    parser.add_argument("bundles", type=Path, nargs="+")
    parser.add_argument("--device", default="auto")
    asked = parser.parse_args(arguments)
    # Lines alone go to the pipe; whatever a library prints goes where errors do.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    os.nice(_NICENESS)
    cv2.setNumThreads(1)  # the models have one each: recording keeps the other cores

    def say(answer: Answer) -> None:
        answers.write(answer.model_dump_json() + "\n")
        answers.flush()

    try:
        with Looker(asked.session, asked.bundles, asked.device) as looker:
            say(Answer(models=looker.models))
            for line in sys.stdin:
                say(looker.look(Asked.model_validate_json(line)))
    except NatadvError as error:
        say(Answer(error=str(error)))


if __name__ == "__main__":
    main()
