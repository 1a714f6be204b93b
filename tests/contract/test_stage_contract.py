"""What every stage must do; where it is a person, who knows no pose and arrives when he says so, `persons_rig`'s."""

from itertools import pairwise

import numpy as np
import pytest

from natadv.errors import DeviceError
from natadv.raindrops.pose import Pose

_LOOK_S = 0.01
_FASTEST_MM_PER_S = 120.0
_FAR_MM = 24.0  # farther than any stage comes before it brakes


def _wait(rig):
    for _ in range(2000):
        if not rig.stage.is_moving():
            return
        rig.clock.sleep(0.02)
    pytest.fail("the stage never arrived")


def _close_to(pose, other):
    return pose.x_mm == pytest.approx(other.x_mm, abs=0.05) and pose.angle_deg == pytest.approx(
        other.angle_deg, abs=0.1
    )


def test_it_arrives_after_some_time_and_returns_at_once(posed_rig):
    target = Pose(5, -3, 20)
    posed_rig.stage.follow([target])
    assert posed_rig.stage.is_moving()
    assert not _close_to(posed_rig.stage.pose(), target)
    _wait(posed_rig)
    assert _close_to(posed_rig.stage.pose(), target)


def test_stop_leaves_it_short_of_its_target(posed_rig):
    posed_rig.stage.follow([Pose(_FAR_MM, 0, 0)])
    posed_rig.clock.sleep(0.1)
    posed_rig.stage.stop()
    assert not posed_rig.stage.is_moving()
    here = posed_rig.stage.pose()
    posed_rig.clock.sleep(1.0)
    assert posed_rig.stage.pose() == here
    assert here.x_mm < _FAR_MM - 0.1


def test_a_new_path_replaces_the_old_one_without_a_jump(posed_rig):
    posed_rig.stage.follow([Pose(_FAR_MM, 0, 0), Pose(0, 0, 0)])
    posed_rig.clock.sleep(0.1)
    begun_s = posed_rig.clock.now_s()
    seen = [(begun_s, posed_rig.stage.pose_at(begun_s))]
    posed_rig.stage.follow([Pose(-4, 0, 0)])
    # A real one has to brake first: where it was meanwhile is asked afterwards.
    seen += [(s, posed_rig.stage.pose_at(s)) for s in np.arange(begun_s, posed_rig.clock.now_s(), _LOOK_S).tolist()[1:]]
    while posed_rig.stage.is_moving():
        now_s = posed_rig.clock.now_s()
        seen.append((now_s, posed_rig.stage.pose_at(now_s)))
        posed_rig.clock.sleep(_LOOK_S)
    seen = [(time_s, pose.x_mm) for time_s, pose in seen if pose is not None]
    assert len(seen) > 10
    for (before_s, before_mm), (after_s, after_mm) in pairwise(seen):
        assert abs(after_mm - before_mm) <= _FASTEST_MM_PER_S * (after_s - before_s) + 0.2
    assert max(x_mm for _, x_mm in seen) < _FAR_MM - 0.1
    assert _close_to(posed_rig.stage.pose(), Pose(-4, 0, 0))


def test_out_of_travel_is_refused_and_does_not_move(rig):
    before = rig.stage.pose()
    with pytest.raises(ValueError, match="travel"):
        rig.stage.follow([Pose(1, 0, 0), Pose(1e4, 0, 0)])
    assert rig.stage.pose() == before
    assert not rig.stage.is_moving()


def test_what_is_no_pose_of_its_is_refused(rig):
    for wrong in (Pose(float("nan"), 0, 0), Pose(0, 0, float("inf")), Pose(0, -1e3, 0)):
        with pytest.raises(ValueError, match="travel"):
            rig.stage.follow([wrong])
    assert not rig.stage.is_moving()


def test_it_comes_by_every_pose_and_says_so_afterwards(posed_rig):
    path = [Pose(4, 0, 0), Pose(4, 3, 10), Pose(0, 0, 0)]
    begun_s = posed_rig.clock.now_s()
    posed_rig.stage.follow(path)
    seen = []
    while posed_rig.stage.is_moving():
        seen.append(posed_rig.stage.pose_at(posed_rig.clock.now_s()))
        posed_rig.clock.sleep(_LOOK_S)
    assert posed_rig.clock.now_s() > begun_s
    known = [pose for pose in seen if pose is not None]
    for target in path[:-1]:
        assert min(abs(p.x_mm - target.x_mm) + abs(p.y_mm - target.y_mm) for p in known) < 1.0


def test_a_person_is_there_when_the_call_returns_and_knows_no_pose(persons_rig):
    stage = persons_rig.stage
    stage.follow([Pose(5, -3, 20)])
    assert not stage.is_moving()
    assert stage.pose() is None
    assert stage.pose_at(persons_rig.clock.now_s()) is None


def test_a_person_moves_until_told_to_stop(persons_rig):
    stage, heard = persons_rig.stage, persons_rig.room.operator.heard
    stage.follow([Pose(5, 0, 0), Pose()])
    persons_rig.clock.sleep(0.05)
    assert stage.is_moving()
    assert stage.pose() is None
    assert stage.pose_at(persons_rig.clock.now_s()) is None
    stage.stop()
    assert not stage.is_moving()
    assert len(heard) == 2
    assert heard[-1].startswith("stop")


def test_a_person_is_told_to_stop_before_anything_else_is_asked(persons_rig):
    stage, heard = persons_rig.stage, persons_rig.room.operator.heard
    stage.follow([Pose(5, 0, 0), Pose()])
    stage.follow([Pose(-4, 0, 0)])
    assert not stage.is_moving()
    assert [words.partition(" ")[0] for words in heard] == ["move", "stop:", "hold"]


def test_a_closed_one_goes_nowhere(rig):
    rig.stage.close()
    with pytest.raises(DeviceError, match="closed"):
        rig.stage.follow([Pose(1, 0, 0)])


def test_it_closes_twice(rig):
    rig.stage.close()
    rig.stage.close()
