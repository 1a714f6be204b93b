import pytest
import torch
from torch import Tensor, nn

from natadv.errors import ConfigError
from natadv.training.adversarial import Adversary
from natadv.training.generators import open_generator


class _Brightening:
    """Adds the code's first number to the picture's red."""

    latent_dim = 2

    def __call__(self, images: Tensor, z: Tensor) -> Tensor:
        shift = torch.zeros_like(images)
        shift[:, 0] = z[:, 0, None, None] * 0.1
        return images + shift


class _Redness(nn.Module):
    """Two classes: the redder the picture, the surer the second."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def forward(self, batch: Tensor) -> Tensor:
        red = self.norm(batch)[:, 0].mean((1, 2))
        return torch.stack([-red, red], 1)


def _batch(count: int = 8) -> tuple[Tensor, Tensor]:
    return torch.full((count, 3, 4, 4), 0.5), torch.zeros(count, dtype=torch.int64)


def test_about_the_share_is_attacked_and_the_rest_stays() -> None:
    batch, targets = _batch(400)
    model = _Redness().eval()
    wet = Adversary([_Brightening()], share=0.5)(model, batch, targets, torch.Generator().manual_seed(0))
    changed = (wet != batch).flatten(1).any(1)
    assert 160 < int(changed.sum()) < 240


def test_it_climbs_the_loss_and_keeps_the_worst() -> None:
    batch, targets = _batch()
    model = _Redness().eval()
    sampled = Adversary([_Brightening()], share=1.0, steps=0)
    climbed = Adversary([_Brightening()], share=1.0, steps=4, step_size=0.5)
    before = sampled(model, batch, targets, torch.Generator().manual_seed(1))
    after = climbed(model, batch, targets, torch.Generator().manual_seed(1))
    # The loss of class 0 grows with red: every step adds half a standard deviation, a tenth of it to the picture.
    torch.testing.assert_close(after[:, 0], (before[:, 0] + 4 * 0.5 * 0.1).clamp(0, 1))
    many = Adversary([_Brightening()], share=1.0, steps=0, restarts=6)
    worst = many(model, batch, targets, torch.Generator().manual_seed(1))
    assert bool((worst[:, 0] >= before[:, 0] - 1e-6).all())


@pytest.mark.parametrize("training", [True, False])
def test_it_leaves_the_models_mode_and_statistics(training: bool) -> None:
    batch, targets = _batch()
    model = _Redness().train(training)
    mean = model.norm.running_mean.clone()
    Adversary([_Brightening()])(model, batch, targets, torch.Generator().manual_seed(0))
    assert model.training is training
    torch.testing.assert_close(model.norm.running_mean, mean)
    assert all(weight.grad is None for weight in model.parameters())


def test_chance_comes_from_the_generator_alone() -> None:
    batch, targets = _batch()
    model = _Redness().eval()
    state = torch.get_rng_state()
    first, second = (
        Adversary([_Brightening()])(model, batch, targets, torch.Generator().manual_seed(3)) for _ in range(2)
    )
    torch.testing.assert_close(first, second)
    assert torch.equal(torch.get_rng_state(), state)


def test_it_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match="expected generators"):
        Adversary([])
    with pytest.raises(ValueError, match="expected generators"):
        Adversary([_Brightening()], share=0.0)


def test_generators_have_names() -> None:
    drops = open_generator("optics:light", (32, 32))
    assert (drops.name, drops.described) == ("optics light", "optics light")
    assert open_generator("optics", (32, 32)).described == "optics medium"
    assert drops.generator.size == (32, 32)
    with pytest.raises(ConfigError, match="no preset 'damp'"):
        open_generator("optics:damp", (32, 32))
    with pytest.raises(ConfigError, match="not a file"):
        open_generator("nowhere.pt", (32, 32))
