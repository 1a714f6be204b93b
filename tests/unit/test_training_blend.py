"""Blends of a hardened and a standard classifier: between the two, with batch norms of their own."""

import json
import shutil

import numpy as np
import pytest
import torch

from natadv.batches import to_batch
from natadv.campaign.backdoor_repair import Repair, repaired
from natadv.data.load import load_dataset
from natadv.errors import ConfigError
from natadv.training.blend import blend_classifiers
from natadv.training.checkpoint import load_classifier
from natadv.training.classifier import train_classifier
from natadv.training.recipe import Recipe
from tests.squares import write_squares


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Two labels of squares, a classifier of them, and one trained on from it."""
    folder = tmp_path_factory.mktemp("blend")
    rng = np.random.default_rng(0)
    write_squares(folder / "data", rng, train=40, test=10, size=16, noise=120)
    for split, count in (("train", 20), ("test", 5)):
        for label in ("red", "blue"):
            (folder / "fewer" / split / label).mkdir(parents=True)
            for index in range(count):
                shutil.copy(folder / "data" / split / label / f"{index}.png", folder / "fewer" / split / label)
    settings = {"data": str(folder / "data"), "size_px": 16, "batch_size": 8, "threads": 1, "device": "cpu"}
    train_classifier(Recipe(**settings, epochs=3), folder / "standard")
    init = str(folder / "standard/checkpoint.pt")
    train_classifier(Recipe(**settings, epochs=2, init=init, learning_rate=0.003, seed=1), folder / "hardened")
    return folder


def blended(place, out, share, **changes):
    files = {"hardened": place / "hardened/checkpoint.pt", "standard": place / "standard/checkpoint.pt"} | changes
    metrics = blend_classifiers(
        files["hardened"], files["standard"], out, share=share, data=str(place / "data"), device="cpu"
    )
    return metrics, load_classifier(out / "checkpoint.pt")


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_weights_are_means_and_batch_norms_are_measured(place, tmp_path, share):
    metrics, found = blended(place, tmp_path / "out", share)
    hardened, standard = (load_classifier(place / name / "checkpoint.pt") for name in ("hardened", "standard"))
    for name, weight in found.model.named_parameters():
        ends = hardened.model.get_parameter(name), standard.model.get_parameter(name)
        torch.testing.assert_close(weight, (1 - share) * ends[0] + share * ends[1])
    assert not found.model.training
    assert metrics["accuracy"] > 0.9
    assert json.loads((tmp_path / "out/metrics.json").read_text())["accuracy"] == metrics["accuracy"]
    told = found.provenance["blend"]
    assert told == {"hardened_sha256": hardened.digest, "standard_sha256": standard.digest, "share": share}


def test_batch_norms_are_those_of_clean_training_pictures(place, tmp_path):
    _, found = blended(place, tmp_path / "out", 0.0)
    hardened = load_classifier(place / "hardened/checkpoint.pt")
    first, kept = (
        next(m for m in one.model.modules() if isinstance(m, torch.nn.BatchNorm2d)) for one in (found, hardened)
    )
    assert not torch.equal(first.running_mean, kept.running_mean)
    # The views differ in light and pose from the pictures, which is why the tolerance is wide.
    images = load_dataset(str(place / "data"), "train").images((16, 16))
    entering: list[torch.Tensor] = []
    first.register_forward_pre_hook(lambda _, given: entering.append(given[0]))
    with torch.no_grad():
        found.model(to_batch(images, torch.device("cpu")))
    spread = entering[0].var((0, 2, 3)).sqrt()
    assert ((first.running_mean - entering[0].mean((0, 2, 3))).abs() < 0.5 * spread).all()


def test_what_was_trained_on_in_two_runs_blends_with_the_first(place, tmp_path):
    first, second = (load_classifier(place / name / "checkpoint.pt") for name in ("standard", "hardened"))
    assert (first.ancestors, second.ancestors) == ([], [first.digest])
    recipe = Recipe.model_validate(second.recipe)
    further = recipe.model_copy(update={"init": str(place / "hardened/checkpoint.pt"), "epochs": 1})
    train_classifier(further, tmp_path / "further")
    assert load_classifier(tmp_path / "further/checkpoint.pt").ancestors == [second.digest, first.digest]
    _, found = blended(place, tmp_path / "out", 0.5, hardened=tmp_path / "further/checkpoint.pt")
    assert found.provenance["blend"]["standard_sha256"] == first.digest


def test_a_seed_repeats(place, tmp_path):
    (_, first), (_, second) = (blended(place, tmp_path / name, 0.5) for name in "ab")
    for name, value in first.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name]), name


def test_what_has_no_mean_is_refused(place, tmp_path):
    with pytest.raises(ConfigError, match=r"was not trained from .* \(--init\); weights of two runs have no mean"):
        blended(place, tmp_path / "out", 0.5, standard=place / "hardened/checkpoint.pt")
    with pytest.raises(ConfigError, match=r"--share 1\.5: expected 0 to 1"):
        blended(place, tmp_path / "out", 1.5)
    assert not (tmp_path / "out").exists()
    with pytest.raises(ConfigError, match="exists already"):
        blended(place, tmp_path, 0.5)
    files = [place / name / "checkpoint.pt" for name in ("hardened", "standard")]
    with pytest.raises(ConfigError, match=r"--data .*: 40 training and 10 test images; the models were trained on 80"):
        blend_classifiers(*files, tmp_path / "out", share=0.5, data=str(place / "fewer"), device="cpu")
    shutil.copytree(place / "data", tmp_path / "altered")
    one, other = sorted((tmp_path / "altered" / "train").glob("*/*.png"))[::60]
    shutil.copy(one, other)
    with pytest.raises(ConfigError, match="other training images than the models were trained on"):
        blend_classifiers(*files, tmp_path / "out", share=0.5, data=str(tmp_path / "altered"), device="cpu")


def test_a_repaired_classifier_is_blended_with_what_it_was(place, tmp_path):
    """Its papers count the share of the images that it was repaired with; the data are known by their digest."""
    asked = Repair(None, None, 0.04, 0.5, 1, 1e-3, 0)
    standard = place / "standard/checkpoint.pt"
    list(repaired(standard, str(place / "data"), tmp_path / "r", asked, planted=None, root=tmp_path, device="cpu"))
    metrics, _ = blended(place, tmp_path / "out", 0.5, hardened=tmp_path / "r" / "checkpoint.pt")
    assert metrics["images"] == 20
