"""ZOO against models whose slopes are known, within the queries that it may take."""

from functools import partial

import pytest
import torch
from torch import nn

from natadv.attacks.suite import setting
from natadv.attacks.zoo import _step_size, zoo

SIDE = 8
LEVEL = 1 / 255
BOUND = 8 * LEVEL
GREY = torch.full((2, 3, SIDE, SIDE), 128 / 255)
ZEROS = torch.zeros(2, dtype=torch.int64)
WEIGHTS = torch.randn(3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))
ROUND = 2 * WEIGHTS.numel() + 2  # queries of a look at every coordinate, in two blocks


def linear(levels):
    """Return a model whose boundary lies `levels` grey levels of l_inf change away from every grey image."""
    margin = levels * LEVEL * WEIGHTS.abs().sum()

    def model(batch):
        score = ((batch - 128 / 255) * WEIGHTS).sum((1, 2, 3))
        return torch.stack([margin - score, score - margin], 1)

    return model


class Asked(nn.Module):
    """A model that counts the images that it is asked about, and remembers the longest batch."""

    def __init__(self, model):
        super().__init__()
        self.model, self.images, self.longest = model, 0, 0
        self.eval()

    def forward(self, batch):
        assert not batch.requires_grad
        assert batch.min() >= 0
        assert batch.max() <= 1
        self.images += len(batch)
        self.longest = max(self.longest, len(batch))
        return self.model(batch)


def test_against_a_linear_model_one_round_of_large_steps_reaches_the_bound():
    outcome = zoo(linear(7.9), GREY, ZEROS, step_size=BOUND, coordinates=96)
    assert outcome.fooled.all()
    assert torch.allclose(outcome.images, GREY + BOUND * WEIGHTS.sign(), atol=1e-6)
    assert outcome.queries.tolist() == [2 + ROUND] * 2
    assert not outcome.gradients.any()


def test_small_steps_add_up():
    outcome = zoo(linear(7.5), GREY, ZEROS, step_size=LEVEL, coordinates=96)
    assert outcome.fooled.all()
    assert outcome.queries.tolist() == [2 + 8 * ROUND] * 2


def test_what_no_image_within_the_bound_does_is_not_found():
    outcome = zoo(linear(8.2), GREY, ZEROS, queries=5 * ROUND, step_size=BOUND)
    assert not outcome.fooled.any()
    assert torch.equal(outcome.images, GREY)


@pytest.mark.parametrize("levels", [4.3, 7.0])
def test_as_the_bench_sets_it_up_it_reaches_what_fgsm_does(levels):
    """Steps of the authors' 0.01 met each of 3,072 coordinates twice at most and stayed within 5.1 levels."""
    images = torch.full((1, 3, 64, 64), 128 / 255)
    signs = torch.tensor([1.0, -1.0, 1.0])

    def model(batch):
        score = ((batch - 128 / 255) * signs[:, None, None]).mean((1, 2, 3)) / LEVEL
        return torch.stack([levels - score, score - levels], 1)

    outcome = setting("zoo")(model, images, ZEROS[:1])
    assert outcome.fooled.all()
    assert outcome.queries.item() <= 10_242


def test_many_visits_have_shorter_steps():
    steps = [_step_size(BOUND, queries, 128, 3072) for queries in (1_000, 10_240, 100_000)]
    assert steps[:2] == [BOUND, BOUND]
    assert steps[2] == pytest.approx(BOUND * 2.5 / (100_000 / 257 * 128 / 3072))


@pytest.mark.parametrize("queries", [3, 4, 5, 6, 100, 259, 260, 1000])
def test_an_image_never_takes_more_queries_than_allowed(queries):
    model = Asked(linear(100))
    outcome = zoo(model, GREY[:1], ZEROS[:1], queries=queries)
    assert outcome.queries.tolist() == [model.images]
    assert queries - 2 <= model.images - 2 <= queries  # the judge's two looks come on top


@pytest.mark.parametrize("size", [(64, 64), (224, 224), (48, 20)])
def test_a_smooth_net_is_fooled_at_any_size(size):
    """For which an even change, as a small image can tell it, would do."""
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(3, 4, 5, stride=4), nn.Tanh(), nn.AdaptiveAvgPool2d(3), nn.Flatten())
    image = torch.randint(20, 236, (1, 3, *size), generator=torch.Generator().manual_seed(1)) / 255
    with torch.no_grad():
        clean, brighter = net(image).sum(), net(image + BOUND).sum()

    def judge(batch):
        score = (net(batch).sum(1) - clean) / (brighter - clean)
        return torch.stack([0.8 - score, score - 0.8], 1)

    model = Asked(judge)
    outcome = zoo(model, image, ZEROS[:1], queries=400, side_px=4, step_size=BOUND, batch_size=16)
    assert outcome.fooled.all()
    assert (outcome.images - image).abs().max() <= BOUND + 0.5 * LEVEL
    assert 2 < model.images <= 402
    assert model.longest <= 16


def test_an_image_goes_as_if_it_were_alone():
    images = torch.randint(0, 256, (3, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(2)) / 255
    model, labels = linear(60), torch.zeros(3, dtype=torch.int64)
    together = zoo(model, images, labels, coordinates=20, queries=300)
    alone = [zoo(model, images[[index]], labels[:1], coordinates=20, queries=300) for index in range(3)]
    assert torch.equal(together.images, torch.cat([one.images for one in alone]))
    assert together.queries.tolist() == [one.queries.item() for one in alone]


def test_the_seed_is_of_the_order_of_coordinates():
    attack = partial(zoo, linear(4), GREY, ZEROS, coordinates=10, step_size=BOUND)
    assert torch.equal(attack(seed=1).images, attack(seed=1).images)
    assert not torch.equal(attack(seed=1).images, attack(seed=2).images)


def test_a_model_of_moods_is_no_crash():
    steady = linear(3)
    outcome = zoo(lambda batch: steady(batch) + torch.randn(len(batch), 2), GREY, ZEROS, queries=600)
    assert (outcome.queries <= 602).all()


@pytest.mark.parametrize(
    "wrong", [{"queries": 1}, {"side_px": 0}, {"coordinates": 0}, {"step_size": 0.0}, {"difference": -0.1}]
)
def test_senseless_options_are_refused(wrong):
    with pytest.raises(ValueError, match=f"expected .*got .*{next(iter(wrong.values()))}"):
        zoo(linear(1), GREY, ZEROS, **wrong)
