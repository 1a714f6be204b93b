"""A process that overwrites a bundle again and again by two others in turn, for tests that read it or kill this.

python -m tests.bundle_writer BUNDLE ONE OTHER              # until it is killed; says "ready" first
python -m tests.bundle_writer BUNDLE ONE OTHER everywhere   # dies at each of its steps, see `_everywhere`
"""

import itertools
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from edge.bundle import Bundle, read_bundle, write_bundle

# What Python tells its audit hooks before it does it.
_STEPS = ("open", "os.", "shutil.", "ctypes.call_function")


def _everywhere(folder: Path, bundles: list[Bundle]) -> None:
    """Fork a writer that is killed before its first step, one before its second, until one gets through.

    After each, whoever looks must find the one or the other bundle. The last line says what was found, as JSON.
    """
    labels, left = [], set()
    for deadly in itertools.count(1):
        pid = os.fork()
        if not pid:
            steps = itertools.count(1)

            def die(event: str, _: Any, deadly: int = deadly, steps: itertools.count = steps) -> None:
                if event.startswith(_STEPS) and next(steps) == deadly:
                    os.kill(os.getpid(), signal.SIGKILL)

            sys.addaudithook(die)
            write_bundle(folder, bundles[deadly % 2], overwrite=True)
            os._exit(0)
        status = os.waitpid(pid, 0)[1]
        labels.append(read_bundle(folder).manifest.labels[0])
        left |= {path.name for path in folder.parent.iterdir()}
        if status != signal.SIGKILL:
            break
    after = sorted(path.name for path in folder.parent.iterdir())
    print(json.dumps({"status": status, "labels": labels, "left": sorted(left), "after": after}))  # noqa: T201


def _main(folder: Path, *others: Path, everywhere: bool) -> None:
    bundles = [read_bundle(other) for other in others]
    if everywhere:
        _everywhere(folder, bundles)
        return
    print("ready", flush=True)  # noqa: T201
    for bundle in itertools.cycle(bundles):
        write_bundle(folder, bundle, overwrite=True)


if __name__ == "__main__":
    _main(*map(Path, sys.argv[1:4]), everywhere=sys.argv[4:] == ["everywhere"])
