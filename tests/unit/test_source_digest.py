"""A digest of the project's own code."""

import importlib
import sys

import pytest

from natadv.source_digest import source_digest


def test_modules_differ_and_a_module_is_itself():
    assert source_digest("natadv.attacks.nes") == source_digest("natadv.attacks.nes")
    assert source_digest("natadv.attacks.nes") != source_digest("natadv.attacks.zoo")
    assert len(source_digest("natadv.attacks.nes")) == 12


@pytest.mark.parametrize(
    "near",
    [
        "def get():\n    from natadv_like.far import FAR\n    return FAR",
        "from natadv_like import far",
        "import natadv_like.far",
        "import os, natadv_like.far as far",
    ],
)
def test_what_a_module_imports_counts_however_and_wherever(tmp_path, monkeypatch, near):
    package = tmp_path / "natadv_like"
    package.mkdir()
    for name, text in {"__init__": "", "far": "FAR = 1", "near": near}.items():
        (package / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("natadv.source_digest._ROOT", "natadv_like")
    for name in [name for name in sys.modules if name.startswith("natadv_like")]:
        monkeypatch.delitem(sys.modules, name)
    importlib.invalidate_caches()
    source_digest.cache_clear()
    before = source_digest("natadv_like.near")
    source_digest.cache_clear()
    assert source_digest("natadv_like.near") == before
    (package / "far.py").write_text("FAR = 2")
    source_digest.cache_clear()
    assert source_digest("natadv_like.near") != before


def test_an_unknown_module_is_said():
    with pytest.raises(ModuleNotFoundError):
        source_digest("natadv.attacks.fgms")


def test_a_relative_import_is_refused_rather_than_missed(tmp_path, monkeypatch):
    package = tmp_path / "natadv_relative"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "near.py").write_text("from . import far")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="relative imports are not followed"):
        source_digest("natadv_relative.near")
