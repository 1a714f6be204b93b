"""Networks of detectors: what is frozen, what is folded, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from natadv.attacks.block_dct import coefficients_of
from natadv.detection.backbones import BACKBONES
from natadv.detection.checkpoint import Built, load_detector, save_detector
from natadv.detection.detector import BINARY, Detector
from natadv.detection.light import LightNetwork
from natadv.detection.networks import fresh_network, frozen_share, seeded_network
from natadv.detection.thresholds import Threshold
from natadv.errors import ConfigError, DataError
from natadv.evaluation.rates import Rate
from tests.tiny_classifier import write_tiny_classifier


def batch(side: int = 32, count: int = 4) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("name", "frozen", "of"), [("vgg16", 7, 13), ("densenet121", 30, 120), ("mobilenet", 7, 27)])
def test_as_many_convolutions_are_frozen_as_in_the_paper(name, frozen, of):
    network, _ = seeded_network(name, 2, seed=0, frozen=BACKBONES[name].frozen)
    layers = [module for module in network.features.modules() if isinstance(module, nn.Conv2d)]
    assert len(layers) == of
    assert [layer.weight.requires_grad for layer in layers] == [False] * frozen + [True] * (of - frozen)
    assert frozen_share(network) == frozen / of
    assert [layer.out_features for layer in network.dense if isinstance(layer, nn.Linear)] == [1024, 1024, 512]


def test_what_is_frozen_stays_when_the_rest_is_trained():
    network, _ = seeded_network("mobilenet", 2, seed=0, frozen=0.5)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.train()
    optimizer = torch.optim.Adam([one for one in network.parameters() if one.requires_grad], lr=1e-2)
    nn.functional.cross_entropy(network(batch()), torch.tensor([0, 1, 0, 1])).backward()
    optimizer.step()
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    names = [name for name in before if name.startswith("features.") and "num_batches" not in name]
    first = next(place for place, name in enumerate(names) if name in changed)
    assert first > len(names) // 4
    assert not changed & set(names[:first])
    assert "head.weight" in changed


def test_random_weights_are_not_frozen_and_pretrained_ones_are(tmp_path: Path):
    network, _ = seeded_network("mobilenet", 2, seed=0)
    assert frozen_share(network) == 0
    path = tmp_path / "weights.pth"
    torch.save(network.features.network.state_dict(), path)
    again, _ = seeded_network("mobilenet", 2, seed=1, weights=path)
    assert frozen_share(again) == 7 / 27
    network.features.eval(), again.features.eval()
    assert torch.equal(network.features(batch()), again.features(batch()))
    with pytest.raises(DataError, match="expected weights of timm's densenet121"):
        fresh_network("densenet121", 2, weights=path)
    path.write_bytes(b"torn")
    with pytest.raises(DataError, match="not readable weights"):
        fresh_network("mobilenet", 2, weights=path)


def test_options_that_do_not_go_together_are_refused():
    with pytest.raises(ConfigError, match="expected light, vgg16"):
        fresh_network("resnet18", 2)
    with pytest.raises(ConfigError, match="light has none"):
        fresh_network("light", 2, frozen=0.5)
    with pytest.raises(ConfigError, match="name the file with --weights"):
        fresh_network("onnx", 2)


def test_the_light_one_sees_the_block_transform_of_luma():
    images = batch(16, 2)
    waves = nn.functional.conv2d(images, LightNetwork(2).kernels, stride=8)
    luma = 255 * (images * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    expected = coefficients_of(luma)[:, 0].flatten(3)  # of luma less 128, which the first coefficient alone shows
    expected[..., 0] += 8 * 128
    order = sorted(range(64), key=lambda place: sum(divmod(place, 8)))
    looked_at = [order[round(place * 63 / 47)] for place in range(48)]
    assert len(set(looked_at)) == 48
    torch.testing.assert_close(waves[:, :48].permute(0, 2, 3, 1), expected[..., looked_at], atol=1e-3, rtol=1e-4)


def test_a_light_one_of_another_size_comes_out_of_its_file(tmp_path: Path):
    network = LightNetwork(2, width=24, wider=32, kernels=torch.rand(96, 3, 8, 8))
    detector = Detector(network, classes=BINARY, size_px=32).eval()
    path = tmp_path / "detector.pt"
    save_detector(path, detector, Built("light"), threshold=None, metrics={}, recipe={}, provenance={})
    with torch.no_grad():
        assert torch.equal(load_detector(path).model(batch()), detector(batch()))


@pytest.mark.parametrize("classes", [BINARY, ("clean", "fgsm", "pgd", "rain")])
@pytest.mark.parametrize("name", ["light", "mobilenet"])
def test_folded_it_says_the_same(name, classes):
    network, _ = seeded_network(name, len(classes), seed=0)
    network.train()
    network(batch(count=16))  # norms that are not those of the first day
    detector = Detector(network, classes=classes, size_px=32).eval()
    detector.calibrate(2.5, -0.75)
    with torch.no_grad():
        logits = detector(batch())
        torch.testing.assert_close(detector.folded()(batch()), logits, atol=1e-5, rtol=1e-5)
        adversarial = 1 - network(batch()).softmax(1)[:, 0]
    assert logits.shape == (4,)
    torch.testing.assert_close(torch.sigmoid(2.5 * (logits - 0.75)), adversarial, atol=1e-5, rtol=1e-4)


def test_sides_that_are_no_multiples_of_8_are_seen_to_the_edge():
    network = LightNetwork(2).eval()
    images = batch(19)
    changed = images.clone()
    changed[..., -1, -1] = 1 - changed[..., -1, -1].round()
    assert (network(images) != network(changed)).any()


def test_a_detector_of_an_onnx_network_is_whole_in_its_file(tmp_path: Path):
    weights = write_tiny_classifier(tmp_path / "tiny.onnx", side=16)
    network, data = seeded_network("onnx", 2, seed=0, weights=weights)
    assert data == weights.read_bytes()
    detector = Detector(network, classes=BINARY, size_px=32).eval()
    threshold = Threshold(0.5, 0.01, Rate(1, 150))
    save_detector(
        tmp_path / "detector.pt", detector, Built("onnx", 0.25, data), threshold=threshold,
        metrics={}, recipe={}, provenance={},
    )  # fmt: skip
    weights.unlink()
    loaded = load_detector(tmp_path / "detector.pt")
    assert loaded.calibrated == threshold
    with torch.no_grad():
        assert torch.equal(loaded.model(batch()), detector(batch()))
    torn = (tmp_path / "detector.pt").read_bytes()
    (tmp_path / "detector.pt").write_bytes(torn[: len(torn) // 2])
    with pytest.raises(DataError, match="torn or altered"):
        load_detector(tmp_path / "detector.pt")


def test_first_weights_hang_on_the_seed_alone():
    torch.manual_seed(5)
    state = torch.get_rng_state()
    one, _ = seeded_network("light", 2, seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)
    other, _ = seeded_network("light", 2, seed=3)
    assert np.all([torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True)])


def test_no_gpu_is_seeded_for_first_weights(monkeypatch):
    """Nobody would put its generator back."""
    reseeded = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", reseeded.append)
    seeded_network("light", 2, seed=1)
    assert not reseeded
