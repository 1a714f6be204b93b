import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from natadv.raindrops.pose import Pose
from rigs.motion import random_path
from rigs.stage.profile import Journey, Limits, Move

LIMITS = Limits(60, 400, 120, 900)
POSES = st.builds(Pose, st.floats(-40, 40), st.floats(-40, 40), st.floats(-180, 180))


def _track(move: Move, steps: int = 4000) -> tuple[np.ndarray, float]:
    times = np.linspace(0, move.duration_s, steps)
    poses = [move.pose_at(t) for t in times]
    return np.array([(p.x_mm, p.y_mm, p.angle_deg) for p in poses]), times[1] - times[0]


@given(POSES, POSES)
def test_a_move_keeps_every_limit_and_arrives(start, end):
    move = Move.between(start, end, LIMITS)
    assert move.pose_at(-1) == start
    assert move.pose_at(move.duration_s) == end
    if move.duration_s < 1e-3:
        return
    track, step = _track(move)
    speed = np.abs(np.diff(track, axis=0)) / step
    assert (speed.max(axis=0) <= np.array([60, 60, 120]) * 1.001 + 1e-9).all()
    acceleration = np.abs(np.diff(track, 2, axis=0)) / step**2
    assert (acceleration.max(axis=0) <= np.array([400, 400, 900]) * 1.05 + 1e-3).all()


@given(POSES, POSES, st.floats(0.001, 0.999))
def test_when_a_share_is_done_and_how_fast_it_is_then(start, end, done):
    move = Move.between(start, end, LIMITS)
    if move.duration_s < 1e-3:
        return
    time_s = move.time_of(done)
    there, at = move.pose_of(done), move.pose_at(time_s)
    assert max(abs(there.x_mm - at.x_mm), abs(there.y_mm - at.y_mm), abs(there.angle_deg - at.angle_deg)) < 1e-6
    step = 1e-6
    assert move.rate_at(time_s) == pytest.approx(
        (_share(move, time_s + step) - _share(move, time_s - step)) / (2 * step), rel=0.01, abs=1e-3
    )


def _share(move: Move, time_s: float) -> float:
    a, b, here = move.start, move.end, move.pose_at(time_s)
    way = (b.x_mm - a.x_mm, b.y_mm - a.y_mm, b.angle_deg - a.angle_deg)
    gone = (here.x_mm - a.x_mm, here.y_mm - a.y_mm, here.angle_deg - a.angle_deg)
    return float(np.dot(way, gone) / np.dot(way, way))


def test_a_distance_that_no_stage_sees_takes_no_time():
    move = Move.between(Pose(-1.1e-308), Pose(), LIMITS)
    assert move.duration_s == 0
    assert move.pose_at(0.0) == Pose()


def test_a_path_outlasts_its_clip_and_a_longer_one_begins_with_it():
    slow = random_path(np.random.default_rng(1), 5, 10, 5.0)
    assert Journey.along(slow, LIMITS, start_s=0).end_s > 5
    assert random_path(np.random.default_rng(1), 5, 10, 60.0)[: len(slow)] == slow


def test_a_long_move_takes_the_time_of_a_trapezoid():
    # 60 mm at 60 mm/s with 400 mm/s2: 1 s of cruising and 0.15 s for speeding up and slowing down.
    assert Move.between(Pose(), Pose(60), LIMITS).duration_s == pytest.approx(1.15)


def test_a_short_move_is_a_triangle():
    assert Move.between(Pose(), Pose(4), LIMITS).duration_s == pytest.approx(0.2)


def test_a_journey_visits_its_poses_in_turn():
    path = [Pose(), Pose(6), Pose(6, 0, 90), Pose(0, 3, 0)]
    journey = Journey.along(path, LIMITS, start_s=10)
    time_s = 10.0
    for pose, move in zip(path, journey.moves, strict=False):
        assert journey.pose_at(time_s) == pose
        time_s += move.duration_s
    assert journey.end_s == pytest.approx(time_s)
    assert journey.pose_at(time_s + 1) == path[-1]
