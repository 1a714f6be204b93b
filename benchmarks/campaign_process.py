"""The process that records a session in a campaign: the command line, as an operator types it."""

import sys
from pathlib import Path

# Asked by SIGUSR1 it writes where its thread is; a process that was replaced by a fresh one does too.
_PROGRAM = "import faulthandler, signal; faulthandler.register(signal.SIGUSR1); import natadv.cli; natadv.cli.main()"


def recording(rig: Path, images: Path, session: Path, rules: Path, *, seconds: float, seed: int) -> list[str]:
    """Return the command that begins a session, or goes on with it."""
    words = ["capture", "run", rig, images, "--out", session, "--resume", "--rules", rules]
    words += ["--seconds", seconds, "--seed", seed]
    return [sys.executable, "-c", _PROGRAM, *map(str, words)]
