"""A stand-in in a process of its own, as a test that measures or kills wants it."""

import contextlib
import subprocess
import sys
import time

from rigs.firmware.truth import Truth


@contextlib.contextmanager
def firmware_process(folder, setup):
    """Run it; give its port and its truth."""
    change = [word for number, value in setup.change.items() for word in ("--set", f"{number}={value}")]
    command = [sys.executable, "-m", "rigs.firmware", "--kind", setup.kind, "--link", folder / "grbl"]
    process = subprocess.Popen(
        [*command, "--truth", folder / "truth", *change], stdout=subprocess.PIPE, text=True, cwd="."
    )
    try:
        port = process.stdout.readline().strip()
        assert port == str(folder / "grbl")
        end_s = time.monotonic() + 20
        while not (folder / "truth").exists():
            assert time.monotonic() < end_s
            time.sleep(0.01)
        with Truth(folder / "truth") as truth:
            yield port, truth
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
