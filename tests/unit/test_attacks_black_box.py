"""AdvRD without gradients: the first natural sample that fools, and exactly what finding it cost."""

import itertools

import pytest
import torch

from natadv.attacks.advrd_black_box import advrd_black_box
from natadv.attacks.success import lead, rounded
from tests.toy_attack import SLOPE, Stripes, Weighing, bias_for, grey, small_net


def labels(count):
    return torch.zeros(count, dtype=torch.int64)


def samples(places, count):
    """Codes of which for each image the one at its place alone is worth 1, the others nothing."""
    starts = torch.zeros(len(places), count, 4, dtype=torch.float64)
    for image, place in enumerate(places):
        if place is not None:
            starts[image, place] = torch.tensor(SLOPE).sign() / sum(map(abs, SLOPE))
    return starts


@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_queries_are_the_place_of_the_first_that_fools(batch_size):
    model = Weighing(bias_for(-0.5))
    starts = samples([0, 3, None, 1], 4)
    starts[3, 3] = starts[3, 1] * 2
    got = advrd_black_box(model, grey(4), labels(4), generator=Stripes().eval(), starts=starts, batch_size=batch_size)
    assert got.fooled.tolist() == [True, True, False, True]
    assert got.queries.tolist() == [1, 4, 4, 2]
    assert got.gradients.tolist() == [0, 0, 0, 0]
    assert model.rows == 11
    assert torch.equal(got.latents[3], starts[3, 1])
    assert torch.equal(got.images[2], rounded(grey(1))[0])
    assert (lead(model(got.images), labels(4)) > 0).tolist() == got.fooled.tolist()


def test_more_samples_never_undo_a_success():
    model, generator = small_net(1)
    images = torch.rand(10, 3, 6, 6, dtype=torch.float64)
    with torch.no_grad():
        target = model(images).argmax(1)
    starts = torch.randn(10, 12, 5, dtype=torch.float64)
    runs = [advrd_black_box(model, images, target, generator=generator, starts=starts[:, :n]) for n in range(1, 13)]
    for fewer, more in itertools.pairwise(runs):
        assert (more.fooled >= fewer.fooled).all()
        assert torch.equal(more.queries[fewer.fooled], fewer.queries[fewer.fooled])
        assert torch.equal(more.images[fewer.fooled], fewer.images[fewer.fooled])
    assert 0 < runs[0].fooled.sum() < runs[-1].fooled.sum()


def test_probabilities_do_as_well_as_logits_and_a_margin_is_kept():
    model = Weighing(bias_for(-0.5))
    starts = samples([1, None], 2)

    def probabilities(batch):
        return model(batch).softmax(1)

    got = advrd_black_box(probabilities, grey(2), labels(2), generator=Stripes().eval(), starts=starts)
    assert got.queries.tolist() == [2, 2]
    assert got.fooled.tolist() == [True, False]
    strict = advrd_black_box(probabilities, grey(2), labels(2), generator=Stripes().eval(), starts=starts, margin=0.9)
    assert not strict.fooled.any()


def test_progress_reaches_all_images():
    told = []
    advrd_black_box(
        Weighing(bias_for(-0.5)),
        grey(3),
        labels(3),
        generator=Stripes().eval(),
        starts=samples([0, 1, None], 3),
        progress=lambda *n: told.append(n),
    )
    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"starts": torch.zeros(2, 0, 4)}, "at least one restart"),
        ({"batch_size": 0}, "positive batch size"),
        ({"model": lambda batch: torch.full((len(batch), 2), torch.nan)}, "NaN"),
        ({"model": Weighing(0.0).train()}, "training mode"),
    ],
)
def test_wrong_arguments(change, message):
    given = {
        "model": Weighing(0.0),
        "images": grey(2),
        "labels": labels(2),
        "generator": Stripes().eval(),
        "starts": torch.zeros(2, 1, 4, dtype=torch.float64),
    } | change
    with pytest.raises(ValueError, match=message):
        advrd_black_box(given.pop("model"), given.pop("images"), given.pop("labels"), **given)
