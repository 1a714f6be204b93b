"""What every attack of the suite must do, ours or a library's; and, of those with a budget, every conventional one."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from natadv.attacks.baselines import BASELINES
from natadv.attacks.suite import SUITE

EPSILON = 8 / 255
SIDE, CLASSES = 24, 4
ASKED = {"nes": {"queries": 300}, "zoo": {"queries": 3000}, "rays": {"queries": 300}, "hsv": {"trials": 60}}
"""So much less of the suite's patience is enough here."""


class Net(nn.Module):
    """A small net with what a careless attack would change: batch statistics, dropout, weights that want gradients."""

    def __init__(self, seed):
        super().__init__()
        with torch.random.fork_rng([]):
            torch.default_generator.manual_seed(seed)
            self.layers = nn.Sequential(
                nn.Conv2d(3, 8, 3, stride=2),
                nn.BatchNorm2d(8),
                nn.ReLU(),
                nn.Dropout(0.2),
                nn.AdaptiveAvgPool2d(3),
                nn.Flatten(),
                nn.Linear(72, CLASSES),
            )
        self.eval()

    def forward(self, batch):
        return 30 * self.layers(batch)


@pytest.fixture(params=[name for name, one in SUITE.items() if not one.samples])
def attack(request):
    one = SUITE[request.param]
    return replace(one, options={**one.options, **ASKED.get(request.param, {})})


@pytest.fixture(params=list(BASELINES))
def baseline(request):
    return BASELINES[request.param]


@pytest.fixture
def model():
    return Net(0)


@pytest.fixture
def images():
    levels = torch.randint(0, 256, (10, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(1))
    return levels / 255


@pytest.fixture
def labels(model, images):
    """What the model says, but for two images, which it gets wrong."""
    labels = model(images).argmax(1).detach()
    labels[:2] = (labels[:2] + 1) % CLASSES
    return labels


def test_images_are_eight_bit_within_the_budget_and_in_range(attack, model, images, labels):
    found = attack(model, images, labels).images
    assert found.shape == images.shape
    assert found.min() >= 0
    assert found.max() <= 1
    assert torch.allclose(found * 255, (found * 255).round(), atol=1e-4)
    if attack.epsilon is not None:
        assert (found - images).abs().max() <= attack.epsilon + 0.5 / 255


def test_what_counts_as_fooled_fools_and_all_else_is_clean(attack, model, images, labels):
    outcome = attack(model, images, labels)
    with torch.no_grad():
        assert torch.equal(outcome.fooled, model(outcome.images).argmax(1) != labels)
    if attack.name not in ("ni+", "ni-", "hsv"):  # what these try need not fool
        assert outcome.fooled[2:].any()
    for index in torch.flatten(torch.argwhere(~outcome.fooled)):
        assert torch.equal(outcome.images[index], images[index])


def test_images_that_are_wrong_already_come_back_as_they_are(attack, model, images, labels):
    outcome = attack(model, images, labels)
    assert outcome.fooled[:2].all()
    assert torch.equal(outcome.images[:2], images[:2])
    assert outcome.queries[:2].tolist() == [1, 1]
    assert outcome.gradients[:2].tolist() == [0, 0]


def test_a_hopeless_attack_says_so(attack, images):
    def stubborn(batch):
        return torch.stack([batch.mean((1, 2, 3)) + 5, batch.mean((1, 2, 3))], 1)

    labels = torch.zeros(len(images), dtype=torch.int64)
    outcome = attack(stubborn, images, labels)
    assert not outcome.fooled.any()
    assert torch.equal(outcome.images, images)


def test_passes_are_counted(baseline, images):
    calls = [0, 0]

    def model(batch):
        calls[batch.requires_grad] += 1
        return torch.stack([batch.mean((1, 2, 3)) + 5, batch.mean((1, 2, 3))], 1)

    outcome = baseline(model, images, torch.zeros(len(images), dtype=torch.int64), epsilon=EPSILON)
    assert set(outcome.queries.tolist()) == {sum(calls)}
    assert set(outcome.gradients.tolist()) == {calls[1]}


def test_nothing_of_the_model_is_touched(attack, model, images, labels):
    model.layers[0].bias.requires_grad_(False)
    for weight in model.parameters():
        weight.grad = torch.full_like(weight, 3.0) if weight.requires_grad else None
    before = copy.deepcopy(model.state_dict())
    wanted = [weight.requires_grad for weight in model.parameters()]
    attack(model, images, labels)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module.training for module in model.modules())
    assert [weight.requires_grad for weight in model.parameters()] == wanted
    for weight, wants in zip(model.parameters(), wanted, strict=True):
        assert (weight.grad == 3).all() if wants else weight.grad is None


def test_a_model_in_training_mode_is_refused(attack, model, images, labels):
    model.train()
    with pytest.raises(ValueError, match="training mode"):
        attack(model, images, labels)
    assert model.training


def test_inputs_and_global_chance_are_left_alone(attack, model, images, labels):
    kept, state = images.clone(), torch.get_rng_state()
    attack(model, images, labels)
    assert torch.equal(images, kept)
    assert not images.requires_grad
    assert torch.equal(torch.get_rng_state(), state)


def test_it_repeats_itself_whatever_the_global_seed(attack, model, images, labels):
    outcomes = []
    for seed in (1, 2):
        with torch.random.fork_rng([]):
            torch.default_generator.manual_seed(seed)
            outcomes.append(attack(model, images, labels).images)
    assert torch.equal(*outcomes)


def test_by_transfer_the_target_is_asked_and_never_differentiated(baseline, model, images, labels):
    asked = []

    def target(batch):
        asked.append(batch.requires_grad)
        return model(batch)

    outcome = baseline(target, images, labels, epsilon=EPSILON, surrogate=Net(7))
    assert asked == [False, False]
    assert outcome.queries.tolist() == [1, 1] + [2] * 8
    assert not outcome.gradients.any()
    with torch.no_grad():
        assert torch.equal(outcome.fooled, model(outcome.images).argmax(1) != labels)


def test_a_zero_gradient_is_a_failure_and_no_image_of_nans(attack, images):
    def flat(batch):
        return torch.stack([batch.sum((1, 2, 3)) * 0 + 5, batch.sum((1, 2, 3)) * 0], 1)

    outcome = attack(flat, images, torch.zeros(len(images), dtype=torch.int64))
    assert not outcome.fooled.any()
    assert torch.equal(outcome.images, images)


@pytest.mark.parametrize("wrong", [{"epsilon": 0.0}, {"batch_size": 0}])
def test_senseless_arguments_are_refused(baseline, model, images, labels, wrong):
    with pytest.raises(ValueError, match="positive budget and batch size"):
        baseline(model, images, labels, **wrong)
