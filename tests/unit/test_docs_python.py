"""What docs show in Python runs as it stands."""

import re
from pathlib import Path

import torch

from natadv.data.load import load_dataset
from natadv.models.classifier import create_classifier
from natadv.models.super_resolution.create import create_super_resolution
from natadv.training.checkpoint import save_checkpoint
from natadv.training.rain.checkpoint import save_network

DOCS = Path(__file__).parents[2] / "docs"


def run(page):
    (code,) = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(code, page, "exec"), {"__name__": "page"})  # our own


def test_attacks_from_python(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("plain", "rain"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    torch.manual_seed(0)
    model = create_classifier("natadv_slim", load_dataset("signs", "test").labels, (32, 32)).eval()
    save_checkpoint(tmp_path / "runs/plain/checkpoint.pt", model, metrics={}, recipe={}, provenance={})
    network = create_super_resolution("compact:4x1")
    save_network(tmp_path / "runs/rain/rain.pt", network, name="compact:4x1", recipe={}, metrics={}, provenance={})
    run("attacks-from-python.md")
    said = capsys.readouterr().out
    assert re.search(r"^pgd tensor\(\[.*\]\)$", said, re.MULTILINE)
    assert re.search(r"^eot-pgd tensor\(\[.*\]\)$", said, re.MULTILINE)


def test_backdoors_from_python(capsys):
    torch.manual_seed(0)
    run("backdoors-from-python.md")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines if ": success" not in line and ": " in line] == ["rdba", "sunset"]
    assert sum("STRIP suspects" in line for line in lines) == 2
