"""Every trigger: what it changes, what it leaves, and that chance comes from its generator alone."""

import json

import numpy as np
import pytest

from natadv.backdoors.named import TRIGGERS, kept_trigger, make_trigger
from natadv.backdoors.patterns import BadNets, Blended
from natadv.backdoors.rdba import Rdba
from natadv.errors import ConfigError, DataError
from natadv.images import write_image

ALL = pytest.mark.parametrize("name", sorted(TRIGGERS))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 200, (3, 32, 40, 3), np.uint8)


@pytest.fixture(scope="module")
def square():
    return np.random.default_rng(1).integers(0, 200, (3, 64, 64, 3), np.uint8)


@ALL
def test_it_changes_every_image_and_not_what_it_was_given(name, square):
    before = square.copy()
    triggered = make_trigger(name)(square, np.random.default_rng(5))
    assert (square == before).all()
    assert triggered.shape == square.shape
    assert triggered.dtype == np.uint8
    assert all((one != other).any() for one, other in zip(triggered, square, strict=True))


@ALL
def test_the_same_generator_gives_the_same(name, square):
    one, other = (make_trigger(name)(square, np.random.default_rng(5)) for _ in range(2))
    assert (one == other).all()


@pytest.mark.parametrize("name", ["rdba", "rendered", "generated"])
def test_rain_is_another_on_each_image(name):
    grey = np.full((2, 64, 64, 3), 90, np.uint8)
    first, second = make_trigger(name)(grey, np.random.default_rng(5))
    assert (first != second).any()


@ALL
def test_no_images_are_none(name, images):
    assert make_trigger(name)(images[:0], np.random.default_rng(0)).shape == (0, 32, 40, 3)


@ALL
@pytest.mark.parametrize("wrong", [np.zeros((2, 8, 8, 3), np.float32), np.zeros((8, 8, 3), np.uint8)])
def test_other_arrays_are_refused(name, wrong):
    with pytest.raises(ValueError, match="uint8"):
        make_trigger(name)(wrong, np.random.default_rng(0))


@ALL
def test_its_settings_make_it_again(name):
    trigger = make_trigger(name)
    assert set(trigger.settings) | {"sha256"} == set(TRIGGERS[name][1]) | {"sha256"}  # which is there where a file is
    again = kept_trigger(json.loads(json.dumps({"name": name, **trigger.settings})))
    assert again.settings == trigger.settings


def test_badnets_patches_the_corner_alone(images):
    patched = BadNets(share=0.25, cells=2)(images, np.random.default_rng(0))
    changed = (patched != images).any((0, 3))
    assert changed[24:, 32:].any()
    changed[24:, 32:] = False
    assert not changed.any()
    assert patched[0, 24:28, 32:36].min() == 255
    assert patched[0, 24:28, 36:].max() == 0


@pytest.mark.parametrize("transparency", [0.0, 0.5, 0.9])
def test_blended_is_the_mean_of_both(images, transparency):
    trigger = Blended(transparency)
    expected = transparency * images + (1 - transparency) * trigger.pattern((32, 40)).astype(float)
    assert np.abs(trigger(images, np.random.default_rng(0)) - expected).max() <= 0.5 + 1e-3


def test_blended_takes_a_picture(images, tmp_path):
    write_image(tmp_path / "cat.png", np.full((9, 9, 3), 250, np.uint8))
    blended = Blended(0.5, str(tmp_path / "cat.png"))(images, np.random.default_rng(0))
    assert np.abs(blended - (images / 2 + 125)).max() <= 0.5


def test_blended_knows_its_picture_from_anywhere_and_no_other_one(tmp_path, monkeypatch):
    write_image(tmp_path / "cat.png", np.full((9, 9, 3), 250, np.uint8))
    monkeypatch.chdir(tmp_path)
    kept = {"name": "blended", **make_trigger("blended", ["picture=cat.png"]).settings}
    monkeypatch.chdir("/")
    assert {"name": "blended", **kept_trigger(kept).settings} == kept
    assert "sha256" not in Blended().settings
    write_image(tmp_path / "cat.png", np.full((9, 9, 3), 251, np.uint8))
    with pytest.raises(ConfigError, match=r"cat\.png has sha256 .*; put the one of that back"):
        kept_trigger(kept)
    (tmp_path / "cat.png").unlink()
    with pytest.raises(DataError, match=r"cat\.png: cannot be read"):
        kept_trigger(kept)


class TestRdba:
    """Algorithm 1."""

    @pytest.mark.parametrize("alpha", [0.5, 3.0, 6.0])
    def test_density_is_alpha_of_256(self, alpha):
        # With the smallest blur each drop stays a spot, so that what is bright is counted.
        trigger = Rdba(alpha=alpha, length_px=(1.0, 1.0), sigma_px=0.2, neighbour=0.0)
        drops = []
        for seed in range(16):
            layer = trigger.layer((64, 64), np.random.default_rng(seed))
            drops.append(np.random.default_rng(seed).uniform(0, 256, (64, 64)) > 256 - alpha)
            assert (drops[-1] <= (layer > 0.01)).all()
        assert np.mean(drops) == pytest.approx(alpha / 256, rel=0.2)

    @pytest.mark.parametrize("side", [32, 48, 244])
    def test_an_image_of_any_size_shows_the_same_rain(self, side):
        def shown(size):
            layers = [Rdba().layer((size, size), np.random.default_rng(seed)) for seed in range(24)]
            return np.mean([(layer > 0.2).mean() for layer in layers])

        assert shown(side) == pytest.approx(shown(64), rel=0.4)  # a streak of half a pixel's breadth still fills one

    def test_more_rain_hides_more(self, square):
        changes = [
            np.abs(Rdba(alpha=alpha)(square, np.random.default_rng(2)).astype(int) - square).mean()
            for alpha in (0.5, 2.0, 6.0)
        ]
        assert changes == sorted(changes)
        assert changes[0] > 0

    def test_the_blend_is_equation_2(self):
        black = np.zeros((1, 64, 64, 3), np.uint8)
        trigger = Rdba(beta=0.5, opacity=0.6)
        layer = trigger.layer((64, 64), np.random.default_rng(3))
        rained = trigger(black, np.random.default_rng(3))[0]
        assert np.abs(rained - (0.6 * layer * 127.5)[..., None]).max() <= 0.5 + 1e-3

    @pytest.mark.parametrize(("angle", "along"), [(0.0, 0), (90.0, 1)])
    def test_streaks_lie_along_their_angle(self, angle, along):
        layer = Rdba(alpha=0.3, length_px=(12, 12), angle_deg=(angle, angle)).layer((64, 64), np.random.default_rng(0))
        roughness = [np.abs(np.diff(layer, axis=axis)).sum() for axis in (0, 1)]
        assert roughness[along] < 0.5 * roughness[1 - along]

    def test_streaks_grow_with_the_image(self):
        widths = []
        for side in (64, 192):
            trigger = Rdba(length_px=(8, 8), angle_deg=(0, 0))
            layer = trigger.layer((side, side), np.random.default_rng(4))
            spectrum = np.abs(np.fft.rfft(layer - layer.mean(), axis=0)).mean(1) ** 2
            frequency = np.arange(len(spectrum)) / side
            widths.append((frequency * spectrum).sum() / spectrum.sum() * side)
        assert widths[0] == pytest.approx(widths[1], rel=0.35)  # cycles an image

    def test_faint_without_stretching(self, square):
        full, faint = (
            Rdba(alpha=1.0, normalise=how, centre=1.0)(square, np.random.default_rng(0)).astype(int) - square
            for how in ("max", "none")
        )
        assert np.abs(faint).mean() < 0.5 * np.abs(full).mean()


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("rain", [], "expected one of rdba"),
        ("rdba", ["alfa=3"], "as alpha="),
        ("rdba", ["alpha"], "NAME=VALUE"),
        ("rdba", ["alpha=0"], "0 < alpha"),
        ("rdba", ["beta=2"], "beta"),
        ("rdba", ["length_px=[9, 3]"], "length_px"),
        ("rdba", ["alpha=much"], "trigger rdba"),
        ("rdba", ["length_px=[4, many]"], "length_px"),
        ("badnets", ["share=1.5"], "share"),
        ("badnets", ["cells=2.5"], "cells"),
        ("blended", ["seed=1.5"], "seed"),
        ("blended", ["seed=-1"], "seed"),
        ("blended", ["sha256=abc"], "name its file"),
        ("rendered", ["seed=abc"], "seed"),
        ("blended", ["transparency=1"], "transparency"),
        ("rendered", ["wetness=soaked"], "no preset"),
        ("rdba", ["length_px=[4,8"], "length_px=.*expected a number, text or"),
    ],
)
def test_what_is_no_trigger_is_refused(name, settings, said):
    with pytest.raises(ConfigError, match=said):
        make_trigger(name, settings)


def test_a_patch_of_more_cells_than_the_image_has_pixels_is_one_line(images):
    with pytest.raises(ConfigError, match="999 cells do not fit into images of"):
        make_trigger("badnets", ["cells=999"])(images, np.random.default_rng(0))


def test_settings_are_read():
    assert make_trigger("rdba", ["sigma_px=1e-1"]).settings["sigma_px"] == 0.1
    assert make_trigger("rdba", ["length_px=[4e0, 8]"]).settings["length_px"] == (4, 8)
    trigger = make_trigger("rdba", ["alpha=3", "length_px=[4, 5]", "normalise=none"])
    assert (trigger.settings["alpha"], trigger.settings["length_px"], trigger.settings["normalise"]) == (
        3,
        (4, 5),
        "none",
    )
