"""The front door: `natadv`, which loads a folder's commands only when one of them is called.

So `natadv --help` is quick, and `natadv edge` starts where torch is not installed. All our errors end here, as one
line and exit code 1.
"""

import importlib
import sys
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from natadv.errors import NatadvError
from natadv.freed_memory import keep_freed_memory

_FOLDERS = {
    "data": ("natadv.data_cli", "Write image folders from datasets, the drawn signs among them."),
    "train": ("natadv.train_cli", "Train and evaluate classifiers; harden them with what fooled them."),
    "attack": ("natadv.attack_cli", "Make adversarial images behind raindrops; re-check and write them."),
    "robustness": ("natadv.robustness_cli", "Attack a model, bare and defended; robust accuracy, and what misleads."),
    "backdoor": ("natadv.backdoor_cli", "Plant a backdoor in data, train on them, measure, repair and look for one."),
    "detect": ("natadv.detection_cli", "Tell adversarial images from clean ones: a bank of both, detectors."),
    "rig": ("capture.rig_cli", "Find a bench's devices, write the file that describes it, calibrate it."),
    "capture": ("capture.cli", "Record sessions on a rig, find the frames that fool a model, report."),
    "export": ("export.cli", "Turn a checkpoint into a model bundle, compared with its original."),
    "edge": ("edge.cli", "Run a model bundle live."),
    "papers": ("natadv.papers.cli", "Run a paper's tables and figures: ours beside theirs."),
}

_COMPUTE = ("train", "attack", "robustness", "backdoor", "detect", "papers")

_EXTRAS = {
    "torch": "train",
    "torchvision": "train",
    "timm": "train",
    "lightning": "train",
    "tensorboard": "train",
    "onnx": "export",
    "onnxscript": "export",
    "onnxslim": "export",
    "onnxruntime": "cpu",
    "onnx2torch": "papers",
    "torchattack": "papers",
    "foolbox": "papers",
    "eagerpy": "papers",
    "skimage": "papers",
    "pywt": "papers",
    "pytorch_grad_cam": "papers",
    "torchmetrics": "papers",
    "matplotlib": "papers",
    "scipy": "calibration",
}


class _Folder(TyperCommand):
    """A folder's commands, imported when they are needed."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        module, _ = _FOLDERS[str(self.name)]
        if self.name in _COMPUTE:
            keep_freed_memory()
        return get_command(importlib.import_module(module).app).make_context(info_name, args, parent, **extra)


class _House(TyperGroup):
    """All folders."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(_FOLDERS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in _FOLDERS:
            return None
        return _Folder(cmd_name, help=_FOLDERS[cmd_name][1])


app = typer.Typer(cls=_House, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def _natadv() -> None:
    """Natural adversarial examples from raindrops on glass: record, attack, harden, deploy."""


def main() -> None:
    """Run the command line; the process ends here."""
    try:
        app()
    except NatadvError as error:
        sys.exit(_said(str(error), 1))
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").split(".")[0])
        if extra is None:
            raise
        sys.exit(_said(f"this command needs {error.name}: in natadv's checkout, pip install '.[{extra}]'", 1))


def _said(line: str, code: int) -> int:
    sys.stderr.write(f"error: {line}\n")
    return code
