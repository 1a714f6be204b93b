"""`python -m rigs.firmware`: a stand-in in a process of its own; it prints its port and runs until it is ended."""

import argparse
import contextlib
import signal
import sys
import threading
from pathlib import Path

from rigs.firmware.kinds import KINDS, Setup
from rigs.firmware.terminal import Terminal
from rigs.firmware.truth import TruthServer


def _setting(text: str) -> tuple[int, float]:
    number, _, value = text.partition("=")
    return int(number), float(value)


def main() -> None:
    """Run until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m rigs.firmware", description=__doc__)
    parser.add_argument("--kind", choices=sorted(KINDS), default="grbl")
    parser.add_argument("--link", type=Path, help="a name for the port that stays when it is plugged in again")
    parser.add_argument("--truth", type=Path, help="a UNIX socket that tells where the carriage is; see truth.py")
    parser.add_argument("--set", type=_setting, action="append", default=[], metavar="N=VALUE", help="a `$` setting")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    setup = Setup(options.kind, dict(options.set), options.seed)
    with contextlib.ExitStack() as opened:
        terminal = opened.enter_context(Terminal(setup, options.link))
        if options.truth:
            opened.enter_context(TruthServer(options.truth, terminal))
        sys.stdout.write(f"{terminal.port}\n")
        sys.stdout.flush()
        ended.wait()


if __name__ == "__main__":
    main()
