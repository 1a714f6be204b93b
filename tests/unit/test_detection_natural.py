"""Images that are there already: folders of ImageNet-A, misclassified ones, and what several models err on."""

import json

import numpy as np
import pytest
from torch import nn
from typer.testing import CliRunner

from natadv.detection.banked import read_bank
from natadv.detection.cross_fit import PAPERS, cross_fit, misclassified, read_scan
from natadv.detection.natural import class_targets, image_folders
from natadv.detection.sources import open_sources
from natadv.detection_cli import app
from natadv.errors import ConfigError, DataError
from natadv.images import write_image
from natadv.training.recipe import Recipe
from natadv.training.victim import Victim, open_victim
from tests.colours import write_colours
from tests.squares import COLOURS, write_squares
from tests.tiny_classifier import write_tiny_classifier

run = CliRunner().invoke


@pytest.fixture
def colours(tmp_path):
    write_colours(tmp_path / "colours", each=8)
    write_tiny_classifier(tmp_path / "tiny.onnx")
    return open_sources(open_victim(str(tmp_path / "tiny.onnx")), str(tmp_path / "colours"), seed=0)


def write_strangers(folder, *, each=6):
    """Write pictures of a size of their own below a label: half of them are that colour, half another."""
    for label, own, other in (("red", 0, 2), ("blue", 2, 0)):
        (folder / label).mkdir(parents=True)
        for index in range(each):
            image = np.full((40, 30, 3), 60 + index, np.uint8)
            image[..., own if index % 2 else other] += 90
            write_image(folder / label / f"{index}.jpg", image)
    return folder


def test_a_folder_gives_what_fools_at_the_banks_size(colours, tmp_path):
    maker = image_folders({"imagenet-a": write_strangers(tmp_path / "a")}, colours, seed=0)["imagenet-a"]
    blocks = [block for part in ("train", "test") for block in maker.blocks(part)]
    assert sum(block.tried for block in blocks) == 12
    made = [one for block in blocks for one in block.made]
    assert sorted(one.source for one in made) == sorted(
        f"imagenet-a/{label}/{index}.jpg" for label in ("red", "blue") for index in (0, 2, 4)
    )
    assert all(one.image.shape == (16, 16, 3) and {one.label, one.said} == {"red", "blue"} for one in made)


def test_a_photograph_and_what_was_cropped_of_it_are_in_one_part(colours, tmp_path):
    """ImageNet-A-Plus has crops of ImageNet-A's photographs: whoever learnt one would know the other."""
    whole, crops = write_strangers(tmp_path / "a", each=12), write_strangers(tmp_path / "plus", each=7)
    makers = image_folders({"imagenet-a": whole, "imagenet-a-plus": crops}, colours, seed=0)
    parts = {
        kind: {
            one.source.split("/", 1)[1]: part for part, some in maker.candidates.items() for one in some
        }
        for kind, maker in makers.items()
    }  # fmt: skip
    assert len(parts["imagenet-a"]) == 24 and len(parts["imagenet-a-plus"]) == 14
    assert all(parts["imagenet-a"][name] == part for name, part in parts["imagenet-a-plus"].items())
    assert list(parts["imagenet-a"].values()).count("train") == 12


def test_a_bank_takes_the_folders_it_is_given(colours, tmp_path):
    write_strangers(tmp_path / "a", each=12)
    given = ["bank", "--data", str(tmp_path / "colours"), "--model", str(tmp_path / "tiny.onnx"), "--count", "4"]
    folders = ["--imagenet-a", str(tmp_path / "a"), "--imagenet-a-plus", str(tmp_path / "a")]
    kinds = ["--kind", "imagenet-a", "--kind", "imagenet-a-plus"]
    done = run(app, [*given, *folders, *kinds, "--device", "cpu", "--out", str(tmp_path / "bank")])
    assert done.exit_code == 0, done.output
    bank = read_bank(tmp_path / "bank")
    assert bank.kinds_of("natural") == ("imagenet-a", "imagenet-a-plus")
    assert len({(tmp_path / "bank" / image.path).stat().st_size for image in bank.images}) == 1


def test_classes_of_imagenet_are_found_by_wordnet_id():
    def victim(classes):
        return Victim("net", "net", nn.Identity(), (8, 8), classes, None)

    names = [str(number) for number in range(1, 1001)]
    assert class_targets(victim(1000), names, ["n01440764", "n15075141"], name="a") == {
        "n01440764": 0,
        "n15075141": 999,
    }
    assert class_targets(victim(1001), ["0", *names], ["n01443537"], name="a") == {"n01443537": 2}
    with pytest.raises(DataError, match="'stop' is no class of the model net"):
        class_targets(victim(1000), names, ["stop"], name="a")


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    """Squares, two of which bear the other's label, so that every model that learnt from the others errs on them."""
    folder = tmp_path_factory.mktemp("scan")
    write_squares(folder / "squares", np.random.default_rng(0), train=24, test=8, size=16, noise=40)
    for name, colour in (("red", "blue"), ("blue", "red")):
        image = np.full((16, 16, 3), 20, np.uint8)
        image[4:12, 4:12] = COLOURS[colour]
        write_image(folder / "squares" / "test" / name / "odd.png", image)
    recipe = Recipe(data=str(folder / "squares"), size_px=16, epochs=6, batch_size=8, device="cpu", threads=1)
    return folder, recipe, cross_fit(recipe, folder / "out", folds=2, models=2)


def test_what_all_models_of_the_other_fold_get_wrong_is_found(scanned):
    folder, _, papers = scanned
    assert papers == read_scan(folder / "out")
    assert papers.looked_at == 66
    assert {one.source for one in papers.images} == {"test/red/odd.png", "test/blue/odd.png"}
    assert all(set(one.said) == {"red", "blue"} - {one.label} for one in papers.images)
    assert [model.fold for model in papers.models] == [0, 0, 1, 1]
    assert all(model.accuracy > 0.9 for model in papers.models)
    assert len({model.checkpoint_sha256 for model in papers.models}) == 4


def test_no_model_learns_from_what_it_looks_at(scanned):
    folder, _, _ = scanned
    for fold in (0, 1):
        for model in (0, 1):
            checkpoint = folder / "out" / f"fold-{fold}-model-{model}"
            summary = json.loads((checkpoint / "metrics.json").read_text())
            assert summary["images"] in (32, 33, 34)


def test_a_stopped_scan_goes_on_to_the_same(scanned, tmp_path, monkeypatch):
    _, recipe, papers = scanned
    from natadv.detection import cross_fit as module

    real, trained = module.train_classifier, []

    def stopping(recipe, out, **options):
        if len(trained) == 2:
            raise KeyboardInterrupt
        trained.append(out.name)
        return real(recipe, out, **options)

    monkeypatch.setattr(module, "train_classifier", stopping)
    with pytest.raises(KeyboardInterrupt):
        cross_fit(recipe, tmp_path / "out", folds=2, models=2)
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(module, "train_classifier", real)
    again = cross_fit(recipe, tmp_path / "out", folds=2, models=2)
    assert again.images == papers.images
    assert [one.accuracy for one in again.models] == [one.accuracy for one in papers.models]


def test_misclassified_images_come_into_a_bank_with_what_was_said(scanned, tmp_path):
    folder, recipe, papers = scanned
    model = folder / "out" / "fold-0-model-0" / "checkpoint.pt"
    sources = open_sources(open_victim(str(model)), recipe.data, seed=0)
    maker = misclassified(folder / "out", sources, seed=0)
    made = {one.source: one for part in ("train", "test") for block in maker.blocks(part) for one in block.made}
    assert set(made) == {one.source for one in papers.images}
    assert all(one.said != one.label for one in made.values())
    for part in ("train", "test"):
        assert all(sources.parts[one.source] == part for block in maker.blocks(part) for one in block.made)


def test_a_scan_of_other_data_is_refused(scanned, colours, tmp_path):
    folder, _, _ = scanned
    with pytest.raises(DataError, match="whose images are not the bank's"):
        misclassified(folder / "out", colours, seed=0)
    with pytest.raises(DataError, match="detect scan"):
        read_scan(tmp_path)
    (tmp_path / PAPERS).write_text("{}")
    with pytest.raises(DataError, match="damaged"):
        read_scan(tmp_path)


def test_a_scan_is_told_what_is_wrong_with_its_options(scanned, tmp_path):
    folder, recipe, _ = scanned
    with pytest.raises(ConfigError, match="exists already"):
        cross_fit(recipe, folder / "out")
    with pytest.raises(ConfigError, match="two or more of each"):
        cross_fit(recipe, tmp_path / "new", folds=1)
    refused = run(app, ["scan", "--data", "nowhere", "--out", str(tmp_path / "new"), "--epochs", "1"])
    assert isinstance(refused.exception, ConfigError)
