"""What a model nobody signed does to a process, it does to one of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from onnx import ModelProto, helper

from edge import trial
from edge.bundle import GOLDEN, MODEL
from edge.classifier import Classifier
from edge.signature import sign_bundle
from edge.trial import try_out
from natadv.errors import BundleError, ResourceError
from tests.hostile.bases import base, rain_model
from tests.hostile.graphs import constant, feed_logits
from tests.signing_keys import keys
from tests.tiny_bundle import tiny_model, write_tiny_bundle

CHECKOUT = Path(__file__).resolve().parents[2]


def tried(model: ModelProto, folder: Path) -> None:
    write_tiny_bundle(folder / "good")
    golden = (folder / "good" / "golden.npz").read_bytes()
    try_out(model.SerializeToString(), golden, folder / MODEL, threads=1)


def endless() -> ModelProto:
    """A model that multiplies for hours, with little memory, and not before it is run."""
    model = tiny_model()
    side = constant(model, "side", [2000, 2000])
    nodes = [
        helper.make_node("ReduceMax", ["floats"], ["bright"], keepdims=0),
        helper.make_node("Expand", ["bright", side], ["m"]),
    ]
    last = "m"
    for step in range(5_000):
        nodes.append(helper.make_node("MatMul", [last, "m"], [f"m{step}"]))
        last = f"m{step}"
    feed_logits(model, nodes, last)
    return model


def greedy(size: int) -> ModelProto:
    model = tiny_model()
    node = helper.make_node("ConstantOfShape", [constant(model, "size", [size])], ["big"])
    feed_logits(model, [node], "big")
    return model


def test_a_good_model_passes(tmp_path: Path) -> None:
    tried(tiny_model(), tmp_path)


def test_a_model_that_cannot_be_opened_is_said(tmp_path: Path) -> None:
    model = tiny_model()
    model.graph.node[1].op_type = "No\x1b[2Jsuch"
    with pytest.raises(BundleError, match=r"model\.onnx: on trial, ONNX Runtime .* cannot load the model") as caught:
        tried(model, tmp_path)
    assert str(caught.value).isprintable()


def test_a_model_that_fails_is_said(tmp_path: Path) -> None:
    model = tiny_model()
    node = helper.make_node("Reshape", ["means", constant(model, "five", [5, 7])], ["odd"])
    feed_logits(model, [node], "odd")
    with pytest.raises(BundleError, match=r"on trial, it fails: .*Reshape"):
        tried(model, tmp_path)


def test_hours_end_after_the_time_that_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "MOST_S", 2)
    with pytest.raises(BundleError, match="on trial, it did not answer its golden frames within 2 s"):
        tried(endless(), tmp_path)


def test_memory_ends_where_the_limit_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried(greedy(1 << 20), tmp_path)
    monkeypatch.setattr(trial, "most_bytes", lambda: 300 << 20)
    with pytest.raises(BundleError, match=r"on trial, .*Failed to allocate memory"):
        tried(greedy(1 << 27), tmp_path / "more")
    tried(tiny_model(), tmp_path / "again")


def test_a_stride_that_aborts_the_runtime_is_refused(tmp_path: Path) -> None:
    """ONNX Runtime 1.31 ends its process over this graph, which it holds to be valid; others may say what is wrong."""
    model = rain_model()
    nodes = {node.op_type: node for node in model.graph.node}
    next(entry for entry in nodes["ConvTranspose"].attribute if entry.name == "strides").ints[1] = 2**62
    next(entry for entry in nodes["AveragePool"].attribute if entry.name == "ceil_mode").i = 2**33
    with pytest.raises(BundleError, match=r"model\.onnx: on trial, "):
        try_out(model.SerializeToString(), base("rain")[GOLDEN], tmp_path / MODEL, threads=1)


def test_a_strangers_model_inherits_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATADV_PAGE_TOKEN", "hunter2")
    monkeypatch.setenv("NATADV_MQTT_PASSWORD", "hunter2")
    monkeypatch.setenv("HARMLESS", "harmless")
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\ncat > /dev/null\nenv > {tmp_path}/environment\n")
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    tried(tiny_model(), tmp_path)
    inherited = (tmp_path / "environment").read_text()
    assert "HARMLESS=harmless" in inherited
    assert "NATADV_" not in inherited
    assert "hunter2" not in inherited


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGFPE])
def test_a_crash_is_the_trials_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> None:
    """As a runtime crashes on one model in a thousand; here the interpreter does."""
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\ncat > /dev/null\nkill -{number.value} $$\n")
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    with pytest.raises(BundleError, match=f"on trial, it ended the process by {number.name}"):
        tried(tiny_model(), tmp_path)


def test_a_process_that_cannot_be_had_is_not_the_models_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "nowhere"))
    with pytest.raises(ResourceError, match="no process can be had"):
        tried(tiny_model(), tmp_path)
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(ResourceError, match="the process to try it out ended with 1"):
        tried(tiny_model(), tmp_path / "again")


def test_a_trial_outlives_nobody_for_long(tmp_path: Path) -> None:
    """Not even where the process that asked for it is killed in the middle of it."""
    endless_one = write_tiny_bundle(tmp_path / "bundle", model=endless().SerializeToString())
    code = (
        "import sys; from pathlib import Path; from edge import trial; from edge.classifier import Classifier;"
        " trial.MOST_S = 3; Classifier(Path(sys.argv[1]), device='cpu', threads=1)"
    )
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    asking = subprocess.Popen([sys.executable, "-c", code, endless_one], env=environment)
    children = Path(f"/proc/{asking.pid}/task/{asking.pid}/children")
    give_up_s = time.monotonic() + 60
    while not (found := children.read_text().split()) and time.monotonic() < give_up_s:
        time.sleep(0.02)
    time.sleep(0.5)  # it has set its alarm
    asking.kill()
    asking.wait()
    (child,) = found
    while Path(f"/proc/{child}").exists() and time.monotonic() < give_up_s:
        time.sleep(0.05)
    assert not Path(f"/proc/{child}").exists()


def test_what_nobody_signed_is_tried_and_what_was_signed_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr("edge.classifier.try_out", lambda *parts, **more: asked.append(parts[2]))
    folder = write_tiny_bundle(tmp_path / "bundle")
    Classifier(folder, device="cpu").close()
    assert asked == [folder / MODEL]
    private, public = keys(tmp_path, "ours")
    sign_bundle(folder, private)
    Classifier(folder, device="cpu", public_key=public).close()
    assert asked == [folder / MODEL]
