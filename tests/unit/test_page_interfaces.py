"""What the page answers other programs: model and swap, evidence, metrics, files."""

import os
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from edge.classifier import Classifier
from tests.live_page import Album, Named, observation, page
from tests.tiny_bundle import write_tiny_bundle


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    folder = tmp_path / "bundles"
    for name in ("good", "bad", ".hidden"):
        (folder / name).mkdir(parents=True)
        (folder / name / "manifest.json").write_text("{}")
    (folder / "no-bundle").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "manifest.json").write_text("{}")
    return folder


def test_a_bundle_of_the_folder_is_swapped_in(bundles: Path) -> None:
    shown = page(bundles=bundles)
    assert shown.ask("GET", "/api/model").json()["bundles"] == ["bad", "good"]
    answer = shown.ask("POST", "/api/model", json={"bundle": "good"})
    assert (answer.status_code, answer.json()["bundle"], answer.json()["described"]) == (200, "good", "good")
    assert shown.live.slot.model.described == "good"
    assert shown.state.state().model == 1


def test_one_that_is_refused_says_why_and_the_old_one_stays(bundles: Path) -> None:
    shown = page(bundles=bundles)
    answer = shown.ask("POST", "/api/model", json={"bundle": "bad"})
    assert (answer.status_code, answer.json()) == (
        409,
        {"detail": "bad: altered after the export; export the model again"},
    )
    assert shown.live.slot.model.described == "first"
    assert shown.ask("GET", "/api/model").json()["bundle"] == "first"


@pytest.mark.parametrize(
    "name", ["../outside", "..", ".", "", ".hidden", "no-bundle", "/etc", "good/../good", "good/", "good\0", "Good"]
)
def test_no_other_folder_can_be_named(bundles: Path, name: str) -> None:
    shown = page(bundles=bundles)
    assert shown.ask("POST", "/api/model", json={"bundle": name}).status_code in (404, 422)
    assert shown.live.slot.swaps == 0


def test_a_folder_that_was_taken_away_holds_no_bundles(bundles: Path) -> None:
    shown = page(bundles=bundles)
    bundles.rename(bundles.with_name("elsewhere"))
    assert shown.ask("GET", "/api/model").json()["bundles"] == []
    assert shown.ask("POST", "/api/model", json={"bundle": "good"}).status_code == 404
    assert shown.ask("GET", "/metrics").status_code == 200


def test_without_a_folder_none_can_be_swapped_in() -> None:
    assert page().ask("POST", "/api/model", json={"bundle": "good"}).status_code == 404


def test_two_swaps_at_a_time_are_one_too_many(bundles: Path) -> None:
    shown = page(bundles=bundles)
    with shown.models._swapping:
        answer = shown.ask("POST", "/api/model", json={"bundle": "good"})
    assert (answer.status_code, "under way" in answer.json()["detail"]) == (409, True)
    assert shown.ask("POST", "/api/model", json={"bundle": "good"}).status_code == 200


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"bundle": 3}', b'{"bundle": "good", "force": true}', b"\xff"])
def test_what_is_no_request_is_refused(bundles: Path, content: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = page(bundles=bundles).ask("POST", "/api/model", content=content, headers=headers)
    assert answer.status_code in (400, 422)


def test_the_model_is_told_with_its_accuracys_interval(tmp_path: Path) -> None:
    folder = write_tiny_bundle(tmp_path / "bundle")
    with Classifier(folder, device="cpu") as classifier:
        info = page(model=classifier).ask("GET", "/api/model").json()
    assert (info["labels"], info["height_px"], info["width_px"]) == (["red", "green", "blue"], 8, 6)
    assert (info["name"], info["precision"], info["sha256"]) == ("tiny", "fp32", classifier.digest)
    assert info["accuracy"] == {"value": 0.875, "low": None, "high": None, "images": None, "data": "colours test"}


def test_the_interval_is_the_manifests_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Classifier(write_tiny_bundle(tmp_path / "bundle"), device="cpu") as classifier:
        metrics = {"accuracy": 0.5, "accuracy_images": 100.0, "accuracy_low": 0.4, "accuracy_high": 0.6}
        classifier.manifest = classifier.manifest.model_copy(update={"metrics": metrics})
        sure = page(model=classifier).ask("GET", "/api/model").json()["accuracy"]
    assert (sure["low"], sure["high"], sure["images"]) == (0.4, 0.6, 100)


def test_the_card_of_a_bundle_may_show_itself_and_do_nothing(tmp_path: Path) -> None:
    with Classifier(write_tiny_bundle(tmp_path / "bundle"), device="cpu") as classifier:
        shown = page(model=classifier)
        shown.models._first = tmp_path / "bundle"
        card = (tmp_path / "bundle" / "card.html").read_bytes()
        answer = shown.ask("GET", "/card")
        assert answer.content == card
        assert "script-src" not in answer.headers["content-security-policy"]
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "sandbox" in answer.headers["content-security-policy"]
        assert shown.ask("GET", "/api/model").json()["card"]
        # One that was exchanged on disk is not shown: the model came with another.
        (tmp_path / "bundle" / "card.html").write_text("<h1>Perfect</h1>")
        assert shown.ask("GET", "/card").status_code == 404
        assert not shown.ask("GET", "/api/model").json()["card"]
        # Nor is a pipe in its place waited for.
        (tmp_path / "bundle" / "card.html").unlink()
        os.mkfifo(tmp_path / "bundle" / "card.html")
        assert shown.ask("GET", "/card").status_code == 404


def test_a_model_without_a_bundle_has_no_card() -> None:
    assert page().ask("GET", "/card").status_code == 404


def test_evidence_is_shown_and_labelled() -> None:
    album = Album()
    shown = page(gallery=album)
    one, two = shown.ask("GET", "/api/evidence").json()
    assert one == {
        "name": "one", "at": "2026-01-02T03:04:05Z", "signs": ["flicker"], "said": "b", "label": None, "frames": 90,
        "seconds": 6.0, "pictures": 6, "labels": ["a", "b", "c", "z"], "parts": [], "damaged": None,
    }  # fmt: skip
    assert two["name"] == "two"
    picture = shown.ask("GET", "/api/evidence/one/0.jpg")
    assert (picture.content, picture.headers["content-type"]) == (b"jpeg", "image/jpeg")
    assert shown.ask("POST", "/api/evidence/one/label", json={"label": "c"}).status_code == 200
    assert shown.ask("GET", "/api/evidence").json()[0]["label"] == "c"


def test_a_clip_gets_a_label_of_the_model_that_it_is_of_whatever_runs_now() -> None:
    album = Album()
    shown = page(gallery=album)
    assert "z" not in shown.ask("GET", "/api/model").json()["labels"]
    assert shown.ask("POST", "/api/evidence/one/label", json={"label": "z"}).status_code == 200
    assert album.labels == {"one": "z"}


def test_a_part_of_a_clip_is_labelled() -> None:
    album = Album()
    shown = page(gallery=album)
    given = {"label": "c", "from_s": 1.8, "to_s": 4.2}
    assert shown.ask("POST", "/api/evidence/one/label", json=given).status_code == 200
    one, _ = shown.ask("GET", "/api/evidence").json()
    assert (one["label"], one["parts"], one["damaged"]) == (None, [given], None)


@pytest.mark.parametrize("part", [{"from_s": -1}, {"to_s": 0}, {"from_s": "now"}, {"until": 3}])
def test_a_part_that_is_none_is_refused(part: dict[str, object]) -> None:
    album = Album()
    answer = page(gallery=album).ask("POST", "/api/evidence/one/label", json={"label": "c", **part})
    assert (answer.status_code, album.parts, album.labels) == (422, [], {})


@pytest.mark.parametrize(
    ("name", "label", "status"),
    [("one", "d", 409), ("one", "", 422), ("three", "a", 404), ("two", "a", 409), ("..%2Fone", "a", 404)],
)
def test_a_label_that_is_refused_is_not_kept(name: str, label: str, status: int) -> None:
    album = Album()
    answer = page(gallery=album).ask("POST", f"/api/evidence/{name}/label", json={"label": label})
    assert (answer.status_code, album.labels) == (status, {})
    if name == "two":
        assert answer.json()["detail"] == "two: the disk is full"


@pytest.mark.parametrize(
    "path", ["one/6.jpg", "one/-1.jpg", "one/5.jpg", "three/0.jpg", "..%2Fone/0.jpg", "one/0.png", "one/x.jpg"]
)
def test_pictures_that_are_not_there_are_not_looked_for(path: str) -> None:
    album = Album()
    answer = page(gallery=album).ask("GET", f"/api/evidence/{path}")
    assert answer.status_code in (404, 422)
    assert set(album.asked) <= {("one", 5)}  # no name of a visitor's comes to the gallery


def test_where_no_evidence_is_kept_there_is_none() -> None:
    shown = page()
    assert shown.ask("GET", "/api/evidence").json() == []
    assert shown.ask("GET", "/api/evidence/one/0.jpg").status_code == 404
    assert shown.ask("POST", "/api/evidence/one/label", json={"label": "a"}).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/../app.py",
        "/%2e%2e/app.py",
        "/app.py",
        "/page.js/",
        "/page.js/..%2fapp.py",
        "//etc/passwd",
        "/index.html",
        "/docs",
    ],
)
def test_there_are_no_other_files(path: str) -> None:
    assert page().ask("GET", path, follow_redirects=False).status_code in (404, 307)


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/", "text/html"), ("/page.css", "text/css"), ("/icon.svg", "image/svg+xml"), ("/login", "text/html")]
    + [(f"/{name}.js", "text/javascript") for name in ("page", "chart", "evidence", "ask")],
)
def test_the_page_is_whole_and_asks_for_nothing_elsewhere(path: str, kind: str) -> None:
    answer = page().ask("GET", path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(kind)
    text = answer.text.replace("http://www.w3.org/2000/svg", "")
    assert "//" not in "".join(line for line in text.splitlines() if "http" in line)
    assert "innerHTML" not in text  # labels are anybody's words
    assert not any(inline in text for inline in ("<script>", "style=", "onclick", "javascript:"))


def test_metrics_are_prometheus_own(bundles: Path) -> None:
    shown = page(model=Named('quo"ted\nname'))
    for index in range(5):
        shown.observe(observation(index, alarm=index == 4))
    shown.metrics.note(shown.live.events.add("alarm", "flicker"))
    answer = shown.ask("GET", "/metrics")
    found = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert found["natadv_frames_predicted_total",] == 5
    assert found["natadv_alarms_total",] == 1
    assert found["natadv_events_total", ("kind", "alarm")] == 1
    assert found["natadv_stage_seconds_count", ("stage", "inferred")] == 5
    assert found["natadv_stage_seconds_sum", ("stage", "captured")] == pytest.approx(0.04)
    assert found["natadv_stage_seconds_sum", ("stage", "queued")] == pytest.approx(0.01)
    assert found["natadv_stage_seconds_sum", ("stage", "published")] == pytest.approx(0.0025)
    assert found["natadv_frame_age_seconds_bucket", ("le", "0.01")] == 0
    assert found["natadv_frame_age_seconds_bucket", ("le", "0.02")] == 5
    assert (found["natadv_signal_up",], found["natadv_alarm",], found["natadv_ready",]) == (1, 1, 1)
    assert found["process_resident_memory_bytes",] > 0
    assert any(name[0] == "natadv_model_info" and ("bundle", "first") in name[1:] for name in found)


def test_two_runs_in_a_process_share_no_metrics() -> None:
    first, second = page(), page()
    first.observe(observation())
    assert "natadv_frames_predicted_total 0.0" in second.ask("GET", "/metrics").text


def test_the_interfaces_describe_themselves() -> None:
    schema = page().ask("GET", "/openapi.json").json()
    paths = schema["paths"]
    assert {"/api/state", "/api/events", "/api/history", "/api/model", "/healthz", "/readyz", "/metrics"} <= set(paths)
    assert "/login" not in paths
    assert all(way["description"] for one in paths.values() for way in one.values())
