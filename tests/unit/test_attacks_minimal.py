"""C&W, DeepFool and EAD against models whose smallest change is known, and against the library alone."""

from functools import partial

import pytest
import torch
from torch import nn

from natadv.attacks.carlini_wagner import carlini_wagner
from natadv.attacks.deepfool import deepfool
from natadv.attacks.ead import ead
from natadv.attacks.foolbox_model import foolbox

SIDE = 8
LEVEL = 1 / 255
GREY = torch.full((3, 3, SIDE, SIDE), 128 / 255)
ZEROS = torch.zeros(3, dtype=torch.int64)
DEEPFOOL_L2 = partial(deepfool, norm="l2", epsilon=None)
# Fewer weights to try than by default, to be quick.
ALL = [partial(carlini_wagner, binary_search_steps=1), deepfool, DEEPFOOL_L2, partial(ead, binary_search_steps=2)]
NAMES = ["carlini_wagner", "deepfool", "deepfool_l2", "ead"]


def weights(seed=3):
    return torch.randn(3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def linear(normal, levels):
    """Return a model whose boundary lies `levels` grey levels of l_inf change away from every grey image."""
    margin = levels * LEVEL * normal.abs().sum()

    def model(batch):
        score = ((batch - 128 / 255) * normal).sum((1, 2, 3))
        return torch.stack([(margin - score) / 2, (score - margin) / 2], 1)

    return model


@pytest.fixture
def net():
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(2)
        layers = [nn.Conv2d(3, 8, 3, stride=2), nn.Tanh(), nn.Flatten(), nn.Linear(72, 4)]
        return nn.Sequential(*layers).eval().requires_grad_(False)


@pytest.fixture
def images():
    levels = torch.randint(20, 236, (8, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(1))
    return levels / 255


@pytest.mark.parametrize("attack", [partial(carlini_wagner, binary_search_steps=4), DEEPFOOL_L2])
def test_the_l2_change_is_close_to_the_smallest_there_is(attack):
    outcome = attack(linear(weights(), 5), GREY, ZEROS)
    smallest = 5 * LEVEL * weights().abs().sum() / weights().norm()
    assert outcome.fooled.all()
    length = (outcome.images - GREY).flatten(1).norm(dim=1)
    assert (length >= 0.99 * smallest).all()
    assert (length <= 1.15 * smallest).all()


def test_the_l_inf_change_is_close_to_the_smallest_there_is():
    outcome = deepfool(linear(weights(), 5.3), GREY, ZEROS)
    assert outcome.fooled.all()
    assert torch.allclose(outcome.images, GREY + 6 * LEVEL * weights().sign(), atol=1e-6)


@pytest.mark.parametrize(("attack", "reach"), [(deepfool, 8), (partial(carlini_wagner, epsilon=3 * LEVEL), 3)])
def test_what_is_clipped_to_the_bound_must_fool_still(attack, reach):
    assert attack(linear(weights().sign(), 0.8 * reach), GREY, ZEROS).fooled.all()
    outcome = attack(linear(weights().sign(), 1.1 * reach), GREY, ZEROS)
    assert not outcome.fooled.any()
    assert torch.equal(outcome.images, GREY)


def test_ead_changes_fewer_values_than_carlini_and_wagner():
    normal = weights() * torch.where(torch.arange(3 * SIDE * SIDE) % 20 == 0, 10, 0.5).view(3, SIDE, SIDE)
    model = linear(normal, 1)
    changed = {}
    for attack in (carlini_wagner, ead):
        outcome = attack(model, GREY, ZEROS)
        assert outcome.fooled.all()
        changed[attack] = (outcome.images != GREY).flatten(1).sum(1)
    assert (changed[ead] < changed[carlini_wagner] / 2).all()
    assert (changed[ead] <= 3 * SIDE * SIDE // 20 + 1).all()


@pytest.mark.parametrize("attack", ALL, ids=NAMES)
def test_a_change_too_small_for_eight_bits_is_made_larger(attack):
    outcome = attack(linear(weights(), 0.2), GREY, ZEROS)
    assert outcome.fooled.all()


@pytest.mark.parametrize(
    ("attack", "library", "epsilon", "fall"),
    [
        (
            partial(carlini_wagner, binary_search_steps=2, initial_const=1.0),
            foolbox.attacks.L2CarliniWagnerAttack(
                binary_search_steps=2, steps=40, stepsize=LEVEL, initial_const=1.0, abort_early=False
            ),
            None,
            [True, True, False, False],
        ),
        (deepfool, foolbox.attacks.LinfDeepFoolAttack(steps=40), 8 * LEVEL, [True, True, False, False]),
        (
            partial(ead, binary_search_steps=3, initial_const=1.0),
            foolbox.attacks.EADAttack(
                binary_search_steps=3, steps=40, initial_stepsize=LEVEL, initial_const=1.0, abort_early=False
            ),
            None,
            [True, True, True, False],
        ),
    ],
    ids=["carlini_wagner", "deepfool", "ead"],
)
def test_as_many_fall_as_to_the_library_alone(attack, library, epsilon, fall):
    """To which floats are good enough; its black images count as failures."""
    normal, images = weights(), GREY[:1].repeat(4, 1, 1, 1)

    class Bent(nn.Module):
        def forward(self, batch):
            score = (torch.tanh(2 * (batch - 128 / 255)) / 2 * normal).sum((1, 2, 3))
            margins = torch.tensor([1.0, 4, 40, 140]) * LEVEL * normal.abs().sum()
            return torch.stack([(margins - score) / 2, (score - margins) / 2], 1)

    model, labels = Bent().eval(), torch.zeros(4, dtype=torch.int64)
    found, _, success = library(foolbox.PyTorchModel(model, (0, 1), device="cpu"), images, labels, epsilons=epsilon)
    success &= (found != 0).flatten(1).any(1)
    assert success.tolist() == fall
    assert attack(model, images, labels).fooled.tolist() == fall


def darkness(batch):
    """Of class 1 where an image is black, and of no slope."""
    black = (batch.mean((1, 2, 3)) < 0.01).float()
    flat = batch.sum((1, 2, 3)) * 0
    return torch.stack([flat + 1 - 2 * black, flat], 1)


@pytest.mark.parametrize("attack", ALL, ids=NAMES)
def test_a_black_image_that_fools_is_no_find(attack):
    outcome = attack(darkness, GREY, ZEROS)
    assert not outcome.fooled.any()
    assert torch.equal(outcome.images, GREY)


def test_the_library_alone_takes_it_for_one():
    """If this fails, foolbox has been mended and the black images need no care any more."""

    class Darkness(nn.Module):
        def forward(self, batch):
            return darkness(batch)

    attack = foolbox.attacks.L2CarliniWagnerAttack(binary_search_steps=1, steps=2)
    bridge = foolbox.PyTorchModel(Darkness().eval(), (0, 1), device="cpu")
    assert attack(bridge, GREY, ZEROS, epsilons=None)[2].all()


@pytest.mark.parametrize(
    ("attack", "queries", "gradients"),
    [
        (partial(carlini_wagner, steps=4, binary_search_steps=2), 8, 8),
        (partial(deepfool, steps=4), 1 + 4 * 3, 4 * 3),
        (partial(ead, steps=4, binary_search_steps=2), 16, 8),
    ],
)
def test_each_pass_through_the_model_is_counted(attack, queries, gradients):
    passes = [0, 0]

    def model(batch):
        passes[batch.requires_grad] += len(batch)
        far = torch.tensor([50.0, 0, 0, 0])
        return far + torch.stack([batch.mean((1, 2, 3)) * power for power in range(4)], 1)

    outcome = attack(model, GREY, ZEROS)
    assert not outcome.fooled.any()
    assert outcome.queries.tolist() == [2 + queries] * 3
    assert outcome.gradients.tolist() == [gradients] * 3
    assert [outcome.queries.sum(), outcome.gradients.sum()] == [sum(passes), passes[1]]


@pytest.mark.parametrize("attack", ALL, ids=NAMES)
def test_a_model_of_moods_is_no_crash(attack, net, images):
    def model(batch):
        return net(batch) + 0.5 * torch.randn(len(batch), 4)

    outcome = attack(model, images, net(images).argmax(1))
    assert outcome.images.min() >= 0
    assert outcome.images.max() <= 1
    assert torch.equal(outcome.images[~outcome.fooled], images[~outcome.fooled])


def test_deepfool_leaves_the_true_class_whatever_a_model_says_once():
    steady, asked = linear(weights(), 3), []

    def model(batch):
        asked.append(batch.requires_grad)
        return steady(batch).flip(1) if len(asked) == 2 else steady(batch)

    assert deepfool(model, GREY, ZEROS).fooled.all()
    assert not any(asked[:2])


@pytest.mark.parametrize("attack", [ALL[0], ALL[3]])
def test_neighbours_change_nothing(attack, net, images):
    images, labels = images[:3], net(images[:3]).argmax(1)
    together = attack(net, images, labels, steps=15)
    alone = attack(net, images, labels, steps=15, batch_size=1)
    assert torch.equal(together.fooled, alone.fooled)
    assert torch.allclose(together.images, alone.images, atol=1.01 * LEVEL)


@pytest.mark.parametrize("attack", ALL, ids=NAMES)
def test_the_kind_of_number_is_kept(attack, net, images):
    outcome = attack(net.double(), images.double(), net.double()(images.double()).argmax(1))
    assert outcome.images.dtype == torch.float64


@pytest.mark.parametrize(
    ("attack", "wrong"),
    [
        (carlini_wagner, {"steps": 0}),
        (carlini_wagner, {"initial_const": 0.0}),
        (carlini_wagner, {"confidence": -1.0}),
        (deepfool, {"norm": "l1"}),
        (deepfool, {"candidates": 1}),
        (deepfool, {"overshoot": -0.1}),
        (ead, {"step_size": 0.0}),
        (ead, {"binary_search_steps": 0}),
        (ead, {"beta": -0.01}),
    ],
)
def test_senseless_options_are_refused(attack, wrong):
    with pytest.raises(ValueError, match=f"expected .*got .*{next(iter(wrong.values()))}"):
        attack(linear(weights(), 1), GREY, ZEROS, **wrong)


@pytest.mark.parametrize("attack", [partial(carlini_wagner, initial_const=10.0), ead], ids=["carlini_wagner", "ead"])
def test_a_lead_that_no_image_has_is_come_as_near_as_can_be(attack):
    """Beyond the boundary this model's lead is 0.8 at most; asked for 5, the image of the most lead is found."""
    steep = linear(weights(), 5)

    def saturated(batch):
        return steep(batch).clamp(max=0.4) * torch.tensor([0.0, 2.0])

    assert attack(saturated, GREY, ZEROS, confidence=0.5).fooled.all()
    beyond = attack(saturated, GREY, ZEROS, confidence=5.0)
    assert beyond.fooled.all()
    logits = saturated(beyond.images)
    assert torch.allclose(logits[:, 1] - logits[:, 0], torch.tensor(0.8), atol=1e-3)
