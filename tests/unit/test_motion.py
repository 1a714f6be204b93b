import math
from itertools import pairwise

import numpy as np
import pytest

from capture.take import _path as _path_of_a_clip
from natadv.raindrops.pose import Pose
from rigs.motion import covered, random_path, smooth_path
from rigs.stage.blend import legs
from rigs.stage.profile import Journey, Limits
from tests.recording import begun

LIMITS = Limits(60, 400, 120, 900)


def _path(seed, travel_mm=40.0, travel_deg=180.0, seconds=5.0):
    return smooth_path(np.random.default_rng(seed), travel_mm, travel_deg, seconds)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("travel_mm", "travel_deg"), [(40.0, 180.0), (5.0, 10.0)])
def test_a_smooth_path_keeps_to_the_travel_and_turns_softly(seed, travel_mm, travel_deg):
    path = _path(seed, travel_mm, travel_deg)
    assert max(math.hypot(pose.x_mm, pose.y_mm) for pose in path) <= travel_mm + 1e-9
    assert max(abs(pose.angle_deg) for pose in path) <= travel_deg
    points = np.array([(pose.x_mm / travel_mm, pose.y_mm / travel_mm, pose.angle_deg / travel_deg) for pose in path])
    steps = np.diff(points, axis=0)
    # No step is a large part of the travel, and none differs much from the one before.
    assert np.linalg.norm(steps, axis=1).max() < 0.9
    assert np.median(np.linalg.norm(np.diff(steps, axis=0), axis=1)) < 0.25


def test_a_longer_path_begins_with_the_shorter_one_and_seeds_differ():
    assert _path(1, seconds=60)[: len(_path(1))] == _path(1)
    assert len({(_path(seed)[0], _path(seed)[-1]) for seed in range(20)}) == 20


@pytest.mark.parametrize("travel_mm", [5.0, 40.0])
def test_a_path_is_long_enough(travel_mm):
    rides = legs(_path(0, travel_mm, 10.0 if travel_mm < 10 else 180.0), LIMITS, 0.02)
    assert sum(ride.duration_s for ride in rides) > 5


def test_a_session_covers_the_travel():
    poses = []
    for seed in range(40):
        journey = Journey(0.0, tuple(legs(_path(seed), LIMITS, 0.02)))
        poses += [journey.pose_at(frame / 30) for frame in range(150)]
    disc, angle = covered(poses, 40, 180)
    assert disc > 0.9
    assert angle == 1.0
    starts = [_path(seed)[0] for seed in range(40)]
    assert covered(starts, 40, 180)[0] > 0.3


def test_coverage_counts_cells():
    assert covered([Pose(0, 0, 0)], 40, 180) == (pytest.approx(1 / 52), pytest.approx(1 / 12))
    everywhere = [Pose(x, y, a) for x in range(-40, 41, 2) for y in range(-40, 41, 2) for a in range(-180, 181, 15)]
    assert covered(everywhere, 40, 180) == (1.0, 1.0)


@pytest.mark.parametrize("corner_s", [0.005, 0.02, 0.1])
@pytest.mark.parametrize("seed", range(3))
def test_a_stage_that_looks_ahead_keeps_its_limits_and_its_path(seed, corner_s):
    path = _path(seed)[:60]
    rides = legs(path, LIMITS, corner_s)
    journey = Journey(0.0, tuple(rides))
    step_s = 1e-3
    times = np.arange(0, journey.end_s, step_s)
    places = np.array([(p.x_mm, p.y_mm, p.angle_deg) for p in map(journey.pose_at, times)])
    speeds = np.abs(np.diff(places, axis=0)) / step_s
    assert (speeds.max(0) <= np.array([60, 60, 120]) * 1.001).all()
    # From one millisecond to the next, an axis gains what it can, and at a corner what it may at once.
    jumps = np.abs(np.diff(np.diff(places, axis=0), axis=0)).max(0) / step_s
    assert (jumps <= np.array([400, 400, 900]) * (2 * step_s + corner_s * 1.01)).all()
    assert journey.pose_at(0) == path[0]
    assert journey.pose_at(journey.end_s + 1) == path[-1]
    for a, b in pairwise(rides):
        assert a.leaves == b.enters
        assert 0 <= a.leaves <= 1
    assert rides[0].enters == rides[-1].leaves == 0


def test_it_is_quicker_than_one_that_stops_and_no_quicker_than_its_limits():
    path = _path(0)[:60]
    rides = legs(path, LIMITS, 0.02)
    ahead_s = sum(ride.duration_s for ride in rides)
    assert sum(ride.full_s for ride in rides) <= ahead_s < 0.8 * Journey.along(path, LIMITS, 0.0).end_s


def test_a_path_that_goes_nowhere_has_no_legs():
    assert legs([Pose(1, 2, 3), Pose(1, 2, 3)], LIMITS, 0.02) == []


def test_a_stage_that_stops_at_each_pose_rides_as_far_on_long_ways_as_one_that_looks_ahead_on_a_curve():
    def ridden(journeys):
        """How far clips of five seconds go on average, in mm and degrees."""
        ways = []
        for journey in journeys:
            points = [(p.x_mm, p.y_mm, p.angle_deg) for p in (journey.pose_at(frame / 30) for frame in range(150))]
            steps = np.diff(np.array(points), axis=0)
            ways.append((np.hypot(steps[:, 0], steps[:, 1]).sum(), np.abs(steps[:, 2]).sum()))
        return np.mean(ways, axis=0)

    ahead = ridden(Journey(0.0, tuple(legs(_path(seed), LIMITS, 0.02))) for seed in range(20))
    stops = ridden(Journey.along(_path(seed), LIMITS, 0.0) for seed in range(20))
    long_ways = (random_path(np.random.default_rng(seed), 40.0, 180.0, 5.0) for seed in range(20))
    straight = ridden(Journey.along(path, LIMITS, 0.0) for path in long_ways)
    assert (straight > 0.9 * ahead).all()
    assert (stops < 0.75 * ahead).all()


@pytest.mark.parametrize(("corner_s", "stops"), [(0.0, True), (0.02, False)])
def test_a_session_rides_what_its_stage_can(tmp_path, corner_s, stops):
    archive, settings = begun(tmp_path)
    settings = settings.model_copy(update={"stage": settings.stage.model_copy(update={"corner_s": corner_s})})
    with settings.open() as rig:
        assert rig.travel.stops_at_poses == stops
        path = _path_of_a_clip(archive, rig, np.random.default_rng(0))
    steps = [math.hypot(a.x_mm - b.x_mm, a.y_mm - b.y_mm) / rig.travel.radius_mm for a, b in pairwise(path)]
    assert (np.median(steps) > 0.5) == stops
