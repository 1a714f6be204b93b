"""AdvRD on a classifier whose best drops are known, and against the algorithm's plain loops."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from benchmarks.advrd_loop import advrd_loop
from natadv.attacks.advrd import advrd
from natadv.attacks.success import lead, rounded
from natadv.attacks.variants import accumulate, resize_and_pad, smooth
from natadv.images import read_image, write_image
from tests.toy_attack import SLOPE, Stripes, Veil, Weighing, bias_for, grey, small_net

RISE = sum(map(abs, SLOPE))  # of logit 1, for every entry moved by 1


def zeros(images, restarts=1, d=4):
    return torch.zeros(images, restarts, d, dtype=torch.float64)


def labels(count):
    return torch.zeros(count, dtype=torch.int64)


def test_every_entry_moves_by_one_step_until_the_predicted_one_fools():
    # After t - 1 updates of 0.2 the lead is -2 + (t - 1) * 0.2 * 3.75: positive from the fourth check on.
    model = Weighing(bias_for(-2))
    got = advrd(model, grey(1), labels(1), generator=Stripes().eval(), starts=zeros(1), steps=6, step_size=0.2)
    assert got.fooled.all()
    assert torch.allclose(got.latents[0], 0.6 * torch.tensor(SLOPE, dtype=torch.float64).sign())
    assert got.gradients.tolist() == [3]
    assert got.queries.tolist() == [5]  # four checks, and the 8-bit form of the last
    assert torch.equal(got.images, rounded(grey(1) + 0.1 * got.latents[:, None, :, None]))


def test_the_code_after_the_last_update_is_not_looked_at():
    # The lead is -2, -1.25, -0.5 at the three checks; a fourth would fool.
    model = Weighing(bias_for(-2))
    got = advrd(model, grey(1), labels(1), generator=Stripes().eval(), starts=zeros(1), steps=3, step_size=0.2)
    assert not got.fooled.any()
    assert got.gradients.tolist() == [2]
    assert got.queries.tolist() == [3]
    assert torch.equal(got.images, rounded(grey(1)))
    assert torch.allclose(got.latents[0].abs(), torch.full((4,), 0.4, dtype=torch.float64))


def test_an_image_that_only_its_float_form_makes_wrong_is_not_fooled():
    # A lead of 0.001 in floats is lost when 0.5 becomes 128 / 255 in row 1, whose slope is negative.
    slope = (0.0, -2.0, 0.0, 0.0)
    model = Weighing(0.001 + 2 * 5.0, slope)
    got = advrd(model, grey(1), labels(1), generator=Stripes().eval(), starts=zeros(1), steps=1)
    assert lead(model(grey(1)), labels(1)) > 0
    assert not got.fooled.any()
    assert got.queries.tolist() == [2]


def test_finished_images_cost_no_further_pass():
    # Image 0 is fooled at once, image 1 at its third check, image 2 never: 20 checks of it and no more.
    images = grey(3)
    images[0, :, 0] += 0.3
    images[2, :, 0] -= 0.4
    model = Weighing(bias_for(-1.2))
    got = advrd(
        model, images, labels(3), generator=Stripes().eval(), starts=zeros(3, 5), steps=4, step_size=0.2, batch_size=3
    )
    assert got.fooled.tolist() == [True, True, False]
    assert got.queries[0] == 2
    # Image 1's other restarts wait until its first has failed, which it does not.
    assert got.queries.tolist()[1:] == [4, 20]
    assert got.gradients.tolist() == [0, 2, 15]
    assert model.rows == got.queries.sum()


def test_a_batch_of_one_costs_what_the_plain_loop_costs():
    model, reference = Weighing(bias_for(-2)), Weighing(bias_for(-2))
    starts = torch.randn(6, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    settings_ = {"generator": Stripes().eval(), "starts": starts, "steps": 3, "step_size": 0.1}
    got = advrd(model, grey(6), labels(6), batch_size=1, **settings_)
    assert torch.equal(got.fooled, advrd_loop(reference, grey(6), labels(6), **settings_))
    assert model.rows == reference.rows
    assert 0 < got.fooled.sum() < 6


@settings(max_examples=10)
@given(seed=st.integers(0, 10**6), batch_size=st.integers(1, 12))
def test_the_same_images_are_fooled_as_by_the_plain_loops(seed, batch_size):
    model, generator = small_net(seed)
    images = torch.rand(5, 3, 6, 6, dtype=torch.float64)
    starts = torch.randn(5, 2, 5, dtype=torch.float64)
    target = model(images).argmax(1).detach()
    settings_ = {"generator": generator, "starts": starts, "steps": 4, "step_size": 0.1}
    got = advrd(model, images, target, batch_size=batch_size, **settings_)
    assert torch.equal(got.fooled, advrd_loop(model, images, target, **settings_))
    assert (lead(model(got.images), target)[got.fooled] > 0).all()
    assert torch.equal(got.images[~got.fooled], rounded(images)[~got.fooled])
    again = rounded(generator(images, got.latents).clamp(0, 1))
    assert torch.equal(again[got.fooled], got.images[got.fooled])


def test_what_fools_still_does_when_read_again_from_a_png(tmp_path):
    model, generator = small_net(2)
    images = torch.rand(12, 3, 6, 6, dtype=torch.float64)
    target = model(images).argmax(1).detach()
    got = advrd(model, images, target, generator=generator, starts=torch.randn(12, 4, 5, dtype=torch.float64))
    assert got.fooled.sum() > 3
    for index in got.fooled.nonzero()[:, 0]:
        write_image(tmp_path / "a.png", (got.images[index] * 255).round().byte().permute(1, 2, 0).numpy())
        again = torch.from_numpy(read_image(tmp_path / "a.png")).permute(2, 0, 1)[None].double() / 255
        assert model(again).argmax(1) != target[index]


def test_codes_stay_within_the_radius_their_starts_too():
    starts = 3 * torch.tensor(SLOPE, dtype=torch.float64).expand(4, 2, 4)
    for steps in (1, 5):
        got = advrd(
            Weighing(bias_for(-90)),
            grey(4),
            labels(4),
            generator=Stripes().eval(),
            starts=starts,
            radius=0.5,
            steps=steps,
        )
        assert torch.allclose(got.latents.norm(dim=1), torch.tensor(0.5, dtype=torch.float64))


def test_momentum_carries_on_where_the_gradient_turns():
    velocity = torch.tensor([[0.5, -0.5]])
    assert torch.allclose(accumulate(velocity, torch.tensor([[-1.0, 3.0]]), 1.0), torch.tensor([[0.25, 0.25]]))
    assert torch.equal(accumulate(velocity, torch.zeros(1, 2), 0.5), velocity / 2)


def test_momentum_takes_the_signs_of_its_sum():
    class Turning(nn.Module):
        """A generator that flips the sign of its effect past 0.15."""

        latent_dim = 1

        def forward(self, images, z):
            return images + 0.1 * torch.where(z < 0.15, z, 0.3 - z)[:, :, None, None]

    starts = torch.zeros(1, 1, 1, dtype=torch.float64)
    ends = {
        decay: advrd(
            Weighing(-99.0, (1.0, 1.0, 1.0, 1.0)),
            grey(1),
            labels(1),
            generator=Turning().eval(),
            starts=starts,
            steps=5,
            step_size=0.1,
            momentum=decay,
        ).latents.item()
        for decay in (0.0, 1.0)
    }
    assert ends[0.0] == pytest.approx(0.2)  # 0.1, 0.2, 0.1, 0.2
    assert ends[1.0] == pytest.approx(0.3)  # sums 1, 2, 1, 0: up, up, up, still


def test_diversity_is_seen_by_the_gradient_and_not_by_the_check():
    def mirrored(batch):
        return batch.flip(2)

    model = Weighing(bias_for(-9))
    got = advrd(
        model,
        grey(1),
        labels(1),
        generator=Stripes().eval(),
        starts=zeros(1),
        steps=3,
        step_size=0.1,
        diversity=mirrored,
    )
    assert torch.allclose(got.latents[0], 0.2 * torch.tensor(SLOPE[::-1], dtype=torch.float64).sign())
    assert got.queries.tolist() == [5]  # three checks, two gradients
    assert model.rows == 5


def test_translation_acts_where_the_gradient_leaves_the_classifier():
    def shifted(gradient):
        return gradient.roll(1, 2)

    got = advrd(
        Weighing(bias_for(-9)),
        grey(1),
        labels(1),
        generator=Stripes().eval(),
        starts=zeros(1),
        steps=2,
        step_size=0.1,
        translation=shifted,
    )
    assert torch.allclose(got.latents[0], 0.1 * torch.tensor(SLOPE, dtype=torch.float64).roll(1).sign())


def test_resized_images_keep_their_pixels_within_a_black_frame():
    white = torch.ones(200, 3, 20, 30)
    rng = torch.Generator().manual_seed(0)
    got = resize_and_pad(white, probability=0.5, rng=rng, smallest=0.5)
    sizes = set()
    for image in got:
        rows, columns = (np.flatnonzero(image[0].amax(axis).numpy()) for axis in (1, 0))
        height, width = len(rows), len(columns)
        assert torch.allclose(image[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], torch.tensor(1.0))
        assert image.sum() == pytest.approx(3 * height * width)
        assert 10 <= height <= 20
        assert abs(width - 1.5 * height) <= 1
        sizes.add((height, width))
    assert len(sizes) > 5
    assert 70 < sum(bool((image == 1).all()) for image in got) < 130
    assert torch.equal(resize_and_pad(white, probability=0.0, rng=rng), white)


def test_smoothing_is_the_mean_over_shifted_gradients():
    point = torch.zeros(1, 3, 11, 9)
    point[0, 1, 5, 4] = 2.0
    got = smooth(point, width_px=5)
    weights = torch.exp(-1.5 * (torch.arange(-2, 3) / 2) ** 2)
    weights = weights / weights.sum()
    assert torch.allclose(got[0, 1, 3:8, 2:7], 2 * weights[:, None] * weights[None, :])
    assert got.sum() == pytest.approx(2.0)
    assert got[0, [0, 2]].abs().sum() == 0
    assert torch.equal(smooth(point, width_px=1), point)


def test_all_variants_together_still_give_honest_images():
    model, generator = small_net(7)
    images = torch.rand(6, 3, 6, 6, dtype=torch.float64)
    target = model(images).argmax(1).detach()
    rng = torch.Generator().manual_seed(0)
    got = advrd(
        model,
        images,
        target,
        generator=generator,
        starts=torch.randn(6, 3, 5, dtype=torch.float64),
        momentum=1.0,
        diversity=partial(resize_and_pad, probability=0.5, rng=rng),
        translation=partial(smooth, width_px=3),
    )
    assert 0 < got.fooled.sum() < 6
    assert torch.equal(lead(model(got.images), target) > 0, got.fooled)


def test_weights_and_modes_come_back_as_they_were_and_progress_is_told():
    model, generator = small_net(2)
    model[0].bias.requires_grad_(False)
    before = [weight.requires_grad for weight in model.parameters()]
    told = []
    images = torch.rand(5, 3, 6, 6, dtype=torch.float64)
    starts = torch.randn(5, 2, 5, dtype=torch.float64)
    with torch.no_grad():
        target = model(images).argmax(1)
        advrd(
            model, images, target, generator=generator, starts=starts, batch_size=2, progress=lambda *n: told.append(n)
        )
    assert [weight.requires_grad for weight in model.parameters()] == before
    assert all(weight.grad is None for weight in (*model.parameters(), *generator.parameters()))
    assert told == sorted(told)
    assert told[-1] == (5, 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": grey(2)[:, 0]}, r"expected float images \(n, 3, h, w\)"),
        ({"images": grey(2) + 1}, r"within \[0, 1\]"),
        ({"images": grey(2) * torch.nan}, r"within \[0, 1\]"),
        ({"labels": labels(3)}, r"expected int64 labels \(2,\)"),
        ({"starts": zeros(2, 0)}, "at least one restart"),
        ({"starts": zeros(2, 1, 7)}, r"expected starts \(2, restarts, 4\)"),
        ({"starts": zeros(2) * torch.nan}, "finite starts"),
        ({"steps": 0}, "positive steps"),
        ({"step_size": 0.0}, "positive steps"),
        ({"step_size": float("nan")}, "positive steps"),
        ({"radius": 0.0}, "positive steps, step_size and radius"),
        ({"radius": float("nan")}, "positive steps, step_size and radius"),
        ({"momentum": -1.0}, "momentum of at least 0"),
        ({"batch_size": 0}, "positive batch size"),
        ({"model": Weighing(0.0).train()}, "training mode"),
        ({"generator": Stripes().train()}, "training mode"),
        ({"model": lambda batch: torch.full((len(batch), 2), torch.nan)}, "NaN"),
        ({"model": lambda batch: torch.tensor([[1.0, 0.0]]).expand(len(batch), 2)}, "take advrd_black_box"),
        ({"model": lambda batch: batch.mean((1, 2, 3))}, r"expected scores \(2, classes\)"),
    ],
)
def test_wrong_arguments(change, message):
    given_ = {
        "model": Weighing(bias_for(-2)),
        "images": grey(2),
        "labels": labels(2),
        "generator": Stripes().eval(),
        "starts": zeros(2),
    } | change
    with pytest.raises(ValueError, match=message):
        advrd(given_.pop("model"), given_.pop("images"), given_.pop("labels"), **given_)


def test_a_generator_that_changes_the_size_is_refused():
    class Cropping(Veil):
        def forward(self, images, z):
            return super().forward(images, z)[..., 1:]

    model, _ = small_net(0)
    with pytest.raises(ValueError, match="the generator gave"):
        advrd(
            model,
            torch.rand(2, 3, 6, 6, dtype=torch.float64),
            labels(2),
            generator=Cropping().double().eval(),
            starts=zeros(2, 1, 5),
        )


@pytest.mark.parametrize("options", [{"width_px": 4}, {"width_px": 0}, {"width_px": 11}])
def test_a_kernel_that_does_not_fit_is_refused(options):
    with pytest.raises(ValueError, match="odd width"):
        smooth(torch.zeros(1, 3, 9, 12), **options)


@pytest.mark.parametrize("options", [{"probability": 1.1}, {"probability": 0.5, "smallest": 0.0}])
def test_shares_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=r"within 0\.\.1"):
        resize_and_pad(torch.zeros(1, 3, 9, 12), rng=torch.Generator(), **options)
