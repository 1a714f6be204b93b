"""A digest of the project's own code."""

import pytest

from natadv.source_digest import source_digest


def test_modules_differ_and_a_module_is_itself():
    assert source_digest("natadv.attacks.nes") == source_digest("natadv.attacks.nes")
    assert source_digest("natadv.attacks.nes") != source_digest("natadv.attacks.zoo")
    assert len(source_digest("natadv.attacks.nes")) == 12


def test_what_a_module_imports_counts_even_within_a_function(tmp_path, monkeypatch):
    package = tmp_path / "natadv_like"
    package.mkdir()
    for name, text in {
        "__init__": "",
        "far": "FAR = 1",
        "near": "def get():\n    from natadv_like.far import FAR\n    return FAR",
    }.items():
        (package / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("natadv.source_digest._ROOT", "natadv_like")
    before = source_digest("natadv_like.near")
    source_digest.cache_clear()
    assert source_digest("natadv_like.near") == before
    (package / "far.py").write_text("FAR = 2")
    source_digest.cache_clear()
    assert source_digest("natadv_like.near") != before


def test_an_unknown_module_is_said():
    with pytest.raises(ModuleNotFoundError):
        source_digest("natadv.attacks.fgms")
