import shutil

import pyarrow.parquet as pq
import pytest

from capture.pipeline import Pipeline, on_all_cores
from capture.scan import read_predictions, read_summary, scan_folders, scan_session
from edge.classifier import Classifier
from natadv.data.folder import labelled_files
from natadv.errors import ClipError, DataError
from natadv.images import read_image
from natadv.training.hits import load_hits
from rigs.archive import open_archive
from tests.scanned_sessions import record
from tests.tiny_bundle import LABELS, write_tiny_bundle

# 0: two hits; 1: withstands; 2: the control is wrong once, so nothing counts; 3: one hit, at the end.
PLAN = [("r", "rrr", "rggrrrrrr"), ("g", "ggg", "ggggggggg"), ("b", "brb", "rrrrrrrrr"), ("b", "bbb", "bbbbbbbbr")]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture(scope="module")
def classifier(bundle):
    with Classifier(bundle, device="cpu", threads=1) as classifier:
        yield classifier


@pytest.fixture(scope="module")
def scanned(tmp_path_factory, classifier):
    archive = record(tmp_path_factory.mktemp("scanned") / "session", PLAN)
    return archive, scan_session(archive, classifier, batch=4, workers=2)


def test_an_image_is_a_success_where_its_clip_has_a_hit_and_its_control_is_right(scanned):
    _, summary = scanned
    assert [(item.control_right, item.hits) for item in summary.items] == [(True, 2), (True, 0), (False, 0), (True, 1)]
    assert (summary.images.hits, summary.images.total, summary.controls_wrong) == (2, 3, 1)
    # Wilson 1927 for 2 of 3, worked out by hand.
    assert (summary.images.low, summary.images.high) == pytest.approx((0.2077, 0.9385), abs=1e-4)
    assert (summary.wet_frames.hits, summary.wet_frames.total) == (3, 27)
    assert summary.frames == 4 * (3 + 9)


def test_the_interval_of_frames_knows_that_a_clip_is_no_more_than_one_image(scanned):
    _, summary = scanned
    independent = (0.0385, 0.2806)
    assert summary.wet_frames.low < independent[0]
    assert summary.wet_frames.high > independent[1]


def test_success_is_counted_by_class(scanned):
    _, summary = scanned
    found = {entry.label: (entry.images.hits, entry.images.total, entry.frames.hits) for entry in summary.classes}
    assert found == {"red": (1, 1, 2), "green": (0, 1, 0), "blue": (1, 1, 1)}
    assert {entry.label: entry.frames.total for entry in summary.classes} == {"red": 9, "green": 9, "blue": 9}


def test_success_is_counted_by_coverage(scanned):
    _, summary = scanned
    # Frame k of nine has coverage k/36: 0; 2.8 %; 5.6; 8.3; 11.1; 13.9; 16.7, 19.4; 22.2.
    bins = {b.low: (b.images.hits, b.images.total, b.frames.hits, b.frames.total) for b in summary.coverages}
    assert bins == {
        0.0: (0, 3, 0, 3),
        0.02: (1, 3, 1, 3),
        0.04: (1, 3, 1, 3),
        0.08: (0, 3, 0, 3),
        0.1: (0, 3, 0, 3),
        0.12: (0, 3, 0, 3),
        0.15: (0, 3, 0, 6),
        0.2: (1, 3, 1, 3),
    }
    assert [b.high for b in summary.coverages] == [0.02, 0.04, 0.06, 0.1, 0.12, 0.15, 0.2, 0.25]


def test_moments_are_the_first_and_the_most_confident_hit(scanned):
    _, summary = scanned
    first, best = summary.items[3].first, summary.items[3].best
    assert (first.frame, first.predicted, best) == (8, "red", first)
    assert first.time_s == pytest.approx(8 / 30)
    assert summary.items[0].first.frame == 1
    assert summary.items[1].first is None
    assert summary.items[2].control.predicted == "red"  # the frame that was wrong, not the first


def test_predictions_have_a_row_for_every_frame_and_the_models_digest(scanned, classifier):
    archive, _ = scanned
    folder = archive.scan_folder(classifier.digest)
    assert folder.name == classifier.digest[:12]
    table = read_predictions(folder)
    assert pq.read_schema(folder / "predictions.parquet").metadata[b"model_sha256"].decode() == classifier.digest
    rows = table.to_pylist()
    assert [(row["item"], row["kind"], row["frame"]) for row in rows] == [
        (item, kind, frame) for item in range(4) for kind, n in (("dry", 3), ("wet", 9)) for frame in range(n)
    ]
    letters = "".join(row["predicted"][0] for row in rows)
    assert letters == "".join(dry + wet for _, dry, wet in PLAN)
    assert [row["hit"] for row in rows if row["item"] == 2] == [False] * 12
    assert sum(row["hit"] for row in rows) == 3
    last = rows[-1]
    assert (last["correct"], last["frame_index"], last["drop_count"]) == (False, 18, 9)
    assert last["timestamp_s"] == pytest.approx(100 + 8 / 30)
    assert last["confidence"] > 0.9 > last["label_confidence"]


def test_hits_are_a_training_folder_of_what_the_screen_showed(scanned, classifier):
    archive, _ = scanned
    folder = archive.scan_folder(classifier.digest) / "hits"
    files = [(file.label, file.path.name) for file in labelled_files(folder)]
    assert files == [("blue", "0003-0008.png"), ("red", "0000-0001.png"), ("red", "0000-0002.png")]
    picture = read_image(folder / "red" / "0000-0001.png")
    assert picture.shape == (32, 32, 3)
    assert (picture == (0, 204, 0)).all()  # the picture alone, without the frame's border
    assert len(load_hits(folder, LABELS)) == 3


def test_a_scan_that_is_up_to_date_is_not_done_again(scanned, classifier):
    archive, summary = scanned
    assert scan_session(archive, classifier) == summary
    again = scan_session(archive, classifier, force=True)
    assert again.created != summary.created
    assert again.items == summary.items
    assert [folder.name for folder in scan_folders(archive)] == [classifier.digest[:12]]


def test_other_hits_kept_or_a_check_asked_for_means_another_scan(tmp_path, classifier):
    archive = record(tmp_path / "session", PLAN)
    first = scan_session(archive, classifier)
    assert len(list((archive.scan_folder(classifier.digest) / "hits").glob("*/*.png"))) == 3
    fewer = scan_session(archive, classifier, hits_per_clip=2)
    assert (fewer.hits_per_clip, fewer.items) == (2, first.items)
    assert scan_session(archive, classifier, hits_per_clip=2) == fewer
    assert scan_session(archive, classifier, hits_per_clip=2, verify=True).created != fewer.created


def test_a_session_that_grew_is_scanned_again(tmp_path, classifier):
    archive = record(tmp_path / "session", PLAN, complete=1)
    assert scan_session(archive, classifier).clips == 2
    other = record(tmp_path / "whole", PLAN)
    shutil.copytree(other.folder / "clips", archive.folder / "clips", dirs_exist_ok=True)
    archive.recover()
    assert scan_session(open_archive(archive.folder), classifier).clips == 8


def test_workers_and_batches_change_nothing(tmp_path, classifier, scanned):
    archive = record(tmp_path / "session", PLAN)
    alone = scan_session(archive, classifier, batch=100, workers=1)
    assert alone.items == scanned[1].items


def test_a_rig_that_knows_no_coverage_has_no_bins(tmp_path, classifier):
    summary = scan_session(record(tmp_path / "session", PLAN[:2], coverages=False), classifier)
    assert summary.coverages == ()
    assert summary.items[0].coverage is None


def test_progress_reaches_the_number_of_frames(tmp_path, classifier):
    calls = []
    scan_session(record(tmp_path / "session", PLAN), classifier, batch=4, progress=lambda *at: calls.append(at))
    assert calls[-1] == (48, 48)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


def test_labels_that_the_model_lacks_are_named(tmp_path, classifier):
    names = {"r": "red", "g": "stop", "b": "yield"}
    archive = record(tmp_path / "session", PLAN, labels=names, complete=0)
    with pytest.raises(DataError, match=r"no label 'stop', 'yield'; scan with"):
        scan_session(archive, classifier)


def test_an_empty_session_is_refused(tmp_path, classifier):
    with pytest.raises(DataError, match="no image is recorded yet"):
        scan_session(record(tmp_path / "session", PLAN, complete=0), classifier)


@pytest.mark.parametrize("name", ["0001-wet", "0002-dry"])
def test_a_torn_clip_ends_the_scan_with_nothing_written(tmp_path, classifier, name):
    archive = record(tmp_path / "session", PLAN)
    video = archive.folder / "clips" / name / "video.avi"
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    with pytest.raises(ClipError, match=name):
        scan_session(archive, classifier)
    assert list((archive.folder / "scans").iterdir()) == []


def test_a_failed_rescan_leaves_the_old_scan(tmp_path, classifier):
    archive = record(tmp_path / "session", PLAN)
    scan_session(archive, classifier)
    (archive.folder / "clips" / "0003-wet" / "video.avi").write_bytes(b"nothing")
    with pytest.raises(ClipError):
        scan_session(archive, classifier, force=True)
    assert read_summary(archive.scan_folder(classifier.digest)).clips == 8
    assert len(scan_folders(archive)) == 1


def test_a_flipped_bit_is_found_when_asked_for(tmp_path, classifier):
    archive = record(tmp_path / "session", PLAN)
    video = archive.folder / "clips" / "0001-wet" / "video.avi"
    content = bytearray(video.read_bytes())
    content[len(content) // 2] ^= 1
    video.write_bytes(content)
    with pytest.raises(ClipError, match="0001-wet"):
        scan_session(archive, classifier, verify=True)


def test_a_damaged_summary_says_what_to_do(tmp_path, classifier):
    archive = record(tmp_path / "session", PLAN[:1])
    scan_session(archive, classifier)
    (archive.scan_folder(classifier.digest) / "summary.json").write_text("{")
    with pytest.raises(DataError, match="scan again with --force"):
        scan_session(archive, classifier)
    assert scan_session(archive, classifier, force=True).clips == 2


@pytest.mark.parametrize(("option", "value"), [("batch", 0), ("workers", 0), ("hits_per_clip", 1)])
def test_wrong_arguments_are_refused_before_anything_is_written(tmp_path, classifier, option, value):
    archive = record(tmp_path / "session", PLAN[:1])
    with pytest.raises(ValueError, match="expected"):
        scan_session(archive, classifier, **{option: value})
    assert not (archive.folder / "scans").exists() or not list((archive.folder / "scans").iterdir())


def test_a_gpu_runs_one_batch_at_a_time(tmp_path, classifier):
    class Gpu:
        labels, input_size = classifier.labels, classifier.input_size
        digest, manifest, provider = classifier.digest, classifier.manifest, "CUDAExecutionProvider"
        running = most = 0

        def probabilities(self, frames, numbers=None):
            self.running += 1
            self.most = max(self.most, self.running)
            answer = classifier.probabilities(frames)
            self.running -= 1
            return answer

    gpu = Gpu()
    scan_session(record(tmp_path / "session", PLAN), gpu, batch=1, workers=4)
    assert gpu.most == 1


def test_the_last_clips_share_the_cores():
    given = on_all_cores(lambda item, threads, stop: (item, threads), ["a", "b", "c", "d", "e"], 4)
    assert given == [("a", 1), ("b", 1), ("c", 1), ("d", 1), ("e", 4)]


def test_an_error_stops_the_other_workers():
    def work(item, threads, stop):
        if item == 0:
            raise DataError("torn")
        assert stop.wait(20)

    with pytest.raises(DataError, match="torn"):
        on_all_cores(work, [0, 1, 2, 3], 2)


def test_a_pipeline_yields_frames_in_order(tmp_path, classifier):
    archive = record(tmp_path / "session", PLAN[:1])
    clip = archive.clip(archive.settings.items[0], "wet")
    batches = list(Pipeline(classifier, archive.settings.geometry, picture_size=(32, 32), batch=4).batches(clip))
    assert [(batch.start, len(batch.frames)) for batch in batches] == [(0, 4), (4, 4), (8, 1)]
