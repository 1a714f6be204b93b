"""Conventional attacks against models whose best answer is known in closed form."""

import pytest
import torch
from torch.nn.functional import cross_entropy
from torchattack import DIFGSM, FGSM, IFGSM, MIFGSM, PGD

from natadv.attacks.foreign import keep_what_fools
from natadv.attacks.library import bim, dim, fgsm, mim, pgd
from natadv.attacks.nim import nim
from natadv.attacks.pgd_margin import pgd_margin
from natadv.attacks.suite import setting
from natadv.attacks.tim import kernel_side, tim
from natadv.attacks.variants import smooth

SIDE = 12
LEVEL = 1 / 255


@pytest.fixture
def weights():
    """Of a linear model: its gradient has the same sign everywhere, +1 or -1."""
    return torch.randn(3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))


@pytest.fixture
def linear(weights):
    def model(batch):
        score = ((batch - 0.5) * weights).sum((1, 2, 3))
        return torch.stack([0.5 - score, score - 0.5], 1)

    return model


GREY = torch.full((3, 3, SIDE, SIDE), 128 / 255)
ZEROS = torch.zeros(3, dtype=torch.int64)


@pytest.mark.parametrize("attack", [fgsm, bim, mim, nim])
def test_against_a_linear_model_every_value_ends_at_the_budget(attack, linear, weights):
    outcome = attack(linear, GREY, ZEROS, epsilon=8 * LEVEL)
    assert outcome.fooled.all()
    assert torch.allclose(outcome.images, GREY + 8 * LEVEL * weights.sign(), atol=1e-6)


@pytest.mark.parametrize("attack", [pgd, pgd_margin])
def test_pgd_gets_there_from_anywhere(attack, linear, weights):
    outcome = attack(linear, GREY, ZEROS, epsilon=8 * LEVEL, seed=5)
    assert torch.allclose(outcome.images, GREY + 8 * LEVEL * weights.sign(), atol=1e-6)


def test_on_the_margin_it_climbs_where_cross_entropy_is_flat(linear):
    def sure(batch):
        return 1e4 * linear(batch)

    dark = torch.zeros_like(GREY)
    assert not pgd(sure, GREY, ZEROS, epsilon=8 * LEVEL).fooled.any()
    assert pgd_margin(sure, GREY, ZEROS, epsilon=8 * LEVEL).fooled.all()
    assert pgd_margin(sure, dark, ZEROS, epsilon=LEVEL).images.min() >= 0


def test_on_the_margin_it_takes_a_step_at_least(linear):
    with pytest.raises(ValueError, match="one step or more"):
        pgd_margin(linear, GREY, ZEROS, steps=0)


def test_passes_are_a_step_each_and_two_looks(linear):
    outcome = bim(linear, GREY, ZEROS, steps=7)
    assert outcome.queries.tolist() == [9] * 3
    assert outcome.gradients.tolist() == [7] * 3


def test_a_success_that_rounding_undoes_is_none():
    def knife_edge(batch):
        shift = batch.mean((1, 2, 3)) - 128 / 255
        return torch.stack([0.2 * LEVEL - shift, shift - 0.2 * LEVEL], 1)

    outcome = fgsm(knife_edge, GREY, ZEROS, epsilon=0.4 * LEVEL)
    assert not outcome.fooled.any()
    assert torch.equal(outcome.images, GREY)


def test_tim_moves_whole_regions_one_way(linear):
    images = torch.full((1, 3, 64, 64), 128 / 255)
    weights = torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(0))

    def model(batch):
        score = ((batch - 0.5) * weights).sum((1, 2, 3))
        return torch.stack([0.5 - score, score - 0.5], 1)

    def roughness(attack, **options):
        change = attack(model, images, ZEROS[:1], **options).images - images
        return (change.diff(dim=-1).abs().mean() / change.abs().mean()).item()

    assert roughness(tim, kernel_px=9) < 0.6 * roughness(mim)


@pytest.mark.parametrize(("side", "kernel"), [(299, 15), (224, 11), (160, 9), (64, 3), (32, 3)])
def test_tims_kernel_is_to_the_image_as_in_the_paper(side, kernel):
    assert kernel_side(side) == kernel


@pytest.mark.parametrize(
    ("attack", "side", "ahead", "width_px", "decay"), [(nim, 4, 1, 1, 1.0), (tim, 6, 0, 3, 1.0), (tim, 6, 0, 3, 0.0)]
)
def test_momentum_follows_the_papers_equations(attack, side, ahead, width_px, decay):
    """Lin's and Dong's: against steps by hand on a bent model, judged by a target that any change fools."""
    rng = torch.Generator().manual_seed(4)
    images = torch.randint(60, 190, (1, 3, side, side), generator=rng) / 255
    mixing = torch.randn(2, images.numel(), generator=rng)

    def bent(batch):
        return torch.tanh(8 * (batch.flatten(1) - 0.5)) @ mixing.T

    def touchy(batch):
        changed = (batch != images).flatten(1).any(1).float()
        return torch.stack([0.5 - changed, changed - 0.5], 1)

    epsilon, steps = 60 * LEVEL, 4
    found, momentum = images, torch.zeros_like(images)
    for _ in range(steps):
        seen = (found + ahead * epsilon / steps * momentum).requires_grad_()
        (gradient,) = torch.autograd.grad(cross_entropy(bent(seen), ZEROS[:1]), seen)
        if width_px > 1:
            gradient = smooth(gradient, width_px=width_px)
        momentum = decay * momentum + gradient / gradient.abs().mean()
        found = (found + epsilon / steps * momentum.sign()).clamp(0, 1).detach()
    outcome = attack(touchy, images, ZEROS[:1], epsilon=epsilon, steps=steps, decay=decay, surrogate=bent)
    assert torch.allclose(outcome.images, (found * 255).round() / 255)
    assert len((outcome.images - images).abs().round(decimals=3).unique()) > 1  # some turned back on the way


@pytest.mark.parametrize("attack", [pgd, pgd_margin, dim])
def test_another_seed_is_another_attack(attack, linear):
    def bent(batch):
        return linear(torch.tanh(5 * (batch - 0.5)) + 0.5)

    outcomes = [attack(bent, GREY, ZEROS, steps=2, step_size=3 * LEVEL, seed=seed).images for seed in (1, 2)]
    assert not torch.equal(*outcomes)


def test_dim_refuses_what_it_would_make_square(linear):
    with pytest.raises(ValueError, match="square images, got 12x10 px"):
        dim(linear, GREY[:, :, :10], ZEROS)


def test_an_attack_that_leaves_its_budget_is_found_out(linear):
    def greedy(model, clean, targets):
        return clean + 9 * LEVEL

    with pytest.raises(RuntimeError, match="its budget is"):
        keep_what_fools(greedy, linear, GREY, ZEROS, epsilon=8 * LEVEL, surrogate=None, seed=0, batch_size=2)


@pytest.mark.parametrize(
    ("ours", "library", "options"),
    [
        (fgsm, FGSM, {}),
        (bim, IFGSM, {"steps": 5}),
        (pgd, PGD, {"steps": 5, "alpha": 2 * LEVEL}),
        (mim, MIFGSM, {"steps": 5}),
        (dim, DIFGSM, {"steps": 5, "diversity_prob": 0.5}),
    ],
)
def test_the_library_called_directly_fools_the_same_images(ours, library, options):
    rng = torch.Generator().manual_seed(8)
    images = torch.randint(0, 256, (40, 3, 16, 16), generator=rng) / 255
    mixing = torch.randn(5, 3 * 256, generator=rng)

    def model(batch):
        return 3 * torch.tanh(4 * (batch.flatten(1) - 0.5)) @ mixing.T

    labels = model(images).argmax(1)
    ours_of = {"alpha": "step_size", "diversity_prob": "probability"}
    named = {ours_of.get(name, name): value for name, value in options.items()}
    outcome = ours(model, images, labels, epsilon=2 * LEVEL, batch_size=40, **named)
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(0)
        found = library(model, device=images.device, eps=2 * LEVEL, **options)(images, labels)
    found = (found.detach() * 255).round() / 255
    fooled = model(found).argmax(1) != labels
    assert torch.equal(outcome.fooled, fooled)
    assert torch.equal(outcome.images[fooled], found[fooled])
    assert 0 < int(fooled.sum()) < 40


def test_the_bench_lets_nim_look_ahead_no_further_than_its_budget_again():
    """Where all slopes are alike; 40 steps of 2/255 looked 88 levels away, and NIM did less than FGSM on signs."""
    furthest = []

    def stubborn(batch):
        furthest.append((batch - GREY[:1]).abs().max().item())
        brightness = batch.mean((1, 2, 3))
        return torch.stack([torch.full_like(brightness, 3.0), brightness], 1)

    nim_of_bench = setting("nim")
    assert not nim_of_bench(stubborn, GREY[:1], ZEROS[:1]).fooled.any()
    assert max(furthest) == pytest.approx(1.8 * nim_of_bench.epsilon, abs=1e-5)


@pytest.mark.parametrize(
    ("images", "epsilon", "said"),
    [
        (GREY, float("nan"), "got nan"),
        (GREY, 8.0, "got 8.0"),
        (255 * GREY, 8 * LEVEL, "to 128"),
        (GREY - 1, 0.1, "from -0"),
    ],
)
def test_what_is_not_in_0_to_1_is_refused(images, epsilon, said, linear):
    with pytest.raises(ValueError, match=said):
        fgsm(linear, images, ZEROS, epsilon=epsilon)
