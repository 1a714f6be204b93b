"""Frames of a session in a bank: hits by the bank's own model, and the dry frames that go with them."""

import numpy as np
import pytest
from typer.testing import CliRunner

from natadv.campaign.captured import captured
from natadv.detection.banked import read_bank
from natadv.detection.sources import open_sources
from natadv.detection_cli import app
from natadv.errors import DataError
from natadv.images import write_image
from natadv.training.victim import open_victim
from tests.colours import write_colours
from tests.scanned_sessions import COLOURS, record
from tests.tiny_classifier import write_tiny_classifier

run = CliRunner().invoke

# True colour, colours of the control, colours of the clip: the third's control is wrong, the last is never wrong.
PLAN = [
    ("r", "rrr", "rrgggggggb"),
    ("g", "ggg", "gggrgg"),
    ("b", "brb", "rrrrrr"),
    ("b", "bbb", "brbrbr"),
    ("r", "rrr", "gggggg"),
    ("r", "rrr", "rrrrrr"),
]


@pytest.fixture
def given(tmp_path):
    write_colours(tmp_path / "colours", each=8)
    # The session's first image is one of the data's.
    write_image(tmp_path / "colours" / "test" / "red" / "shown.png", np.full((32, 32, 3), COLOURS["r"], np.uint8))
    write_tiny_classifier(tmp_path / "tiny.onnx")
    record(tmp_path / "session", PLAN)
    return open_sources(open_victim(str(tmp_path / "tiny.onnx")), str(tmp_path / "colours"), seed=0)


def made_by(maker):
    return {part: [one for block in maker.blocks(part) for one in block.made] for part in ("train", "test")}


def test_hits_are_frames_that_fool_where_the_control_does_not(given, tmp_path):
    makers = captured([tmp_path / "session"], given, seed=0, per_clip=5)
    hits, dry = ([one for made in made_by(makers[kind]).values() for one in made] for kind in ("captured", "dry"))
    assert all(one.said != one.label for one in hits)
    assert all(one.said == one.label for one in dry)
    # Five at most of a clip: of the 8 and 6 of the first and fifth, the one of the second, all three of the fourth.
    assert len(hits) == 5 + 1 + 3 + 5
    assert sorted(one.label for one in dry) == ["blue"] * 3 + ["green"] * 3 + ["red"] * 9
    assert {one.image.shape for one in hits + dry} == {(16, 16, 3)}
    assert (makers["captured"].family, makers["dry"].family) == ("natural", "clean")


def test_images_of_the_data_keep_their_part(given, tmp_path):
    makers = captured([tmp_path / "session"], given, seed=0)
    known = "test/red/shown.png"
    for maker in makers.values():
        for part, made in made_by(maker).items():
            assert all(one.source == known or one.source.startswith("session/") for one in made)
            assert known not in {one.source for one in made} or given.parts[known] == part
    sources = [{one.source for kind in makers.values() for one in made_by(kind)[part]} for part in ("train", "test")]
    assert known in sources[0] | sources[1]
    assert not sources[0] & sources[1]


def test_sessions_add_up_and_their_own_images_differ(given, tmp_path):
    record(tmp_path / "more", [("g", "ggg", "rr")])
    maker = captured([tmp_path / "session", tmp_path / "more"], given, seed=0)["captured"]
    sources = {one.source for made in made_by(maker).values() for one in made}
    assert {"session/green/1.png", "more/green/0.png"} < sources


@pytest.mark.parametrize("seed", range(4))
def test_clips_take_turns(given, tmp_path, seed):
    for made in made_by(captured([tmp_path / "session"], given, seed=seed)["dry"]).values():
        own = [one.source for one in made if one.source != "test/red/shown.png"]  # which three clips show
        turns = [own[:place].count(source) for place, source in enumerate(own)]
        assert turns == sorted(turns)


def test_captured_frames_never_come_without_dry_ones(given, tmp_path):
    done = run(
        app,
        [
            *("bank", "--data", str(tmp_path / "colours"), "--model", str(tmp_path / "tiny.onnx"), "--count", "4"),
            *("--session", str(tmp_path / "session"), "--kind", "captured", "--device", "cpu"),
            *("--out", str(tmp_path / "bank")),
        ],
    )
    assert done.exit_code == 0, done.output
    bank = read_bank(tmp_path / "bank")
    assert list(bank.kinds) == ["clean", "dry", "captured"]
    assert bank.kinds_of("clean") == ("clean", "dry")
    assert all(len(bank.of(part, kind)) == 2 for part in ("train", "test") for kind in bank.kinds)


def test_a_session_without_clips_or_with_strange_labels_is_refused(given, tmp_path):
    record(tmp_path / "empty", PLAN, complete=0)
    with pytest.raises(DataError, match="no clip with its control"):
        captured([tmp_path / "empty"], given, seed=0)
    record(tmp_path / "strange", PLAN[:1], labels={"r": "stop"})
    with pytest.raises(DataError, match="'stop' is no class"):
        captured([tmp_path / "strange"], given, seed=0)
