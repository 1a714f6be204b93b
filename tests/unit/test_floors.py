"""What an import loads: a device and a rig need no torch, and `--help` waits for no library."""

import pkgutil
import subprocess
import sys

import pytest

import capture
import edge
import rigs

TRAINING = {"torch", "torchvision", "timm", "lightning", "onnx", "onnxscript", "onnxslim"}


def _loaded(code: str) -> set[str]:
    """Run code in a fresh interpreter and return the top-level modules that it has then."""
    code += "\nimport sys\nprint(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("folder", [rigs, edge, capture], ids=lambda folder: folder.__name__)
def test_no_module_of_a_rig_or_a_device_loads_what_trains(folder):
    modules = [entry.name for entry in pkgutil.walk_packages(folder.__path__, f"{folder.__name__}.")]
    assert len(modules) > 10
    loaded = _loaded("\n".join(f"import {name}" for name in modules))
    assert folder.__name__ in loaded
    assert not loaded & TRAINING


@pytest.mark.parametrize(
    "words",
    [(), ("data",), ("train",), ("backdoor",), ("detect",), ("rig",), ("capture",), ("export",), ("edge",)],
    ids="-".join,
)
def test_help_waits_for_no_library(words):
    code = f"import sys\nsys.argv = ['natadv', *{words!r}, '--help']\nfrom natadv.cli import main\n"
    loaded = _loaded(code + "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code")
    assert "natadv" in loaded
    assert not loaded & (TRAINING | {"cv2", "onnxruntime", "av", "pyarrow", "numpy"})
