import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from capture import plan as planning
from capture.plan import Plan, check_plan, plan_of, start_session
from capture.session import record_session
from natadv.errors import ClipError, ConfigError, DataError, DeviceError, ResourceError
from natadv.raindrops.drops import Drops
from natadv.raindrops.presets import PRESETS
from rigs.archive import LOCK, MANIFEST, Recovery, create_archive, open_archive
from rigs.rig import load_rig
from tests.layouts import lay
from tests.rig_files import image_folder, small_rig


@pytest.fixture
def rig_settings(tmp_path):
    return load_rig(small_rig(tmp_path))


@pytest.fixture
def plan(tmp_path):
    return Plan(image_folder(tmp_path / "images"), seed=3, clip_s=0.5, control_frames=2)


def _record(archive, rig_settings, **kwargs):
    with rig_settings.open() as rig:
        record_session(archive, rig, **kwargs)


def _digests(archive):
    return {(r.item, r.kind): r.pixels_sha256 for r in archive.records()}


def test_every_image_gets_a_control_and_a_clip(tmp_path, rig_settings, plan):
    archive = start_session(tmp_path / "session", rig_settings, plan)
    _record(archive, rig_settings)
    again = open_archive(tmp_path / "session")
    assert again.settings == archive.settings
    assert not again.missing()
    assert len(again.complete_items()) == 4
    for item in again.settings.items:
        dry, wet = again.clip(item, "dry"), again.clip(item, "wet")
        dry.verify()
        wet.verify()
        assert (dry.info.frame_count, wet.info.frame_count) == (2, 15)
        assert set(dry.table()["drop_count"].to_pylist()) == {0}
        assert min(wet.table()["drop_count"].to_pylist()) > 0
        assert len(set(wet.table()["x_mm"].to_pylist())) > 10


def test_stored_frames_hold_the_picture_where_the_geometry_says(tmp_path, rig_settings, plan):
    archive = start_session(tmp_path / "session", rig_settings, plan)
    _record(archive, rig_settings)
    item = archive.settings.items[0]
    frame = next(archive.clip(item, "dry").images())
    seen = archive.settings.geometry.rectify(frame, (4, 4)).astype(float)
    shown = archive.image(item)[4::8, 4::8].astype(float)
    # Other than the light's exact level, what the camera saw is what was shown.
    assert _correlation(seen, shown) > 0.97


def _correlation(a, b):
    a, b = (x.ravel() - x.mean() for x in (a, b))
    return float(a @ b / (a @ a * (b @ b)) ** 0.5)


class _Interrupt(Exception):
    pass


def test_a_resumed_session_is_the_one_that_would_have_been(tmp_path, rig_settings, plan):
    lay(plan.images, Drops.empty((80.0, 80.0)).sprayed(np.random.default_rng(0), PRESETS["medium"].drops))
    whole = start_session(tmp_path / "whole", rig_settings, plan)
    _record(whole, rig_settings)

    broken = start_session(tmp_path / "broken", rig_settings, plan)
    done = []

    def stop_in_the_third(item, kind):
        done.append((item.number, kind))
        if len(done) == 3:
            raise _Interrupt

    with pytest.raises(_Interrupt):
        _record(broken, rig_settings, progress=stop_in_the_third)
    resumed = open_archive(tmp_path / "broken")
    assert resumed.missing()
    resumed.recover()
    _record(resumed, rig_settings)
    assert _digests(resumed) == _digests(whole)
    assert len(resumed.records()) == 8


def test_a_clip_that_was_finished_but_not_noted_is_kept(tmp_path, rig_settings, plan):
    archive = start_session(tmp_path / "session", rig_settings, plan)
    _record(archive, rig_settings)
    before = _digests(archive)
    manifest = tmp_path / "session" / MANIFEST
    lines = manifest.read_text().splitlines()
    manifest.write_text("\n".join(lines[:-1]) + "\n" + lines[-1][:20])
    shutil.copytree(tmp_path / "session/clips/0000-dry", tmp_path / "session/clips/0009-wet.part")
    assert [(item.number, kind) for item, kind in archive.missing()] == [(3, "wet")]
    found = archive.recover()
    assert [folder.name for folder in found.kept] == ["0003-wet"]
    assert not found.damaged
    assert _digests(archive) == before
    assert not list((tmp_path / "session/clips").glob("*.part"))
    assert not archive.missing()


def test_noted_clips_that_are_torn_or_gone_or_exchanged_are_recorded_again(tmp_path, rig_settings, plan):
    archive = start_session(tmp_path / "session", rig_settings, plan)
    _record(archive, rig_settings)
    before, clips = _digests(archive), archive.folder / "clips"
    video = clips / "0000-wet/video.avi"
    video.write_bytes(video.read_bytes()[:-100])
    shutil.rmtree(clips / "0001-dry")
    shutil.rmtree(clips / "0003-wet")
    shutil.copytree(clips / "0002-wet", clips / "0003-wet")
    found = archive.recover()
    assert [folder.name for folder in found.damaged] == ["0000-wet.damaged", "0003-wet.damaged"]
    assert [folder.name for folder in found.gone] == ["0001-dry"]
    assert [(item.number, kind) for item, kind in archive.missing()] == [(0, "wet"), (1, "dry"), (3, "wet")]
    assert archive.recover() == Recovery([], [], [])
    _record(archive, rig_settings)
    assert _digests(archive) == before
    assert not archive.missing()


def test_a_clip_that_is_not_the_one_noted_is_refused(tmp_path, rig_settings, plan):
    archive = start_session(tmp_path / "session", rig_settings, plan)
    _record(archive, rig_settings)
    item = archive.settings.items[0]
    record = archive.noted()[0, "wet"]
    assert archive.clip(item, "wet", record).info.pixels_sha256 == record.pixels_sha256
    shutil.rmtree(archive.folder / "clips/0000-wet")
    shutil.copytree(archive.folder / "clips/0001-wet", archive.folder / "clips/0000-wet")
    with pytest.raises(ClipError, match=r"not the clip that manifest\.jsonl notes"):
        archive.clip(item, "wet", record)


@pytest.mark.parametrize("line", [b'{"item": "\xff"}\n', b'{"item": 0}\n'])
def test_a_manifest_that_is_no_text_or_no_record_is_one_error(tmp_path, rig_settings, plan, line):
    archive = start_session(tmp_path / "session", rig_settings, plan)
    (archive.folder / MANIFEST).write_bytes(b'{"item": 0}\n' + line)
    with pytest.raises(DataError, match=r"manifest.jsonl, line 1: not a clip record"):
        archive.records()


def test_a_lock_that_cannot_be_had_is_one_error(tmp_path, rig_settings, plan):
    archive = start_session(tmp_path / "session", rig_settings, plan)
    (archive.folder / LOCK).mkdir()
    with pytest.raises(DataError, match=r"\.lock"), archive.recording():
        pass


def test_the_same_images_by_another_path_go_on(tmp_path, rig_settings, plan, monkeypatch):
    monkeypatch.chdir(tmp_path)
    archive = start_session(tmp_path / "session", rig_settings, replace(plan, images=Path("images")))
    check_plan(archive, rig_settings, replace(plan, images=tmp_path / "session/../images"), set())
    monkeypatch.chdir("/")
    check_plan(archive, rig_settings, replace(plan, images=tmp_path / "images"), set())


def test_a_test_part_is_not_recorded_for_training(tmp_path, rig_settings, plan):
    data = tmp_path / "data"
    image_folder(data / "train")
    image_folder(data / "test")
    with pytest.raises(ConfigError, match="images of a test split"):
        start_session(tmp_path / "session", rig_settings, replace(plan, images=data / "test"))
    start_session(tmp_path / "session", rig_settings, replace(plan, images=data / "test", purpose="test"))
    with pytest.raises(ConfigError, match="holds train/ and test/, not labels"):
        start_session(tmp_path / "other", rig_settings, replace(plan, images=data))


def test_more_images_than_there_are_cannot_be_asked_for(tmp_path, rig_settings, plan):
    with pytest.raises(ConfigError, match="holds 4 images, fewer than the 5 asked for"):
        start_session(tmp_path / "session", rig_settings, replace(plan, count=5))


def _forget(archive, item, kind):
    """Take a clip's line out of the manifest."""
    kept = [record for record in archive.records() if (record.item, record.kind) != (item, kind)]
    lines = "".join(record.model_dump_json() + "\n" for record in kept)
    (archive.folder / MANIFEST).write_text(lines)


def test_a_clip_whose_control_is_kept_is_the_one_that_would_have_been(tmp_path, rig_settings, plan):
    archive = start_session(tmp_path / "session", rig_settings, plan)
    _record(archive, rig_settings)
    before = _digests(archive)
    _forget(archive, 1, "wet")
    shutil.rmtree(archive.folder / "clips/0001-wet")
    assert [(item.number, kind) for item, kind in archive.missing()] == [(1, "wet")]
    _record(archive, rig_settings)
    assert _digests(archive) == before


def test_a_damaged_clip_that_was_not_noted_is_put_aside_and_recorded_again(tmp_path, rig_settings, plan):
    archive = start_session(tmp_path / "session", rig_settings, plan)
    _record(archive, rig_settings)
    before = _digests(archive)
    _forget(archive, 2, "wet")
    video = archive.folder / "clips/0002-wet/video.avi"
    video.write_bytes(video.read_bytes()[:-2000])
    found = archive.recover()
    assert [folder.name for folder in found.damaged] == ["0002-wet.damaged"]
    _record(archive, rig_settings)
    assert _digests(archive) == before


def test_two_processes_cannot_record_one_session(tmp_path, rig_settings, plan):
    archive = start_session(tmp_path / "session", rig_settings, plan)
    with (
        archive.recording(),
        pytest.raises(DataError, match="another process is recording"),
        open_archive(archive.folder).recording(),
    ):
        pass
    with archive.recording():
        pass


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"purpose": "test"}, "begun with purpose training, not test"),
        ({"seed": 4}, "begun with seed 3, not 4"),
        ({"clip_s": 9.0}, "begun with clip_s 0.5, not 9.0"),
        ({"count": 2}, "begun with count 4, not 2"),
    ],
)
def test_a_session_is_gone_on_with_as_it_was_begun(tmp_path, rig_settings, plan, asked, said):
    archive = start_session(tmp_path / "session", rig_settings, plan)
    check_plan(archive, rig_settings, plan_of(plan.images), set())
    with pytest.raises(ConfigError, match=said):
        check_plan(archive, rig_settings, plan_of(plan.images, **asked), set(asked))
    with pytest.raises(ConfigError, match="was begun with the images of"):
        check_plan(archive, rig_settings, plan_of(tmp_path / "others"), set())


def test_images_of_a_test_split_are_not_recorded_for_training(tmp_path, rig_settings, plan):
    (plan.images / "source.json").write_text(json.dumps({"data": "signs", "split": "test"}))
    with pytest.raises(ConfigError, match="--purpose test"):
        start_session(tmp_path / "session", rig_settings, plan)
    start_session(tmp_path / "session", rig_settings, replace(plan, purpose="test"))


class _StuckStage:
    def follow(self, _path):
        pass

    def is_moving(self):
        return True

    def stop(self):
        pass

    def close(self):
        pass


def test_a_stage_that_never_arrives_ends_the_session(tmp_path, rig_settings, plan):
    archive = start_session(tmp_path / "session", rig_settings, plan)
    with rig_settings.open() as rig, pytest.raises(DeviceError, match="stage: not at"):
        record_session(archive, replace(rig, stage=_StuckStage()))


def test_a_damaged_manifest_line_is_named(tmp_path, rig_settings, plan):
    archive = start_session(tmp_path / "session", rig_settings, plan)
    (tmp_path / "session" / MANIFEST).write_text('{"item": 0}\n')
    with pytest.raises(DataError, match=r"manifest.jsonl, line 1"):
        archive.records()


def test_whatever_happens_the_stage_stops_and_the_sprayer_shuts(tmp_path, rig_settings, plan):
    archive = start_session(tmp_path / "session", rig_settings, plan)
    with rig_settings.open() as rig:

        class Broken:
            info = rig.camera.info

            def read(self):
                raise DeviceError("camera: unplugged")

            def close(self):
                pass

        object.__setattr__(rig, "camera", Broken())
        with pytest.raises(DeviceError, match="unplugged"):
            record_session(archive, rig)
        assert not rig.stage.is_moving()
        with pytest.raises(DeviceError, match="closed"):
            rig.sprayer.spray(1)
    assert len(archive.missing()) == 8


def test_an_existing_folder_is_not_overwritten(tmp_path, rig_settings, plan):
    start_session(tmp_path / "session", rig_settings, plan)
    with pytest.raises(DataError, match="--resume"):
        start_session(tmp_path / "session", rig_settings, plan)


def test_an_unreadable_image_is_named_before_anything_is_made(tmp_path, rig_settings, plan):
    (plan.images / "01" / "1.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"01/1.png: not a readable image"):
        start_session(tmp_path / "session", rig_settings, plan)
    assert not (tmp_path / "session").exists()


def test_too_little_disk_is_said_before_the_start(tmp_path, rig_settings, plan, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(planning.shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(ResourceError, match="GB free"):
        start_session(tmp_path / "session", rig_settings, plan)
    assert not (tmp_path / "session").exists()


def test_a_count_chooses_by_seed(tmp_path, rig_settings, plan):
    def chosen(name, seed):
        fewer = Plan(plan.images, seed=seed, count=2, clip_s=0.5)
        return [item.source for item in start_session(tmp_path / name, rig_settings, fewer).settings.items]

    assert chosen("a", 1) == chosen("b", 1)
    assert len(chosen("c", 2)) == 2


def test_settings_of_another_format_are_refused(tmp_path, rig_settings, plan):
    archive = start_session(tmp_path / "session", rig_settings, plan)
    path = tmp_path / "session" / "session.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": "natadv-session/9"}))
    with pytest.raises(DataError, match="natadv-session/1"):
        open_archive(tmp_path / "session")
    with pytest.raises(DataError, match="exists already"):
        create_archive(tmp_path / "session", archive.settings, [])
