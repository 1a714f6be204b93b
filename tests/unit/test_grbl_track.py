"""The pose between reports, from when things were sent and heard: no clock here but the one in the numbers."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from natadv.raindrops.pose import Pose
from rigs.stage.grbl_track import Track
from rigs.stage.profile import Limits, Move

LIMITS = Limits(60, 400, 120, 900)
POSES = st.builds(Pose, st.floats(-40, 40), st.floats(-40, 40), st.floats(-180, 180))
DELAYS = st.floats(0.0, 0.05)


def _off(pose, other):
    return max(math.hypot(pose.x_mm - other.x_mm, pose.y_mm - other.y_mm), abs(pose.angle_deg - other.angle_deg))


def _report(track, move, start_s, asked_s, before_s, after_s):
    place = move.pose_at(asked_s + before_s - start_s)
    rounded = Pose(*(round(value * 80) / 80 for value in (place.x_mm, place.y_mm, place.angle_deg)))
    assert track.hear(rounded, asked_s, asked_s + before_s + after_s)


@given(
    end=POSES,
    wire_s=st.floats(0, 0.005),
    late_s=DELAYS,
    ok_s=DELAYS,
    asks=st.lists(st.tuples(st.floats(0, 1), DELAYS, DELAYS), max_size=6),
    moments=st.lists(st.floats(-0.1, 1.5), min_size=1, max_size=20),
)
def test_a_pose_that_is_given_is_right_however_late_everything_is(end, wire_s, late_s, ok_s, asks, moments):
    move = Move.between(Pose(), end, LIMITS)
    assume(move.duration_s > 0.01)
    track = Track(Pose(), 0.0, 0.2, 0.2)
    start_s = 10 + wire_s + late_s
    track.begin(move, 10.0, wire_s)
    track.begun(start_s + ok_s)
    for share, before_s, after_s in sorted(asks):
        _report(track, move, start_s, start_s + share * move.duration_s, before_s, after_s)
    for share in moments:
        time_s = start_s + share * move.duration_s
        given_pose = track.pose_at(time_s)
        if given_pose is not None:
            assert _off(given_pose, move.pose_at(time_s - start_s)) <= 0.2 * math.sqrt(2) + 1e-6


@given(end=POSES, late_s=st.floats(0, 0.0008), ok_s=st.floats(0, 0.0008), share=st.floats(0, 1))
def test_on_a_quick_line_every_pose_is_given(end, late_s, ok_s, share):
    move = Move.between(Pose(), end, LIMITS)
    assume(move.duration_s > 0.01)
    track = Track(Pose(), 0.0, 0.2, 0.2)
    track.begin(move, 10.0, 0.0)
    track.begun(10 + late_s + ok_s)
    assert track.pose_at(10 + late_s + share * move.duration_s) is not None


def test_a_wide_window_gives_no_pose_until_a_report_narrows_it():
    move = Move.between(Pose(), Pose(40), LIMITS)
    track = Track(Pose(), 0.0, 0.2, 0.2)
    track.begin(move, 10.0, 0.0)
    track.begun(10.1)
    assert track.pose_at(10.3) is None
    _report(track, move, 10.05, 10.4, 0.0005, 0.0005)
    assert _off(track.pose_at(10.3), move.pose_at(0.25)) <= 0.2


def test_the_end_narrows_it_too():
    move = Move.between(Pose(), Pose(40), LIMITS)
    track = Track(Pose(), 0.0, 0.2, 0.2)
    track.begin(move, 10.0, 0.0)
    track.begun(10.1)
    track.ended(10.001 + move.duration_s)
    assert _off(track.pose_at(10.3), move.pose_at(0.3)) <= 0.2


@given(end=POSES, held=st.floats(0.05, 0.95), late_s=st.floats(0, 0.3))
def test_after_a_stop_it_is_known_where_it_was_while_it_braked(end, held, late_s):
    move = Move.between(Pose(), end, LIMITS)
    assume(move.duration_s > 0.2)
    track = Track(Pose(), 0.0, 0.2, 0.2)
    track.begin(move, 10.0, 0.0)
    track.begun(10.0005)
    hold_s = held * move.duration_s
    track.hold(10 + hold_s)
    assert track.pose_at(10 + hold_s + 0.1) is None
    # It brakes as hard as it speeds up, some time after it was asked to.
    brake_s = min(hold_s + late_s, move.duration_s)
    rate, slowing = move.rate_at(brake_s), move.rate / move.rise_s
    passed = lambda s: min(max(s, 0.0), rate / slowing)  # noqa: E731
    begun = next(n / 1000 for n in range(1001) if move.time_of(n / 1000) >= brake_s or n == 1000)
    done = lambda s: min(begun + rate * passed(s) - slowing * passed(s) ** 2 / 2, 1.0)  # noqa: E731
    track.settle(move.pose_of(done(math.inf)), 10 + brake_s + rate / slowing + 0.1)
    size = max(abs(end.x_mm), abs(end.y_mm), abs(end.angle_deg))
    for share in (0.0, 0.3, 0.6, 1.0):
        time_s = share * rate / slowing
        pose = track.pose_at(10 + brake_s + time_s)
        if pose is not None:
            assert _off(pose, move.pose_of(done(time_s))) <= 0.25 + size / 500


def test_a_plate_off_its_path_is_noticed():
    move = Move.between(Pose(), Pose(40, 0, 0), LIMITS)
    track = Track(Pose(), 0.0, 0.2, 0.2)
    track.begin(move, 10.0, 0.0)
    track.begun(10.001)
    assert track.hear(Pose(3.0, 0.1, 0.1), 10.2, 10.21)
    assert not track.hear(Pose(3.0, 1.0, 0.0), 10.2, 10.21)
    assert not track.hear(Pose(3.0, 0.0, -2.0), 10.2, 10.21)


def test_a_report_that_contradicts_what_is_known_changes_nothing():
    move = Move.between(Pose(), Pose(40, 0, 0), LIMITS)
    track = Track(Pose(), 0.0, 0.2, 0.2)
    track.begin(move, 10.0, 0.0)
    track.begun(10.001)
    before = track.pose_at(10.3)
    assert track.hear(Pose(39.0, 0, 0), 10.2, 10.21)
    assert track.pose_at(10.3) == before


@pytest.mark.parametrize("time_s", [-5.0, 0.0, 3.0])
def test_at_rest_it_is_where_it_rests(time_s):
    assert Track(Pose(1, 2, 3), 0.0, 0.2, 0.2).pose_at(time_s) == Pose(1, 2, 3)
