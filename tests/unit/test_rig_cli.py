"""`natadv rig`: what is plugged in, and a file that describes a bench."""

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from serial.tools import list_ports
from typer.testing import CliRunner

import rigs
from capture.rig_cli import app
from natadv.errors import ConfigError, ConnectError
from rigs import discovery
from rigs.camera.basler import BaslerSettings
from rigs.camera.uvc import UvcCameraSettings
from rigs.discovery import Found, Missed, basler_cameras, genicam_cameras, read_monitors, serial_ports, uvc_cameras
from rigs.drivers import AROUND_ANOTHER, DRIVERS, settings_of
from rigs.rig import load_rig
from rigs.writing import answer, questions, rig_text
from tests.camera_bench import needs, recorded_clip, simulator_cti

SIMULATED = {"screen": "simulated", "stage": "simulated", "sprayer": "simulated"}
RUNNER = CliRunner()


def options(*more: str, camera: str = "simulated") -> list[str]:
    chosen = [word for device, kind in {"camera": camera, **SIMULATED}.items() for word in (f"--{device}", kind)]
    return ["--name", "my bench: the second", *chosen, *more]


def run(*words: str) -> Any:
    return RUNNER.invoke(app, words)


@pytest.mark.parametrize("kind", [kind for kind in DRIVERS["camera"] if kind != AROUND_ANOTHER])
def test_a_written_rig_loads_with_what_was_said(tmp_path: Path, kind: str) -> None:
    said = {
        "device": "/dev/v4l/by-id/usb-x-video-index0",
        "serial": "0815",
        "cti": "/opt/maker/it.cti",
        "address": "rtsp://10.0.0.7/live#1",
        "path": "/data/a: b",
        "width_px": "1280",
        "height_px": "720",
    }
    asked = [question.name for question in questions("camera", kind)]
    sets = [word for name in asked for word in ("--set", f"camera.{name}={said[name]}")]
    file = tmp_path / "rig.yaml"
    outcome = run("new", str(file), *options(*sets, "--set", "camera.fps=25", camera=kind))
    assert outcome.exit_code == 0, outcome.output
    rig = load_rig(file)
    assert (rig.name, rig.camera.kind, rig.camera.fps) == ("my bench: the second", kind, 25)
    for name in asked:
        assert str(getattr(rig.camera, name)) == said[name]


def test_what_is_around_another_driver_is_not_written(tmp_path: Path) -> None:
    outcome = run("new", str(tmp_path / "rig.yaml"), *options(camera=AROUND_ANOTHER))
    assert outcome.exit_code == 1
    assert isinstance(outcome.exception, ConfigError)
    assert "around another driver's block" in str(outcome.exception)
    assert not (tmp_path / "rig.yaml").exists()


def test_every_default_is_written_and_is_one(tmp_path: Path) -> None:
    """Taking the # away from each commented setting changes nothing."""
    needed = {"device": Path("/dev/v4l/by-id/x"), "width_px": 640, "height_px": 480}
    blocks: dict[str, dict[str, Any]] = {device: {"kind": kind} for device, kind in SIMULATED.items()}
    blocks["camera"] = {"kind": "uvc", **{name: str(v) if name == "device" else v for name, v in needed.items()}}
    text = rig_text("bench", blocks, where="rig.yaml")
    bare = "\n".join(
        line.replace("# ", "", 1) if line.startswith("  # ") and ": " in line and "#" in line[4:] else line
        for line in text.splitlines()
    )
    assert bare.count("\n  fps: 30.0") == 1
    camera = yaml.safe_load(bare.split("\nscreen:")[0])["camera"]
    assert UvcCameraSettings.model_validate(camera) == UvcCameraSettings.model_validate({"kind": "uvc", **needed})
    assert set(UvcCameraSettings.model_fields) >= set(camera)
    assert len(camera) > 6


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--name", "x"], "nobody to ask: camera: which driver? Say it by --camera"),
        (options(camera="uvx"), "camera: no driver uvx; there are simulated"),
        (options(camera="uvc"), "Say it by --set camera.width_px=VALUE"),
        (options("--set", "camera.gian=1"), "camera.gian: simulated has no such setting; it has"),
        (options("--set", "camera.fps=fast"), "camera.fps: .* got 'fast'"),
        (options("--set", "camera.fps"), "--set camera.fps: expected DEVICE.KEY=VALUE"),
        (options("--set", "glass.mm=3"), "--set glass.mm=3: expected DEVICE.KEY=VALUE"),
        (options("--set", "screen.picture_mm=900"), "a picture_mm of 900 does not fit"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(tmp_path: Path, words: list[str], said: str) -> None:
    file = tmp_path / "rig.yaml"
    outcome = run("new", str(file), *words)
    assert isinstance(outcome.exception, ConfigError)
    with pytest.raises(ConfigError, match=said.replace("?", r"\?")):
        raise outcome.exception
    assert "\n" not in str(outcome.exception)
    assert not file.exists()


def test_a_file_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "rig.yaml"
    file.write_text("mine")
    outcome = run("new", str(file), *options())
    assert "exists already" in str(outcome.exception)
    assert file.read_text() == "mine"
    assert "there is no folder" in str(run("new", str(tmp_path / "no" / "rig.yaml"), *options()).exception)


def test_it_asks_whoever_sits_there_until_the_answer_is_one(tmp_path: Path) -> None:
    clip = recorded_clip(tmp_path / "clip", 2)
    file = tmp_path / "rig.yaml"
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "natadv", "rig", "new", str(file)]
    code = "import sys; sys.argv[0] = 'natadv'; from natadv.cli import main; main()"
    command[1:3] = ["-c", code]
    asking = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ | {"NO_COLOR": "1"})
    os.close(theirs)
    answers = {
        "called": "",
        "camera: which": "file",
        "width_px": "many",
        "got 'many'": "64",
        "height_px": "48",
        "path?": str(clip),
        "screen: which": "",
        "stage: which": "",
        "sprayer: which": "",
    }
    seen, left, end_s = "", dict(answers), time.monotonic() + 60
    while time.monotonic() < end_s:
        ready, _, _ = select.select([ours], [], [], 0.2)
        try:
            seen += os.read(ours, 4096).decode() if ready else ""
        except OSError:  # the other side has gone
            break
        waiting = seen.rstrip(" ").endswith(":") and not ready
        question = next(iter(left), None)
        if waiting and question is not None and question in seen:
            os.write(ours, f"{left.pop(question)}\n".encode())
            seen = ""
    os.close(ours)
    assert asking.wait(20) == 0, seen
    assert not left
    rig = load_rig(file)
    assert (rig.name, rig.camera.kind, rig.frame_size) == ("rig", "file", (48, 64))


@pytest.mark.parametrize(
    ("device", "kind", "name", "text", "value"),
    [
        ("camera", "basler", "serial", "40012345", "40012345"),
        ("camera", "basler", "exposure_s", "0.0167", 0.0167),
        ("camera", "basler", "white_balance", "{Red: 1.5}", {"Red": 1.5}),
        ("camera", "uvc", "pixel_format", "YUYV", "YUYV"),
        ("camera", "file", "realtime", "no", False),
    ],
)
def test_answers_are_of_the_type_that_the_setting_has(
    device: str, kind: str, name: str, text: str, value: object
) -> None:
    assert answer(device, kind, name, text) == value


# What is plugged in


def blocks(found: Any) -> list[dict[str, Any]]:
    return [one.block for one in found if isinstance(one, Found)]


def test_a_usb_camera_in_use_is_listed_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it can do is tested with tests/fake_v4l2.py."""
    for name in ("usb-Maker_Cam_1-video-index0", "usb-Maker_Cam_1-video-index1"):
        (tmp_path / name).touch()

    def busy(path: Path) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(discovery, "vendor", lambda *_, **__: SimpleNamespace(Device=busy))
    (found,) = uvc_cameras(tmp_path)
    assert isinstance(found, Found)
    assert (found.name, found.block["device"]) == ("Maker Cam 1", str(tmp_path / "usb-Maker_Cam_1-video-index0"))
    assert "not known ([Errno 16] Device or resource busy)" in found.note
    UvcCameraSettings.model_validate(found.block)


def test_baslers_and_what_is_missing_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    needs("pypylon", "basler")
    monkeypatch.setenv("PYLON_CAMEMU", "2")
    found = blocks(basler_cameras())
    assert [block["serial"] for block in found] == ["0815-0000", "0815-0001"]
    BaslerSettings.model_validate(found[0])

    def missing(*_: object, **__: object) -> None:
        raise ConnectError("Basler cameras: needs pypylon: pip install")

    monkeypatch.setattr(discovery, "vendor", missing)
    (missed,) = basler_cameras()
    assert missed == Missed("Basler cameras", "Basler cameras: needs pypylon: pip install")


def test_cameras_of_a_producer() -> None:
    found = blocks(genicam_cameras(simulator_cti()))
    assert [block["serial"] for block in found] == ["0", "1", "2"]
    settings_of("camera", found[0]).model_validate(found[0])
    assert list(genicam_cameras(Path("/no.cti"))) == [Missed("cameras of /no.cti", "no such file")]


def test_serial_ports_by_their_lasting_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ports = []
    for name, vid in (("ttyUSB0", 0x1A86), ("ttyACM1", 0x2341), ("ttyS0", None)):
        (tmp_path / name).touch()
        ports.append(SimpleNamespace(device=str(tmp_path / name), description=f"at {name}", vid=vid))
    by_id = tmp_path / "by-id"
    by_id.mkdir()
    (by_id / "usb-GRBL").symlink_to(tmp_path / "ttyUSB0")
    monkeypatch.setattr(list_ports, "comports", lambda: ports)
    found = [one for one in serial_ports(by_id) if isinstance(one, Found)]
    assert sorted((one.block["port"], bool(one.note)) for one in found) == sorted(
        [(str(by_id / "usb-GRBL"), False), (str(tmp_path / "ttyACM1"), True)]
    )


def test_monitors_as_xrandr_lists_them() -> None:
    told = "Monitors: 2\n 0: +*eDP-1 1920/344x1080/193+0+0  eDP-1\n 1: +DP-2 2560/597x1440/336+1920+0  DP-2\n"
    first, second = read_monitors(told)
    assert first.block == {
        "kind": "window",
        "monitor": "eDP-1",
        "left_px": 0,
        "top_px": 0,
        "width_px": 1920,
        "height_px": 1080,
        "picture_px": 768,
    }
    assert (second.block["monitor"], second.block["left_px"], second.block["picture_px"]) == ("DP-2", 1920, 1024)


def test_the_list_prints_lines_that_a_rigs_file_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    needs("pypylon", "basler")
    monkeypatch.setenv("PYLON_CAMEMU", "1")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("GENICAM_GENTL64_PATH", "")
    outcome = run("list", "--cti", str(simulator_cti()))
    assert outcome.exit_code == 0
    listed = [yaml.safe_load(part)["camera"] for part in outcome.stdout.split("\n\n") if "camera:" in part]
    assert [block["kind"] for block in listed] == ["basler", "genicam", "genicam", "genicam"]
    assert "not looked for: monitors: DISPLAY is not set" in outcome.stderr


def test_the_shipped_bench_is_found_in_the_shipped_rig() -> None:
    shipped = yaml.safe_load(Path(rigs.__file__).with_name("simulated.yaml").read_text())
    text = rig_text("x", {"camera": {"kind": "simulated"}, **{d: {"kind": k} for d, k in SIMULATED.items()}}, where="x")
    assert yaml.safe_load(text)["bench"] == shipped["bench"]
