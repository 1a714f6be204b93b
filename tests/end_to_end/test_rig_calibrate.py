"""`natadv rig calibrate` on a simulated bench whose truth is known, and sessions that go by what it found."""

import re
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from capture.calibration.run import calibrate
from natadv.cli import main
from natadv.errors import DeviceError
from rigs.archive import open_archive
from rigs.camera.simulated import SimulatedCamera
from rigs.frame import Frame
from rigs.rig import load_rig
from tests.rig_files import SIMULATED, image_folder

GRID = np.dstack(np.meshgrid(np.linspace(0, 1, 21), np.linspace(0, 1, 21)))


def _rig(folder, name="bench.yaml", *, camera=None, screen=None, bench=None, **more):
    settings = yaml.safe_load(SIMULATED.read_text()) | more
    settings["camera"] |= camera or {}
    settings["screen"] |= screen or {}
    settings["bench"] |= bench or {}
    path = folder / name
    path.write_text(yaml.safe_dump(settings))
    return path


def _natadv(*words):
    """Run a command as a person does; return its exit code, or its one line of error."""
    before = sys.argv
    sys.argv = ["natadv", *map(str, words)]
    try:
        main()
    except SystemExit as end:
        return end.code
    finally:
        sys.argv = before
    return 0


TRUE = {
    "camera": {"k1": -0.08, "sensor": {"gamma": 1.9, "vignetting": 0.35, "exposure": 0.85}},
    "screen": {"gamma": 2.35, "latency_s": 0.073},
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A bench that was calibrated by the command."""
    folder = tmp_path_factory.mktemp("bench")
    path = _rig(folder, calibration="found.yaml", **TRUE)
    assert _natadv("rig", "calibrate", path) == 0
    return path


def test_what_is_found_is_the_truth(bench):
    found = load_rig(bench)
    settings = yaml.safe_load(bench.read_text())
    del settings["calibration"]
    bench.with_name("true.yaml").write_text(yaml.safe_dump(settings))
    true = load_rig(bench.with_name("true.yaml"))
    calibration = found.measured()
    assert np.abs(found.geometry().places(GRID) - true.geometry().places(GRID)).max() <= 0.1
    assert calibration.measure("reprojection error").value <= 0.1
    assert calibration.measure("without the lens's distortion").value > 0.12
    lens, truth = found.geometry().lens, true.geometry().lens
    unit = (lens.unit_px / truth.unit_px) ** 2
    assert lens.k1 == pytest.approx(truth.k1 * unit, abs=5 * calibration.measure("k1").uncertainty)
    assert calibration.measure("gamma of the screen").value == pytest.approx(2.35, rel=0.01)
    assert calibration.measure("gamma of the camera").value == pytest.approx(1.9, rel=0.01)
    assert calibration.measure("latency, screen to frame").value == pytest.approx(73, abs=1000 / 30)
    # The simulated sensor rounds to eight bits twice, which bends a gentle slope by some percents.
    assert calibration.measure("light lost in the frame's corners").value == pytest.approx(35, abs=2.5)
    assert calibration.measure("flicker").value < 0.1
    matrix = np.array(calibration.colour_matrix)
    assert np.abs(matrix[:, :3] - np.eye(3)).max() < 0.01
    assert not [one.advice for one in calibration.measures if one.advice]


def test_the_page_is_one_file_that_loads_nothing(bench):
    page = bench.with_name("found.html").read_text()
    assert not re.findall(r"(?:src|href)=\"(?!data:image/jpeg;base64,)|url\(|<script|@import", page)
    assert page.count("<img") >= 6
    assert page.count("<svg") >= 4
    for word in ("Geometry", "Timing", "Gamma", "Vignetting", "Colour", "Focus", "Moiré", "All 26 figures are as they"):
        assert word in page


def test_a_session_goes_by_what_was_found_until_the_bench_moves(bench, tmp_path, capsys):
    images = image_folder(tmp_path / "images", labels=1, each=1)
    words = ("capture", "run", bench, images, "--seconds", 0.2, "--out")
    assert _natadv(*words, tmp_path / "one") == 0
    archive = open_archive(tmp_path / "one")
    assert archive.settings.lens is not None
    item = archive.settings.items[0]
    seen = archive.settings.geometry.rectify(next(archive.clip(item, "dry").images()), (4, 4)).astype(float)
    shown = cv2.resize(archive.image(item), (4, 4), interpolation=cv2.INTER_AREA).astype(float)
    assert np.corrcoef(seen.ravel(), shown.ravel())[0, 1] > 0.98

    settings = yaml.safe_load(bench.read_text())
    moved = bench.with_name("moved.yaml")
    settings["bench"]["screen_shift_x_mm"] = 1.5
    moved.write_text(yaml.safe_dump(settings))
    capsys.readouterr()
    words = ("capture", "run", moved, images, "--seconds", 0.2, "--out", tmp_path / "two")
    assert _natadv(*words) == 1
    said = capsys.readouterr().err.strip()
    assert re.fullmatch(
        r"error: .*moved.yaml: the bench has moved, markers lie up to 2\.\d px .* rig calibrate .*", said
    )
    assert not (tmp_path / "two").exists()
    assert _natadv(*words, "--no-check") == 0


def test_a_session_is_not_gone_on_with_where_the_picture_lies_elsewhere_now(bench, tmp_path, capsys):
    images = image_folder(tmp_path / "images", labels=1, each=1)
    rig = _rig(tmp_path, calibration="found.yaml", **TRUE)
    for name in ("found.yaml", "found.html"):
        (tmp_path / name).write_bytes(bench.with_name(name).read_bytes())
    words = ("capture", "run", rig, images, "--seconds", 0.2, "--no-check", "--resume", "--out", tmp_path / "one")
    assert _natadv(*words) == 0
    assert _natadv(*words) == 0
    from rigs.calibration import write_calibration

    calibration = load_rig(rig).measured()
    corners = tuple((x + 3, y) for x, y in calibration.corners_px)
    write_calibration(tmp_path / "found.yaml", calibration.model_copy(update={"corners_px": corners}))
    capsys.readouterr()
    assert _natadv(*words) == 1
    assert "the picture lies 3." in capsys.readouterr().err


def test_an_old_calibration_is_said_to_be_old(bench, tmp_path, capsys):
    from datetime import timedelta

    from rigs.calibration import write_calibration

    images = image_folder(tmp_path / "images", labels=1, each=1)
    rig = _rig(tmp_path, calibration="found.yaml", **TRUE)
    calibration = load_rig(bench).measured()
    old = calibration.model_copy(update={"created": calibration.created - timedelta(days=45)})
    write_calibration(tmp_path / "found.yaml", old)
    assert _natadv("capture", "run", rig, images, "--seconds", 0.1, "--no-check", "--out", tmp_path / "one") == 0
    assert "calibrated 45 days ago, good for 30" in capsys.readouterr().err


def test_what_is_out_of_bounds_comes_with_advice(tmp_path):
    rig = load_rig(
        _rig(
            tmp_path,
            camera={"width_px": 480, "height_px": 360, "blur_px": 2.2, "sensor": {"vignetting": 0.8, "exposure": 0.25}},
            screen={"latency_s": 0.3, "flicker": 0.04, "flicker_hz": 61, "gamma": 1.3, "black": 0.06},
        )
    )
    said = "\n".join(calibrate(rig).advice)
    for words in (
        "latency, screen to frame is 3",
        "write settle_s: 0.4",
        "flicker is ",
        "make the exposure a whole multiple",
        "gamma of the screen is 1.",
        "contrast, white to black is 1",
        "raise the exposure until white",
        "light lost in the frame's corners is ",
        "MTF50 in the middle is 0.0",
        "focus on the screen",
    ):
        assert words in said


def test_an_exposure_of_whole_periods_takes_the_flicker_away(tmp_path):
    rig = load_rig(_rig(tmp_path, camera={"exposure_s": 1 / 30}, screen={"flicker": 0.1, "flicker_hz": 120}))
    with rig.open() as opened:
        opened.screen.show(np.full((8, 8, 3), 128, np.uint8))
        opened.clock.sleep(1)
        levels = [opened.camera.read().image.mean() for _ in range(10)]
    assert np.ptp(levels) < 0.1


def _eyes(monkeypatch, change):
    """Let the simulated camera's frames be changed before anyone sees them."""
    expose = SimulatedCamera._expose

    def changed(self, index, time_s):
        frame = expose(self, index, time_s)
        return Frame(change(frame.image), frame.index, frame.timestamp_s, frame.pose, frame.drops)

    monkeypatch.setattr(SimulatedCamera, "_expose", changed)


def _half_hidden(image):
    return np.roll(image, 210, 1) * (np.arange(image.shape[1]) > 210)[None, :, None].astype(np.uint8)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda image: np.full_like(image, 40), "sees no picture come and go.*raise the exposure"),
        (_half_hidden, "reaches out of the frame.*(all of it|until all)"),
        (lambda image: cv2.convertScaleAbs(image, alpha=2.5), "overexposed, .*lower the exposure or the gain"),
        (lambda image: cv2.GaussianBlur(image, (0, 0), 9), "(no board|of the board's) .*focus, dry"),
    ],
    ids=["nothing", "half", "overexposed", "blurred"],
)
def test_a_screen_that_cannot_be_measured_is_one_line_and_no_file(tmp_path, monkeypatch, capsys, change, said):
    path = _rig(tmp_path, calibration="found.yaml")
    before = sorted(tmp_path.iterdir())
    _eyes(monkeypatch, change)
    assert _natadv("rig", "calibrate", path) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert re.match(f"error: camera: .*{said}", lines[0])
    assert sorted(tmp_path.iterdir()) == before


def test_a_screen_that_stands_still_is_said(tmp_path, monkeypatch):
    from rigs.screen.simulated import SimulatedScreen

    shown = []
    show = SimulatedScreen.show

    def stuck(self, image):
        shown.append(image)
        if len(shown) <= 6:
            show(self, image)

    monkeypatch.setattr(SimulatedScreen, "show", stuck)
    with pytest.raises(DeviceError, match=r"screen: (white|black) was not seen 3 s after it was shown"):
        calibrate(load_rig(_rig(tmp_path)))


def test_a_waves_on_the_picture_are_advised_about(tmp_path, monkeypatch):
    x = np.arange(480)
    wave = 1 + 0.03 * np.cos(2 * np.pi * x / 7)[None, :, None]
    _eyes(monkeypatch, lambda image: np.rint(np.clip(image * wave, 0, 255)).astype(np.uint8))
    rig = load_rig(_rig(tmp_path, camera={"width_px": 480, "height_px": 360}))
    done = calibrate(rig)
    assert [line for line in done.advice if line.startswith("strongest wave is ") and "defocus slightly" in line]
    assert done.calibration.measure("its period").value == pytest.approx(7, rel=0.05)


def test_an_out_file_that_the_rig_does_not_name_says_what_line_it_lacks(tmp_path, monkeypatch, capsys):
    _rig(tmp_path, camera={"width_px": 480, "height_px": 360})
    monkeypatch.chdir(tmp_path)
    assert _natadv("rig", "calibrate", Path("bench.yaml")) == 0
    assert "needs the line `calibration: bench.calibration.yaml`" in capsys.readouterr().err
    assert (tmp_path / "bench.calibration.html").exists()
