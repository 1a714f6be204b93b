"""Repairs of a model that really is backdoored: what they change, what they keep, and what they must not touch."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from natadv.backdoors.measure import measure, predictions
from natadv.backdoors.repair.fine_pruning import _parted, fine_prune
from natadv.backdoors.repair.fine_tuning import fine_tune
from natadv.backdoors.repair.pruning import channel_activations, prune_channels, prune_weights
from natadv.backdoors.repair.weights import pruned_share, weighted_layers
from natadv.batches import to_batch
from natadv.campaign.backdoor_repair import Repair, _helped
from natadv.evaluation.rates import Rate
from natadv.training.pictures import Pictures

CPU = torch.device("cpu")


def state(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def test_the_victim_is_really_backdoored(backdoored):
    found = measure(backdoored.model, backdoored.test, backdoored.poisoning, CPU)
    assert found.accuracy.value > 0.9
    assert found.success.value > 0.9
    assert found.to_target.value < 0.1


def test_fine_tuning_moves_a_copy_by_its_seed_and_leaves_the_model(backdoored):
    before, chance = state(backdoored.model), torch.random.get_rng_state()
    seen = []

    def note(epoch, model):
        seen.append((epoch, model.training, float(model.backbone.head.weight.detach().norm())))

    tuned = fine_tune(backdoored.model, backdoored.clean, epochs=2, seed=3, device=CPU, after_epoch=note)
    again = fine_tune(backdoored.model, backdoored.clean, epochs=2, seed=3, device=CPU)
    other = fine_tune(backdoored.model, backdoored.clean, epochs=2, seed=4, device=CPU)
    assert [epoch for epoch, _, _ in seen] == [0, 1, 2]
    assert not any(training for _, training, _ in seen)
    assert seen[0][2] == float(before["backbone.head.weight"].norm())
    assert seen[1][2] != seen[0][2]
    assert same(before, state(backdoored.model))
    assert same(state(tuned), state(again))
    assert not same(state(tuned), state(other))
    assert not same(before, state(tuned))
    assert torch.equal(chance, torch.random.get_rng_state())


def test_fine_tuning_hard_enough_takes_this_backdoor_out_and_costs_accuracy(backdoored):
    # A rate at which it works by far, on any processor: at a quarter of it one may be left with all of the backdoor.
    tuned = fine_tune(backdoored.model, backdoored.clean, epochs=20, learning_rate=0.2, device=CPU)
    found = measure(tuned, backdoored.test, backdoored.poisoning, CPU)
    before = measure(backdoored.model, backdoored.test, backdoored.poisoning, CPU)
    assert found.success.value < before.success.value - 0.5
    assert found.accuracy.value > 0.6


@pytest.mark.parametrize("bad", [{"epochs": -1}, {"batch_size": 1}, {"learning_rate": 0.0}])
def test_fine_tuning_refuses_what_makes_no_sense(backdoored, bad):
    with pytest.raises(ValueError, match="expected two pictures"):
        fine_tune(backdoored.model, backdoored.clean, device=CPU, **bad)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 1.0])
def test_exactly_the_share_of_least_weights_is_zero(backdoored, share):
    pruned = prune_weights(backdoored.model, share)
    weights = torch.cat([layer.weight.flatten() for layer in weighted_layers(backdoored.model)])
    after = torch.cat([layer.weight.flatten() for layer in weighted_layers(pruned)])
    assert int((after == 0).sum()) == round(share * len(weights))
    assert pruned_share(pruned) == pytest.approx(share, abs=1 / len(weights))
    assert torch.equal(after[after != 0], weights[after != 0])
    if 0 < share < 1:
        assert weights[after == 0].abs().max() <= weights[after != 0].abs().min()
    assert pruned_share(backdoored.model) == 0


def test_of_equal_weights_no_more_than_the_share_goes():
    model = nn.Linear(10, 10)
    nn.init.ones_(model.weight)
    assert int((prune_weights(model, 0.37).weight == 0).sum()) == 37
    assert pruned_share(prune_weights(prune_weights(model, 0.3), 0.5)) == 0.5


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_out_of_range_is_refused(backdoored, share):
    with pytest.raises(ValueError, match=r"share in 0\.\.1"):
        prune_weights(backdoored.model, share)
    with pytest.raises(ValueError, match=r"share in 0\.\.1"):
        prune_channels(backdoored.model, backdoored.clean, share, device=CPU)


def test_pruned_weights_stay_pruned_while_the_others_learn(backdoored):
    pruned = prune_weights(backdoored.model, 0.5)
    tuned = fine_tune(pruned, backdoored.clean, epochs=2, learning_rate=1e-2, device=CPU)
    for before, after in zip(weighted_layers(pruned), weighted_layers(tuned), strict=True):
        assert torch.equal(before.weight == 0, after.weight == 0)
    assert not same(state(pruned), state(tuned))


class Silenced(nn.Module):
    """The model with channels of its last map set to 0, as Liu et al. do it."""

    def __init__(self, model, channels):
        super().__init__()
        self.model = copy.deepcopy(model)
        self.channels = channels
        self.model.backbone.stages.register_forward_hook(self.silence)

    def silence(self, _module, _inputs, output):
        output = output.clone()
        output[:, self.channels] = 0
        return output

    def forward(self, batch):
        return self.model(batch)


def test_pruned_channels_are_the_least_activated_and_as_good_as_silent(backdoored):
    pruned = prune_channels(backdoored.model, backdoored.clean, 0.25, device=CPU)
    activations = channel_activations(backdoored.model, backdoored.clean, CPU)
    deaf = (pruned.backbone.head.weight == 0).all(0)
    assert int(deaf.sum()) == round(0.25 * len(activations))
    assert activations[deaf].max() <= activations[~deaf].min()
    batch = to_batch(backdoored.test.images[:16], CPU)
    with torch.no_grad():
        expected = Silenced(backdoored.model, deaf)(batch)
        assert torch.allclose(pruned(batch), expected, atol=1e-5)
        assert not torch.allclose(backdoored.model(batch), expected, atol=1e-3)


class Flattened(nn.Module):
    """A map that a linear layer takes in place by place."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1, bias=False)
        self.conv.weight.data = torch.eye(3)[:, :, None, None]
        self.head = nn.Linear(3 * 4 * 4, 2)

    def forward(self, batch):
        return self.head(torch.relu(self.conv(batch)).flatten(1))


def test_channels_before_a_flattened_map_are_pruned_at_all_their_places():
    images = np.full((4, 4, 4, 3), (200, 10, 100), np.uint8)
    pruned = prune_channels(Flattened(), Pictures(images, np.zeros(4, np.int64)), 1 / 3, device=CPU)
    assert (pruned.head.weight == 0).all(0).view(3, 16).all(1).tolist() == [False, True, False]


def test_a_map_that_nothing_takes_in_is_an_error(backdoored):
    model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(ValueError, match="no layer takes the last map"):
        prune_channels(model, backdoored.clean, 0.5, device=CPU)


@pytest.mark.parametrize("how", ["weights", "channels"])
def test_pruning_stops_before_accuracy_falls_too_far(backdoored, how):
    before = state(backdoored.model)
    result = fine_prune(backdoored.model, backdoored.clean, how=how, most_drop=0.1, epochs=2, device=CPU)
    assert same(before, state(backdoored.model))
    shares = [share for share, _ in result.accuracies]
    first = result.accuracies[0][1]
    assert shares[0] == 0
    assert result.accuracies[-1][1].value < first.value - 0.1
    assert all(rate.value >= first.value - 0.1 for _, rate in result.accuracies[:-1])
    assert result.share == shares[-2] > 0
    assert first.total == result.after.total < len(backdoored.clean) / 2
    if how == "weights":
        assert pruned_share(result.model) == pytest.approx(result.share, abs=1e-4)


def test_frames_of_one_thing_are_all_held_back_or_all_learnt_from(backdoored):
    clean = replace(backdoored.clean, kin=tuple(f"{t} {n % 4}" for n, t in enumerate(backdoored.clean.targets)))
    learnt, judge = _parted(clean, 0)
    assert not set(learnt.kin) & set(judge.kin)
    assert set(judge.targets.tolist()) == set(clean.targets.tolist())
    assert len(learnt) + len(judge) == len(clean)
    assert len(set(judge.kin)) * 3 < len(set(clean.kin)) + 3 * 6


def test_a_share_that_is_given_is_pruned_whatever_it_costs(backdoored):
    result = fine_prune(backdoored.model, backdoored.clean, how="weights", share=0.9, epochs=0, device=CPU)
    assert result.share == 0.9
    assert pruned_share(result.model) == pytest.approx(0.9, abs=1e-4)
    assert result.learnt_from == len(backdoored.clean)  # nothing is held back: nobody asks how far
    assert result.accuracies == ()
    assert result.after is None
    with pytest.raises(ValueError, match="expected a drop"):
        fine_prune(backdoored.model, backdoored.clean, how="weights", most_drop=1.0, device=CPU)


def test_predictions_of_a_pruned_model_are_of_its_own(backdoored):
    ruined = prune_weights(backdoored.model, 1.0)
    assert len(set(predictions(ruined, backdoored.test.images, CPU).tolist())) == 1


@pytest.mark.parametrize(
    ("hits", "prune", "said"),
    [
        ((90, 80, 30, 30), None, "lost more than half"),
        ((90, 80, 85, 85), None, "did not take the backdoor out; --how fine-pruning may; training anew"),
        (
            (90, 50, 75, 75),
            "channels",
            "the backdoor out; after epoch 1 there was less of it, see --epochs",
        ),
        ((0, 0, 0), None, "hardly worked to begin with"),
    ],
)
def test_a_repair_says_whether_it_helped(hits, prune, said):
    asked = Repair(prune, None, 0.04, 0.1, 2, 1e-3, 0)
    assert said in _helped([Rate(hit, 100) for hit in hits], asked)
