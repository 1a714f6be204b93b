"""A process that overwrites a bundle again and again by two others in turn, for tests that read it or kill this.

python -m tests.bundle_writer BUNDLE ONE OTHER              # until it is killed; says "ready" first
python -m tests.bundle_writer BUNDLE ONE OTHER everywhere   # dies at each of its steps, see `_everywhere`
python -m tests.bundle_writer BUNDLE ONE OTHER signing      # the same while it signs, with keys ONE.pem and OTHER.pem
"""

import itertools
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge.bundle import SIGNATURE, read_bundle, write_bundle
from edge.signature import read_signed, sign_bundle
from natadv.errors import BundleError

# What Python tells its audit hooks before it does it.
_STEPS = ("open", "os.", "shutil.", "ctypes.call_function")


def _everywhere(place: Path, work: Callable[[int], None], look: Callable[[], str]) -> None:
    """Fork a process that is killed before its first step of some work, one before its second, until one gets through.

    The last line says, as JSON, what was to be seen after each, and the names in a folder.

    Args:
        place: the folder.
        work: what each does, given its number from 1.
        look: returns what is to be seen.
    """
    seen, left = [], set()
    for deadly in itertools.count(1):
        pid = os.fork()
        if not pid:
            steps = itertools.count(1)

            def die(event: str, _: Any, deadly: int = deadly, steps: itertools.count = steps) -> None:
                if event.startswith(_STEPS) and next(steps) == deadly:
                    os.kill(os.getpid(), signal.SIGKILL)

            sys.addaudithook(die)
            work(deadly)
            os._exit(0)
        status = os.waitpid(pid, 0)[1]
        seen.append(look())
        left |= {path.name for path in place.iterdir()}
        if status != signal.SIGKILL:
            break
    after = sorted(path.name for path in place.iterdir())
    print(json.dumps({"status": status, "seen": seen, "left": sorted(left), "after": after}))  # noqa: T201


def _signer(folder: Path, names: tuple[Path, ...]) -> str:
    """Return the name of the key that a whole bundle is signed by; "nobody" where it has no signature."""
    read_bundle(folder)
    if not (folder / SIGNATURE).exists():
        return "nobody"
    for name in names:
        try:
            read_signed(folder, name.with_suffix(".pub.pem"))
        except BundleError:
            continue
        return name.name
    return "torn"


def _main(folder: Path, *others: Path, how: str) -> None:
    if how == "signing":
        private = [name.with_suffix(".pem") for name in others]
        sign_bundle(others[0], private[0])  # imports all that signing needs, so that no step is one of the importing
        _everywhere(folder, lambda turn: sign_bundle(folder, private[turn % 2]), lambda: _signer(folder, others))
        return
    bundles = [read_bundle(other) for other in others]
    if how == "everywhere":
        _everywhere(
            folder.parent,
            lambda turn: write_bundle(folder, bundles[turn % 2], overwrite=True),
            lambda: read_bundle(folder).manifest.labels[0],
        )
        return
    print("ready", flush=True)  # noqa: T201
    for bundle in itertools.cycle(bundles):
        write_bundle(folder, bundle, overwrite=True)


if __name__ == "__main__":
    _main(*map(Path, sys.argv[1:4]), how="".join(sys.argv[4:]))
