"""The git revision of the natadv that runs."""

import os
import subprocess
from pathlib import Path
from typing import Final

from edge.provenance import UNKNOWN

SOURCES: Final = ("natadv", "rigs", "capture", "export", "edge", "pyproject.toml")
_ROOT: Final = Path(__file__).parents[1]
_PATIENCE_S: Final = 20.0


def git_revision(root: Path = _ROOT) -> str | None:
    """Return the commit of a source tree, in hex, with "-dirty" where `SOURCES` differ from it or are not in it.

    Args:
        root: of the tree; by default of the one that this file is of.

    Returns:
        None where it is no repository, as for an installed package, also one that lies somewhere within a repository;
        `UNKNOWN` where it is one, and git is missing or cannot say.
    """
    if not (root / ".git").exists():
        return None
    try:
        commit = _git(root, "rev-parse", "HEAD").strip()
        changed = _git(root, "status", "--porcelain", "--", *SOURCES)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return UNKNOWN
    return f"{commit}-dirty" if changed else commit


def _git(root: Path, *words: str) -> str:
    # A hook of git sets GIT_DIR and the like, of its own repository; what it is configured by may stay.
    outside = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or "CONFIG" in name}
    command = ["git", "--no-optional-locks", "-C", str(root), *words]
    done = subprocess.run(command, check=True, capture_output=True, env=outside, timeout=_PATIENCE_S)
    return done.stdout.decode()
