"""Wrapped attacks and their libraries called directly, on real photographs and a real network: the same are fooled."""

import pytest
import torch
from torchattack import FGSM, PGD

from natadv.attacks.carlini_wagner import carlini_wagner
from natadv.attacks.deepfool import deepfool
from natadv.attacks.ead import ead
from natadv.attacks.foolbox_model import foolbox
from natadv.attacks.library import fgsm, pgd
from natadv.data.draw import draw
from natadv.data.load import load_test
from natadv.training.trial import try_model
from natadv.training.victim import open_victim

LEVEL = 1 / 255


@pytest.fixture(scope="module")
def trial(shared):
    """A MobileNet v2 and those of ten photographs that it gets right; small, so that the test is quick."""
    networks = shared / "models" / "imagenet"
    data = load_test(str(shared / "data" / "nips17"), shared, networks / "imagenet_labels.txt")
    victim = open_victim(str(networks / "mobilenet_v2_224.onnx"), "cpu")
    return try_model(victim, draw(data, count=10, seed=1))


def fooled(trial, images):
    with torch.no_grad():
        return trial.victim.model((images.detach() * 255).round() / 255).argmax(1) != trial.labels


@pytest.mark.parametrize(
    ("ours", "library"),
    [
        (lambda *given: fgsm(*given, epsilon=LEVEL), lambda model: FGSM(model, device="cpu", eps=LEVEL)),
        (
            lambda *given: pgd(*given, epsilon=LEVEL / 2, steps=3, step_size=LEVEL / 4),
            lambda model: PGD(model, device="cpu", eps=LEVEL / 2, steps=3, alpha=LEVEL / 4),
        ),
    ],
    ids=["fgsm", "pgd"],
)
def test_torchattack(ours, library, trial):
    model = trial.victim.model
    outcome = ours(model, trial.images, trial.labels)
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(0)
        found = library(model)(trial.images, trial.labels)
    assert torch.equal(outcome.fooled, fooled(trial, found))
    assert outcome.fooled.any()


@pytest.mark.parametrize(
    ("ours", "library"),
    [
        (
            lambda *given: carlini_wagner(*given, steps=2, step_size=2 * LEVEL, binary_search_steps=1),
            foolbox.attacks.L2CarliniWagnerAttack(
                steps=2, stepsize=2 * LEVEL, binary_search_steps=1, initial_const=0.1, abort_early=False
            ),
        ),
        (
            lambda *given: ead(*given, steps=3, binary_search_steps=1),
            foolbox.attacks.EADAttack(
                steps=3,
                initial_stepsize=LEVEL,
                binary_search_steps=1,
                initial_const=10.0,
                regularization=0.01,
                decision_rule="EN",
                abort_early=False,
            ),
        ),
    ],
    ids=["carlini_wagner", "ead"],
)
def test_foolbox_where_some_fall(ours, library, trial):
    """With so few steps that not all fall; the library gives back a black image where it finds nothing."""
    model, some = trial.victim.model, slice(6)
    images, labels = trial.images[some], trial.labels[some]
    found = library.run(foolbox.PyTorchModel(model, (0, 1), device="cpu"), images, labels)
    with torch.no_grad():
        errs = model((found * 255).round() / 255).argmax(1) != labels
    outcome = ours(model, images, labels)
    assert torch.equal(outcome.fooled, errs & (found != 0).flatten(1).any(1))
    assert 0 < outcome.fooled.sum() < len(images)


def test_foolbox_deepfool(trial):
    """To the end, where all fall: cut short, it leaves changes that eight bits take back."""
    model, some = trial.victim.model, slice(3)
    images, labels = trial.images[some], trial.labels[some]
    library = foolbox.attacks.LinfDeepFoolAttack(steps=20, candidates=2)
    _, _, success = library(foolbox.PyTorchModel(model, (0, 1), device="cpu"), images, labels, epsilons=8 * LEVEL)
    outcome = deepfool(model, images, labels, epsilon=8 * LEVEL, steps=20, candidates=2)
    assert torch.equal(outcome.fooled, success)
    assert outcome.fooled.all()
