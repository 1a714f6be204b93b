"""Black-box attacks against models whose best answer is known in closed form, and what they ask of them."""

import pytest
import torch
from torch.nn.functional import cosine_similarity, one_hot

from natadv.attacks.nes import estimated_gradient, nes
from natadv.attacks.rays import rays

LEVEL = 1 / 255
SIDE = 8
VALUES = 3 * SIDE * SIDE
BLOCKS = 8
GREY = torch.full((3, 3, SIDE, SIDE), 128 / 255)
ZEROS = torch.zeros(3, dtype=torch.int64)


@pytest.fixture
def weights():
    """Of a linear model, (3, h, w): of one sign over each of eight blocks of the flattened image."""
    rng = torch.Generator().manual_seed(6)
    signs = torch.randint(0, 2, (BLOCKS, 1), generator=rng) * 2.0 - 1
    sizes = 0.5 + torch.rand(BLOCKS, VALUES // BLOCKS, generator=rng)
    assert 0 < (signs > 0).sum() < BLOCKS
    return (signs * sizes).reshape(3, SIDE, SIDE)


@pytest.fixture
def linear(weights):
    """Make a model that errs from an l_inf change of so many levels along the weights' signs on, and no sooner."""

    def make(levels, scale=1.0):
        def model(batch):
            score = scale * ((batch - 128 / 255) * weights).sum((1, 2, 3)) / weights.abs().sum()
            return torch.stack([scale * levels * LEVEL - score, score - scale * levels * LEVEL], 1)

        return model

    return make


class Watched:
    """A model that keeps what it was shown; the images are told apart by their mean, as far as they are changed."""

    def __init__(self, model, images):
        self.model, self.means = model, images.mean((1, 2, 3))
        self.seen = torch.zeros(len(images), dtype=torch.int64)
        self.largest = 0

    def __call__(self, batch):
        nearest = (batch.mean((1, 2, 3))[:, None] - self.means).abs().argmin(1)
        self.seen += torch.bincount(nearest, minlength=len(self.seen))
        self.largest = max(self.largest, len(batch))
        return self.model(batch)


def never(batch):
    return torch.stack([batch.mean((1, 2, 3)) + 5, batch.mean((1, 2, 3))], 1)


@pytest.mark.parametrize("pairs", [12, 800])
def test_the_estimate_points_with_the_gradient_as_much_as_theory_says(weights, pairs):
    estimates = estimated_gradient(
        lambda which, tries: (tries * weights).sum((1, 2, 3)),
        GREY[:1].double().expand(20, -1, -1, -1),
        pairs=pairs,
        sigma=0.001,
        chance=torch.Generator().manual_seed(0),
        batch_size=500,
    ).flatten(1)
    true = weights.double().flatten()
    assert cosine_similarity(estimates, true[None]).mean() == pytest.approx((pairs / (pairs + VALUES)) ** 0.5, rel=0.1)
    assert (estimates @ true).mean() / true.square().sum() == pytest.approx(1, rel=0.1)  # unbiased


def test_an_estimate_belongs_to_its_own_point():
    points = torch.rand(5, 3, 2, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    slopes = torch.tensor([1.0, 0, -1, 0, 4], dtype=torch.float64)
    estimates = estimated_gradient(
        lambda which, tries: slopes[which] * (tries - points[which]).sum((1, 2, 3)),
        points,
        pairs=600,
        sigma=0.001,
        chance=torch.Generator().manual_seed(2),
        batch_size=7,
    )
    assert torch.allclose(estimates.mean((1, 2, 3)), slopes, rtol=0.2, atol=1e-9)


@pytest.mark.parametrize("loss", ["cross_entropy", "margin"])
def test_nes_steps_along_the_signs_of_the_gradient(linear, weights, loss):
    outcome = nes(linear(1.9), GREY, ZEROS, samples=4000, queries=4001, step_size=2 * LEVEL, loss=loss, batch_size=500)
    assert outcome.queries.tolist() == [4003] * 3
    assert outcome.fooled.all()
    agree = ((outcome.images - GREY).sign() == weights.sign()).flatten(1).float().mean(1)
    assert (agree > 0.97).all()
    assert torch.allclose((outcome.images - GREY).abs(), torch.tensor(2 * LEVEL), atol=1e-6)


def test_nes_succeeds_within_the_budget_and_not_beyond(linear):
    within = nes(linear(4), GREY, ZEROS, epsilon=8 * LEVEL)
    assert within.fooled.all()
    assert (within.images - GREY).abs().max() <= 8 * LEVEL + 1e-6
    assert (within.queries < 1000).all()
    beyond = nes(linear(8.6), GREY, ZEROS, epsilon=8 * LEVEL)
    assert not beyond.fooled.any()
    assert torch.equal(beyond.images, GREY)


def test_nes_finds_the_slope_of_a_model_so_sure_that_its_loss_is_nothing_in_single(linear):
    model = linear(4, scale=2000.0)
    assert torch.nn.functional.cross_entropy(model(GREY), ZEROS) == 0
    assert nes(model, GREY, ZEROS).fooled.all()


def test_momentum_makes_more_of_poor_estimates(linear):
    spent = [nes(linear(4), GREY, ZEROS, samples=10, momentum=momentum).queries.sum() for momentum in (0.0, 0.9)]
    assert spent[1] < 0.7 * spent[0]


@pytest.mark.parametrize(("queries", "used"), [(3, 3), (51, 51), (53, 51), (62, 62), (2000, 2000)])
def test_a_hopeless_model_costs_nes_its_queries_and_no_more(queries, used):
    images = torch.stack([torch.full((3, 4, 4), level * LEVEL) for level in (40, 120, 200)])
    model = Watched(never, images)
    outcome = nes(model, images, ZEROS, queries=queries, batch_size=16)
    assert outcome.queries.tolist() == model.seen.tolist() == [used + 2] * 3
    assert model.largest <= 16
    assert not outcome.fooled.any()
    assert torch.equal(outcome.images, images)


def test_nes_charges_each_image_what_the_model_saw_of_it():
    images = torch.stack([torch.full((3, 4, 4), level * LEVEL) for level in (40, 120, 200)])

    def model(batch):
        """Err on dark images from 4 levels up on, on middle ones never, on bright ones always."""
        mean = batch.mean((1, 2, 3))
        ahead = mean - torch.where(mean < 80 * LEVEL, 44, torch.where(mean < 160 * LEVEL, 180, 150)) * LEVEL
        return torch.stack([-ahead, ahead], 1)

    watched = Watched(model, images)
    outcome = nes(watched, images, ZEROS, queries=500, batch_size=16)
    assert outcome.queries.tolist() == watched.seen.tolist()
    assert outcome.fooled.tolist() == [True, False, True]
    assert 3 < outcome.queries[0] < 502
    assert outcome.queries[1:].tolist() == [502, 1]


def test_a_seed_decides_and_nothing_else(linear):
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(8)
        first = nes(linear(5), GREY, ZEROS, seed=1)
    assert torch.equal(first.images, nes(linear(5), GREY, ZEROS, seed=1).images)
    assert not torch.equal(first.images, nes(linear(5), GREY, ZEROS, seed=2).images)


def test_rays_finds_the_signs_of_the_weights_and_the_smallest_radius(linear, weights):
    outcome = rays(linear(6.4), GREY, ZEROS, epsilon=7 * LEVEL, queries=150)
    assert outcome.fooled.all()
    assert torch.allclose(outcome.images, GREY + 7 * LEVEL * weights.sign(), atol=1e-6)
    assert not rays(linear(6.4), GREY, ZEROS, epsilon=6 * LEVEL, queries=150).fooled.any()


@pytest.mark.parametrize(("epsilon", "fooled"), [(6.7 * LEVEL, True), (6.45 * LEVEL, False)])
def test_rays_counts_what_rounding_leaves(linear, epsilon, fooled):
    """A budget of 6.7 levels is 7 in eight bits, which reach 6.4; one of 6.45 is 6, which do not."""
    outcome = rays(linear(6.4), GREY[:1], ZEROS[:1], epsilon=epsilon, queries=150)
    assert outcome.fooled.tolist() == [fooled]
    assert (outcome.queries == 152) != fooled


def test_rays_stops_at_the_first_direction_within_the_budget(linear):
    spent = [rays(linear(6.4), GREY[:1], ZEROS[:1], epsilon=levels * LEVEL).queries.item() for levels in (80, 7)]
    assert spent[0] < 0.7 * spent[1]


def test_rays_looks_at_nothing_but_the_largest_logit(linear):
    chance = torch.Generator().manual_seed(3)
    plain = linear(6.4)

    def labels_alone(batch):
        factors = 0.01 + 100 * torch.rand(len(batch), 1, generator=chance)
        return factors * one_hot(plain(batch).argmax(1), 2)

    one, other = (rays(model, GREY, ZEROS, epsilon=7 * LEVEL) for model in (plain, labels_alone))
    assert torch.equal(one.images, other.images)
    assert torch.equal(one.queries, other.queries)


def test_rays_asks_of_each_image_what_it_would_ask_of_it_alone(linear, weights):
    """Of images that are 6.4 to 11.4 levels from the boundary."""
    images = GREY[:1] - LEVEL * torch.arange(6)[:, None, None, None] * weights.sign()
    labels = torch.zeros(6, dtype=torch.int64)
    together = Watched(linear(6.4), images)
    outcome = rays(together, images, labels, epsilon=12 * LEVEL, queries=150, batch_size=4)
    assert together.seen.sum() == outcome.queries.sum()
    assert together.largest <= 4
    assert len(outcome.queries.unique()) > 2
    for index in range(6):
        only = slice(index, index + 1)
        alone = Watched(linear(6.4), images[only])
        again = rays(alone, images[only], labels[only], epsilon=12 * LEVEL, queries=150)
        assert again.queries.tolist() == alone.seen.tolist() == outcome.queries[only].tolist()
        assert torch.equal(again.images, outcome.images[only])


@pytest.mark.parametrize("queries", [1, 30, 150])
def test_a_hopeless_model_costs_rays_its_queries_and_no_more(queries):
    model = Watched(never, GREY[:1])
    outcome = rays(model, GREY[:1], ZEROS[:1], queries=queries)
    assert outcome.queries.tolist() == model.seen.tolist() == [queries + 2]
    assert not outcome.fooled.any()
    assert torch.equal(outcome.images, GREY[:1])


@pytest.mark.parametrize("attack", [nes, rays])
def test_a_model_that_answers_otherwise_each_time_breaks_nothing(attack):
    chance = torch.Generator().manual_seed(4)

    def fickle(batch):
        return torch.tensor([[1.0, 0.0]]) + torch.randn(len(batch), 2, generator=chance) / 2

    images = GREY[:1].repeat(12, 1, 1, 1)
    outcome = attack(fickle, images, torch.zeros(12, dtype=torch.int64), queries=100)
    assert 0 < outcome.fooled.sum() < 12
    assert (outcome.queries <= 102).all()
    assert torch.equal(outcome.images[~outcome.fooled], images[~outcome.fooled])


@pytest.mark.parametrize("attack", [nes, rays])
def test_double_images_stay_double(attack, weights):
    def model(batch):
        score = ((batch - 128 / 255) * weights.double()).sum((1, 2, 3)) / weights.abs().sum()
        return torch.stack([2 * LEVEL - score, score - 2 * LEVEL], 1)

    outcome = attack(model, GREY.double(), ZEROS)
    assert outcome.fooled.all()
    assert outcome.images.dtype == torch.float64


@pytest.mark.parametrize(
    ("attack", "wrong", "message"),
    [
        (nes, {"queries": 2}, "3 queries or more"),
        (nes, {"samples": 7}, "even number of samples"),
        (nes, {"sigma": 0.0}, "positive sigma"),
        (nes, {"step_size": -0.1}, "step size"),
        (nes, {"momentum": 1.0}, "momentum in"),
        (nes, {"loss": "hinge"}, "got 'hinge'"),
        (rays, {"queries": 0}, "a query, a look"),
        (rays, {"tolerance": 0.0}, "positive tolerance"),
        (rays, {"epsilon": 0.0}, "positive budget"),
    ],
)
def test_senseless_arguments_are_refused(attack, wrong, message):
    with pytest.raises(ValueError, match=message):
        attack(never, GREY, ZEROS, **wrong)
