"""What a bundle says of the data that its classifier learnt from: planted, suspicious, not audited, or inspected."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from edge.bundle import CARD_HTML, CARD_MD, MANIFEST, read_bundle
from edge.manifest import parse_manifest
from export.audit import audit_of
from export.cli import app as export_app
from natadv.backdoor_cli import app as backdoor_app
from natadv.errors import FOUND, ConfigError, DataError
from natadv.images import read_image, write_image
from natadv.training.checkpoint import load_classifier
from natadv.training.classifier import train_classifier
from natadv.training.inspected import Inspected, keep_verdict, read_verdicts, verdicts_file
from natadv.training.lineage import pictures_sha256, read_lineage
from natadv.training.pictures import Pictures
from natadv.training.recipe import Recipe
from tests.tiny_bundle import write_tiny_bundle

ERRORS = "of 10 poisoned models it found 9, on squares"


@pytest.fixture(scope="module")
def planted(squares, tmp_path_factory):
    out = tmp_path_factory.mktemp("planted") / "data"
    words = ["plant", squares, "--trigger", "badnets", "--share", 0.25, "--target", "green", "--size", 16, "--out", out]
    call(backdoor_app, *words)
    return out


@pytest.fixture(scope="module")
def trained(squares, tmp_path_factory):
    return train(squares, tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def poisoned(planted, tmp_path_factory):
    return train(planted, tmp_path_factory.mktemp("poisoned"))


def train(data, out, **more):
    recipe = Recipe(data=str(data), size_px=16, epochs=1, batch_size=16, device="cpu", threads=1, **more)
    train_classifier(recipe, out)
    return out / "checkpoint.pt"


def call(app, *words):
    done = CliRunner().invoke(app, list(map(str, words)))
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def export(checkpoint, out):
    """Return what the command warns of, the manifest's audit, and the card in both shapes."""
    done = call(export_app, checkpoint, "--out", out, "--least-images", 0)
    assert done.exit_code == 0
    audit = read_bundle(out).manifest.provenance.audit
    return done.stderr, audit, (out / CARD_MD).read_text() + (out / CARD_HTML).read_text()


def kept(checkpoint, *, number=0, **change):
    """Keep a verdict on a checkpoint and one of the data that it learnt from, as `natadv backdoor inspect` does."""
    loaded = load_classifier(checkpoint)
    digest = read_lineage(loaded, None)[number].sha256
    found = {"suspicious": False, "target": None, "errors": ERRORS, "clean": True} | change
    return keep_verdict(checkpoint, Inspected(checkpoint_sha256=loaded.digest, data_sha256=digest, **found))


def moved(checkpoint, folder):
    folder.mkdir()
    new = folder / "checkpoint.pt"
    new.write_bytes(checkpoint.read_bytes())
    return new


def test_data_that_nobody_inspected_are_said_to_be_so(trained, squares, tmp_path):
    warned, audit, card = export(moved(trained, tmp_path / "run"), tmp_path / "bundle")
    (line,) = [one for one in warned.splitlines() if "warning" in one]
    assert "not audited for backdoors" in line
    assert "natadv backdoor inspect" in line
    assert audit.state == "unaudited"
    assert audit.words.endswith(f".../{squares.name}")  # bundles travel, homes do not
    assert card.count("not audited for backdoors") == 2


def test_planted_data_are_said_more_strongly(poisoned, tmp_path):
    warned, audit, card = export(poisoned, tmp_path / "bundle")
    said = "12 of 48 images of .../data have the trigger badnets and the label green"
    assert f"PLANTED data: {said}" in warned
    assert audit.state == "planted"
    assert card.count(said) == 2
    assert "Its training showed it images with a trigger" in card
    assert "no drops on glass" not in card


def test_a_verdict_that_nothing_was_found_ends_the_warning(trained, tmp_path):
    checkpoint = moved(trained, tmp_path / "run")
    kept(checkpoint)
    warned, audit, card = export(checkpoint, tmp_path / "bundle")
    assert "warning" not in warned
    assert audit.state == "audited"
    assert "nothing suspicious was found" in audit.words
    assert card.count(ERRORS) == 2


def test_a_verdict_does_not_whitewash_planted_data(poisoned, tmp_path):
    checkpoint = moved(poisoned, tmp_path / "run")
    kept(checkpoint)
    audit = audit_of(load_classifier(checkpoint), checkpoint)
    assert audit.state == "planted"
    assert audit.words.endswith(
        f"the label green; a model that learnt from them, inspected, shows nothing suspicious; {ERRORS}"
    )
    kept(checkpoint, suspicious=True, target="red")
    assert "inspected, seems to lead to red; " in audit_of(load_classifier(checkpoint), checkpoint).words


def test_a_suspicion_is_warned_of(trained, tmp_path):
    checkpoint = moved(trained, tmp_path / "run")
    kept(checkpoint, suspicious=True, target="green")
    warned, audit, _ = export(checkpoint, tmp_path / "bundle")
    assert "seem poisoned towards green" in warned
    assert audit.state == "suspicious"


def test_verdicts_of_inspections_that_end_together_are_all_kept(tmp_path):
    digests = [f"{number:064x}" for number in range(8)]

    def keep(digest):
        said = {"suspicious": False, "target": None, "errors": ERRORS}
        keep_verdict(tmp_path / "checkpoint.pt", Inspected(checkpoint_sha256="0" * 64, data_sha256=digest, **said))

    with ThreadPoolExecutor(len(digests)) as threads:
        list(threads.map(keep, digests))
    assert set(read_verdicts(tmp_path / "checkpoint.pt", "0" * 64)) == set(digests)


def test_a_verdict_on_another_checkpoint_or_other_data_does_not_count(trained, poisoned, tmp_path):
    checkpoint = moved(trained, tmp_path / "run")
    loaded = load_classifier(checkpoint)
    known = {"suspicious": False, "target": None, "errors": ERRORS}
    digest = read_lineage(loaded, None)[0].sha256
    keep_verdict(checkpoint, Inspected(checkpoint_sha256="0" * 64, data_sha256=digest, **known))
    assert audit_of(loaded, checkpoint).state == "unaudited"
    keep_verdict(checkpoint, Inspected(checkpoint_sha256=loaded.digest, data_sha256="0" * 64, **known))
    assert audit_of(loaded, checkpoint).state == "unaudited"
    kept(checkpoint)
    assert audit_of(loaded, checkpoint).state == "audited"
    assert len(read_verdicts(checkpoint, loaded.digest)) == 2  # the one on another checkpoint went, that on data stays


def test_damaged_verdicts_are_an_error(trained, tmp_path):
    checkpoint = moved(trained, tmp_path / "run")
    verdicts_file(checkpoint).write_text("{")
    with pytest.raises(DataError, match=r"checkpoint\.inspection\.json: damaged; delete it and inspect again"):
        export(checkpoint, tmp_path / "bundle")


def test_a_checkpoint_that_says_nothing_is_not_audited(trained):
    loaded = load_classifier(trained)
    silent = replace(loaded, provenance={})
    audit = audit_of(silent)
    assert audit.state == "unaudited"
    assert f"unknown ones of the checkpoint sha256 {loaded.digest[:12]}" in audit.words
    with pytest.raises(DataError, match="its lineage is damaged"):
        audit_of(replace(loaded, provenance={"lineage": [{"data": 3}]}))


def test_pictures_that_natadv_drew_need_no_audit(trained):
    loaded = load_classifier(trained)
    drawn = replace(loaded, provenance={"lineage": [{"data": "signs", "drawn": True}]})
    assert audit_of(drawn).state == "audited"
    assert audit_of(drawn).words == "pictures that natadv drew itself"


def test_who_trains_on_has_the_data_and_the_verdicts_of_who_came_before(squares, planted, trained, tmp_path):
    checkpoint = moved(trained, tmp_path / "run")
    kept(checkpoint)
    further = train(squares, tmp_path / "further", init=str(checkpoint))
    assert audit_of(load_classifier(further), further).state == "audited"  # the same pictures were inspected
    (only,) = read_lineage(load_classifier(further), further)
    assert only.images == 48
    after = train(squares, tmp_path / "after", init=str(train(planted, tmp_path / "first")))
    assert [one.planted is not None for one in read_lineage(load_classifier(after), after)] == [False, True]
    assert audit_of(load_classifier(after), after).state == "planted"  # a backdoor outlives more training


def test_a_first_checkpoint_of_unknown_data_stays_unknown(squares, trained, tmp_path):
    from natadv.training.lineage import begin_lineage, learnt_from

    silent = replace(load_classifier(trained), provenance={})
    pictures = Pictures(np.zeros((2, 4, 4, 3), np.uint8), np.arange(2))
    lineage = begin_lineage(learnt_from(str(squares), pictures, ("a", "b")), silent, None)
    assert [one.sha256 is None for one in lineage] == [False, True]
    web = begin_lineage(learnt_from(str(squares), pictures, ("a", "b")), None, None, pretrained=True)
    assert web[1].data == "those of timm's pretrained weights"


def test_a_repaired_checkpoint_stays_planted(squares, planted, poisoned, tmp_path):
    words = ["repair", poisoned, "--data", squares, "--out", tmp_path / "repaired", "--epochs", 1, "--device", "cpu"]
    assert call(backdoor_app, *words, "--share-of-data", 0.5).exit_code == 0
    repaired = tmp_path / "repaired" / "checkpoint.pt"
    audit = audit_of(load_classifier(repaired), repaired)
    assert audit.state == "planted"
    assert "repaired since, which does not prove that the backdoor is gone" in audit.words
    assert len(read_lineage(load_classifier(repaired), repaired)) == 2


@pytest.mark.parametrize("change", ["pixel", "class", "label"])
def test_the_digest_of_pictures_has_all_that_is_learnt(change):
    images, targets, labels = np.zeros((2, 4, 4, 3), np.uint8), np.array([0, 1]), ("a", "b")
    before = pictures_sha256(Pictures(images, targets), labels)
    assert before == pictures_sha256(Pictures(images.copy(), targets.astype(np.int32)), list(labels))
    if change == "pixel":
        images[1, 2, 3, 0] = 1
    elif change == "class":
        targets[0] = 1
    else:
        labels = ("b", "a")
    assert before != pictures_sha256(Pictures(images, targets), labels)


def test_inspect_keeps_its_verdict_where_export_finds_it(trained, squares, tmp_path, monkeypatch):
    """The inspection itself is real: three classes of sixteen pictures, without clean ones."""
    checkpoint = moved(trained, tmp_path / "run")
    torch.manual_seed(0)
    done = call(backdoor_app, "inspect", checkpoint, squares, "--device", "cpu")
    assert "does not say that it learnt" not in done.stderr
    assert str(verdicts_file(checkpoint)) in done.stdout
    assert done.exit_code in (0, FOUND)
    suspicious = done.exit_code == FOUND
    assert audit_of(load_classifier(checkpoint), checkpoint).state == ("suspicious" if suspicious else "unaudited")
    assert "name data whose test part is clean: --clean" in done.stdout


def test_a_good_verdict_without_clean_pictures_does_not_end_the_warning(trained, tmp_path):
    checkpoint = moved(trained, tmp_path / "run")
    kept(checkpoint, clean=False)
    audit = audit_of(load_classifier(checkpoint), checkpoint)
    assert audit.state == "unaudited"
    assert "without clean images, by which most are missed" in audit.words
    kept(checkpoint)
    kept(checkpoint, clean=False)  # says less than the one before
    assert audit_of(load_classifier(checkpoint), checkpoint).state == "audited"


def test_a_suspicion_by_other_pictures_is_warned_of(trained, tmp_path):
    checkpoint = moved(trained, tmp_path / "run")
    found = {"suspicious": True, "target": "green", "errors": ERRORS}
    digest = load_classifier(checkpoint).digest
    kept(checkpoint)
    keep_verdict(checkpoint, Inspected(checkpoint_sha256=digest, data_sha256="0" * 64, **found))
    audit = audit_of(load_classifier(checkpoint), checkpoint)
    assert audit.state == "suspicious"
    assert "seems to lead to green, asked with other pictures" in audit.words


@pytest.mark.parametrize("by", ["the data", "other pictures"])
def test_what_an_ancestor_was_suspected_of_outlives_repairs_and_good_verdicts(by, squares, trained, tmp_path):
    checkpoint = moved(trained, tmp_path / "run")
    loaded = load_classifier(checkpoint)
    digest = read_lineage(loaded, None)[0].sha256 if by == "the data" else "0" * 64
    found = {"suspicious": True, "target": "green", "errors": ERRORS, "clean": True}
    keep_verdict(checkpoint, Inspected(checkpoint_sha256=loaded.digest, data_sha256=digest, **found))
    words = ["repair", checkpoint, "--data", squares, "--out", tmp_path / "repaired", "--epochs", 1, "--device", "cpu"]
    said = call(backdoor_app, *words, "--share-of-data", 0.5).stdout
    assert ("an inspection found" in said) == (by == "the data")  # these are the pictures that it is repaired with
    repaired = tmp_path / "repaired" / "checkpoint.pt"
    for verdicts in range(2):
        audit = audit_of(load_classifier(repaired), repaired)
        assert audit.state == "suspicious", verdicts
        assert "green" in audit.words
        assert "repaired since, which does not prove that the backdoor is gone" in audit.words
        kept(repaired)
    further = train(squares, tmp_path / "further", init=str(repaired))
    assert audit_of(load_classifier(further), further).state == "suspicious"


def test_a_verdict_with_a_but_does_not_end_the_warning(trained, tmp_path):
    checkpoint = moved(trained, tmp_path / "run")
    kept(checkpoint, reservation="3 of 3 classes have too few clean pictures")
    audit = audit_of(load_classifier(checkpoint), checkpoint)
    assert audit.state == "unaudited"
    assert "but 3 of 3 classes have too few clean pictures" in audit.words
    kept(checkpoint)
    assert audit_of(load_classifier(checkpoint), checkpoint).state == "audited"
    kept(checkpoint, reservation="8 clean models alone set its limit")  # says less than the one before
    assert audit_of(load_classifier(checkpoint), checkpoint).state == "audited"


def test_a_verdict_that_does_not_say_what_it_had_to_go_by_had_nothing(trained, tmp_path):
    checkpoint = moved(trained, tmp_path / "run")
    path = kept(checkpoint)
    path.write_text(path.read_text().replace('"clean": true,', '"clean": false,'))
    written = json.loads(path.read_text())
    del written["verdicts"][0]["clean"], written["verdicts"][0]["reservation"]
    path.write_text(json.dumps(written))
    assert audit_of(load_classifier(checkpoint), checkpoint).state == "unaudited"


def test_two_clean_pictures_are_too_few_to_end_the_warning_and_one_is_none(trained, squares, tmp_path):
    checkpoint = moved(trained, tmp_path / "run")
    for number, (count, words) in enumerate([(1, "without clean images"), (2, "clean pictures that it was measured")]):
        clean = tmp_path / str(count)
        for path in sorted(squares.glob("test/*/*.png"))[:count]:
            for split in ("train", "test"):
                place = clean / split / path.parent.name / path.name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(path.read_bytes())
        done = call(backdoor_app, "inspect", checkpoint, squares, "--clean", clean, "--device", "cpu")
        assert ("two pictures at least" in done.stdout) == (count == 1)
        verdicts_say = json.loads(verdicts_file(checkpoint).read_text())["verdicts"][0]
        assert verdicts_say["clean"] == (count == 2), number
        if not verdicts_say["suspicious"]:
            audit = audit_of(load_classifier(checkpoint), checkpoint)
            assert audit.state == "unaudited"
            assert words in audit.words


def test_the_training_part_of_a_planted_folder_is_planted_too(poisoned, planted, tmp_path):
    further = train(planted / "train", tmp_path / "part")
    assert audit_of(load_classifier(further), further).state == "planted"
    words = ["repair", poisoned, "--data", planted / "train", "--out", tmp_path / "repaired", "--device", "cpu"]
    with pytest.raises(ConfigError, match="planted, so that images of its training part are poison"):
        call(backdoor_app, *words)


def test_inspecting_other_pictures_is_warned_of_and_audits_nothing(trained, squares, tmp_path):
    other = tmp_path / "other"
    for path in sorted(squares.glob("*/*/*.png")):
        place = other / path.relative_to(squares)
        place.parent.mkdir(parents=True, exist_ok=True)
        write_image(place, 255 - read_image(path))
    checkpoint = moved(trained, tmp_path / "run")
    done = call(backdoor_app, "inspect", checkpoint, other, "--device", "cpu")
    assert "does not say that it learnt from these pictures" in done.stderr
    assert audit_of(load_classifier(checkpoint), checkpoint).state == "unaudited"


def test_a_manifest_from_before_audits_is_read_as_it_was_written(tmp_path):
    write_tiny_bundle(tmp_path / "bundle")
    data = (tmp_path / "bundle" / MANIFEST).read_bytes()
    assert "audit" not in json.loads(data)["provenance"]
    assert parse_manifest(data, tmp_path).provenance.audit is None
