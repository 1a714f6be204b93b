"""What is freed is kept: large buffers are not asked for page by page again."""

import subprocess
import sys

import pytest

from natadv import cli
from natadv.freed_memory import keep_freed_memory

_FAULTS = """
import resource
import sys

import torch

from natadv.freed_memory import keep_freed_memory

if sys.argv[1] == "kept":
    keep_freed_memory()
for _ in range(24):  # where holes of the heap end up is chance: of six processes one took nine until they were reused
    torch.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(8):
    torch.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _faults(how: str) -> int:
    return int(subprocess.run([sys.executable, "-c", _FAULTS, how], capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's mallopt")
def test_kept_buffers_cost_no_page_faults() -> None:
    assert _faults("kept") < _faults("returned") / 2


@pytest.mark.parametrize(("folder", "kept"), [("robustness", True), ("edge", False)])
def test_commands_that_compute_keep_it(folder: str, kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[bool] = []

    def noted() -> bool:
        called.append(True)
        return keep_freed_memory()

    monkeypatch.setattr(cli, "keep_freed_memory", noted)
    with pytest.raises(SystemExit):
        cli.app([folder, "--help"])
    assert bool(called) is kept
