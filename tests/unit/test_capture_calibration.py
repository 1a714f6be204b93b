"""What each measurement makes of numbers that are known beforehand."""

import xml.etree.ElementTree

import numpy as np
import pytest

from capture.calibration.board import Board
from capture.calibration.check import MIDDLES, markers, pattern
from capture.calibration.colour import fit_colours, patches
from capture.calibration.finding import Chart, Line
from capture.calibration.focus import falls_to, mtf
from capture.calibration.gamma import DITHERS, RAMP, dithered, fit_camera, fit_screen, seen_codes
from capture.calibration.geometry import fit_geometry
from capture.calibration.moire import strongest
from capture.calibration.page import drawn, figure
from capture.calibration.vignetting import fit_loss
from rigs.calibration import Measure
from rigs.geometry import ScreenGeometry
from rigs.lens import Lens

SIZE = (480, 640)
CORNERS = ((120.0, 40.0), (540.0, 52.0), (528.0, 440.0), (131.0, 455.0))
GRID = np.dstack(np.meshgrid(np.linspace(0, 1, 21), np.linspace(0, 1, 21)))


@pytest.mark.parametrize("k1", [-0.08, -0.02, 0.05])
@pytest.mark.parametrize("k2", [0.0, 0.01])
def test_corners_with_noise_give_the_outline_and_the_lens(k1, k2):
    true = ScreenGeometry(CORNERS, Lens(k1, k2, (325.0, 235.0), 400.0))
    points = np.concatenate([Board(12, 900).corners, Board(12, 900).second.corners])
    seen = true.places(points) + np.random.default_rng(1).normal(0, 0.05, points.shape)
    fit = fit_geometry(points, seen, SIZE)
    assert np.abs(fit.geometry.places(GRID) - true.places(GRID)).max() < 0.1
    assert fit.geometry.lens.k1 == pytest.approx(k1, abs=5 * fit.k1_sd)
    assert fit.rms_px < 0.09 < fit_geometry(points, seen, SIZE, distorted=False).rms_px


def test_a_lens_that_bends_nothing_is_left_out():
    true = ScreenGeometry(CORNERS)
    points = Board(12, 900).corners
    fit = fit_geometry(points, true.places(points) + np.random.default_rng(2).normal(0, 0.03, points.shape), SIZE)
    assert fit.geometry.lens is None
    assert np.abs(fit.geometry.places(GRID) - true.places(GRID)).max() < 0.05


@pytest.mark.parametrize("squares", [6, 12])
def test_a_board_is_found_where_it_was_drawn(squares):
    for board in (Board(squares, 874), Board(squares, 874).second):
        numbers, places = board.find(board.picture().astype(np.float32))
        assert len(numbers) == len(board.corners) == (board.squares - 1) ** 2
        # A corner lies between pixels: half a pixel before the centre of the first of its square.
        assert places == pytest.approx(board.corners[numbers] * 874 - 0.5, abs=0.02)


def test_no_board_is_found_where_none_is():
    numbers, places = Board(8, 400).find(np.full((300, 300, 3), 90, np.float32))
    assert (numbers.shape, places.shape) == ((0,), (0, 2))


def test_the_four_markers_are_found_where_they_were_drawn():
    found = markers(pattern(500).astype(np.float32))
    middles = {number: corners.mean(0) for number, corners in found.items()}
    assert set(middles) == {0, 1, 2, 3}
    for number, middle in middles.items():
        assert middle == pytest.approx(np.array(MIDDLES[number]) * 500 - 0.5, abs=0.3)


@pytest.mark.parametrize(("side", "white"), DITHERS)
def test_a_dithered_pattern_has_its_share_of_white(side, white):
    assert dithered(side, white, 36).mean() / 255 == pytest.approx(white / side**2)


@pytest.mark.parametrize("camera", [1.0, 1.8, 2.2, 2.6])
@pytest.mark.parametrize("screen", [1.8, 2.2, 2.5])
def test_both_gammas_come_out_within_a_percent(camera, screen):
    generator = np.random.default_rng(3)
    shares = np.array([white / side**2 for side, white in DITHERS])
    black, exposure = 0.003, 0.85
    # Half of the contrast of the pattern is left, and noise of a code.
    seen = []
    for share in shares:
        local = share + (np.where(generator.random((80, 80, 3)) < share, 1.0, 0.0) - share) * 0.5
        codes = 255 * (exposure * (black + (1 - black) * local)) ** (1 / camera)
        seen.append(np.rint(codes + generator.normal(0, 0.5, codes.shape)).clip(0, 255).astype(np.float32))
    found, spread = fit_camera(shares, seen)
    assert found == pytest.approx(camera, rel=0.01)
    assert spread < 0.02
    shown = np.array(RAMP) / 255
    ramp = seen_codes(shown, screen, black, exposure ** (1 / camera), camera)
    (gamma, dark, white), _ = fit_screen(shown, ramp + generator.normal(0, 0.0004, ramp.shape), camera)
    assert gamma == pytest.approx(screen, rel=0.01)
    assert dark == pytest.approx(black, abs=0.001)
    assert white == pytest.approx(exposure ** (1 / camera), rel=0.005)


@pytest.mark.parametrize("side_px", [36, 150, 152, 153, 154])
def test_a_camera_that_resolves_each_pixel_cannot_tell_its_gamma(side_px):
    shares = np.array([white / side**2 for side, white in DITHERS])
    part = slice(1, 1 + side_px)  # where it ends in the midst of a cell too
    seen = [dithered(side, white, 384)[part, part].astype(np.float32) for side, white in DITHERS]
    assert fit_camera(shares, seen)[1] > 0.1


@pytest.mark.parametrize("loss", [0.0, 0.25, 0.6])
def test_a_slope_is_not_taken_for_vignetting(loss):
    places = ScreenGeometry(CORNERS).places(GRID)
    about = (places - (319.5, 239.5)) / (np.hypot(639, 479) / 2)
    field = 0.7 * (1 - loss * (about**2).sum(-1) + 0.1 * about[..., 0])
    found, spread = fit_loss(field + np.random.default_rng(4).normal(0, 1e-3, field.shape), places, SIZE)
    assert found == pytest.approx(loss, abs=max(0.005, 4 * spread))


def test_a_matrix_of_colours_comes_back_with_its_offset():
    true = np.array([[0.8, 0.15, 0.05], [0.1, 0.75, 0.05], [0.0, 0.2, 0.9]])
    offset = np.array([0.02, 0.01, 0.03])
    shown = (patches(np.random.default_rng(5)) / 255.0) ** 2.2
    assert len(np.unique(shown, axis=0)) == len(shown) == 36
    matrix, white, off = fit_colours(shown, shown @ true.T + offset)
    assert white == pytest.approx(true.sum(1) + offset)
    assert matrix * white[:, None] == pytest.approx(np.column_stack([true, offset]), abs=1e-9)
    assert np.abs(off).max() < 1e-9


@pytest.mark.parametrize("sigma_px", [0.8, 1.5, 3.0])
def test_a_gaussian_blur_has_the_sharpness_of_its_formula(sigma_px):
    # exp(-2 π² σ² f²) = 1/2
    fine = np.arange(-10, 10.125, 0.25)[:, None] + np.linspace(-0.12, 0.12, 25)
    density = np.exp(-0.5 * (np.linspace(-30, 30, 60001) / sigma_px) ** 2)
    step = np.interp(fine, np.linspace(-30, 30, 60001), np.cumsum(density) / density.sum()).mean(1)
    frequencies, transfer = mtf(step)
    assert falls_to(frequencies, transfer, 0.5) == pytest.approx(np.sqrt(np.log(2) / 2) / (np.pi * sigma_px), rel=0.08)


def test_a_wave_on_a_grey_is_found_with_its_height_and_length():
    y, x = np.mgrid[0:220, 0:300]
    wave = 1 + 0.02 * np.cos(2 * np.pi * (x / 9.0 + y / 14.0))
    light = 0.4 * wave * (1 - 1e-6 * ((x - 150) ** 2 + (y - 110) ** 2))
    light += np.random.default_rng(6).normal(0, 0.004, light.shape)
    peak, _ = strongest(light)
    assert peak.amplitude == pytest.approx(0.02, rel=0.2)
    assert peak.period_px == pytest.approx(1 / np.hypot(1 / 9, 1 / 14), rel=0.03)
    assert peak.floor < 0.002


def test_noise_alone_is_not_far_above_its_floor():
    noise = np.random.default_rng(7).normal(0.4, 0.01, (200, 240))
    peak, _ = strongest(noise)
    assert 0.6 < peak.amplitude / peak.floor < 1.6


@pytest.mark.parametrize(
    ("measure", "said"),
    [
        (Measure(name="a", value=2.19871, uncertainty=0.0123), "2.199 ± 0.012"),
        (Measure(name="a", value=52.6, uncertainty=2.04, unit="ms"), "52.6 ± 2.0 ms"),
        (Measure(name="a", value=517.4, uncertainty=81.0), "517 ± 81"),
        (Measure(name="a", value=0.0499, unit="px"), "0.0499 px"),
        (Measure(name="a", value=None), "not known"),
        (Measure(name="a", value=-6e-13, uncertainty=1.6e-14, unit="%"), "0 %"),
        (Measure(name="a", value=-1e-9, uncertainty=0.02), "0.000 ± 0.020"),
        (Measure(name="a", value=1e4), "10000"),
    ],
)
def test_a_figure_shows_as_many_digits_as_are_known(measure, said):
    assert figure(measure) == said


@pytest.mark.parametrize(
    "points", [[(0.0, 1.0), (1.0, 1.0)], [(0.0, -1e-5), (3.0, 2e-5)], [(5.0, 0.0), (5.0, 9.0)], [(0, 0), (255, 1e4)]]
)
def test_a_chart_is_drawn_of_any_numbers(points):
    chart = Chart("<caption>", "x & y", "y", (Line("a <b>", points), Line("c", points, dots=True)))
    xml.etree.ElementTree.fromstring(f"<div>{drawn(chart)}</div>")
