"""Flags: what may mislead in a robustness result is said, and nothing else."""

from dataclasses import replace

import pytest

from natadv.attacks.suite import Setting, setting
from natadv.defenses.defended import Defended
from natadv.evaluation.flags import Result, gradient_flag, result_flags, result_of
from natadv.evaluation.rates import Rate
from natadv.evaluation.record import Record
from natadv.evaluation.robustness import Measured
from tests.unit.test_robustness import LEVEL, ZEROS, Linear, Rounding, greys


def measured(name, fooled, total, **options):
    record = Record(True, 1, 1, 0.1, 0.1, 0.1, 1, 1)
    right = Record(False, 1, 1, 0, 0, 0, 1, 1)
    one = Setting(name, "library.fgsm", {"epsilon": 8 * LEVEL}, **options)
    return result_of(Measured(one, (record,) * fooled + (right,) * (total - fooled)), names(total))


def names(count):
    """Each image is of something else."""
    return [str(number) for number in range(count)]


def replace_setting(one, **changed):
    return replace(one, setting=replace(one.setting, **changed))


def suites(name, fooled, **changed):
    """What an attack of the suite left of a hundred images."""
    return replace(measured(name, fooled, 100), setting=replace(setting(name), **changed))


@pytest.mark.parametrize("plain", ["pgd-margin", "pgd", "deepfool"])
def test_an_adaptive_attack_that_does_less_is_flagged(plain):
    weak = replace(measured("weak", 20, 100), setting=setting(plain).averaged(10))
    flags = " ".join(result_flags([suites(plain, 90), weak], randomised=True, repeats=3))
    assert f"{plain} beats eot-{plain}:" in flags


@pytest.mark.parametrize("stops", ["cw", "eot-cw", "eot-cw-sure", "deepfool", "advdrop", "nes", "zoo", "rays", "hsv"])
def test_an_attack_that_stops_at_the_boundary_is_flagged(stops):
    whole = suites("eot-pgd-2", 74)
    flags = " ".join(result_flags([suites(stops, 8), whole], randomised=True, repeats=3))
    assert f"{stops} stops where it just fools, and eot-pgd-2 at 8/255 leaves less" in flags
    assert "stops" not in " ".join(result_flags([suites(stops, 80), whole], randomised=True, repeats=3))


def test_attacks_that_stop_at_the_boundary_are_named_together():
    flags = result_flags([suites("cw", 8), suites("ead", 9), suites("eot-pgd-2", 74)], randomised=True, repeats=3)
    assert [flag for flag in flags if "boundary" in flag] == [
        "cw, ead stop where they just fool, and eot-pgd-2 at 8/255 leaves less: on the boundary the next pass is as "
        "likely right"
    ]


def test_rays_does_not_stop_where_it_asks_for_the_mean():
    assert setting("rays").stops
    assert not setting("rays").averaged(10).stops


def test_attacks_that_read_slopes_from_a_randomised_model_are_flagged():
    for name in ("nes", "zoo"):
        assert f"{name}: slopes are differences" in " ".join(
            result_flags([suites(name, 50)], randomised=True, repeats=3)
        )
        assert not result_flags([suites(name, 50)], randomised=False, repeats=3)
    assert "slopes" not in " ".join(result_flags([suites("rays", 50)], randomised=True, repeats=3))


def test_an_attack_without_bound_that_ends_too_soon_is_flagged():
    """AdvDrop's bound is on its tables, and DeepFool has one."""
    early, far = suites("cw", 60), suites("ead", 99)
    flags = " ".join(
        result_flags([early, far, suites("advdrop", 20), suites("deepfool", 20)], randomised=False, repeats=1)
    )
    assert "cw has no bound and leaves more than ead" in flags
    assert "advdrop has no bound" not in flags
    assert "deepfool has no bound" not in flags
    assert not result_flags([suites("cw", 99), far], randomised=False, repeats=1)


def right(name, kept, repeats=1):
    return Result(setting(name), Rate(sum(kept), repeats * len(kept)), tuple(kept), repeats)


def test_attacks_are_compared_image_by_image():
    """Five images of a hundred, or six, all one way: too few to tell by the sums, and the sixth tells by the images."""
    for more, flagged in ((5, False), (6, True)):
        plain, eot = right("pgd", [0] * 90 + [1] * 10), right("eot-pgd-2", [0] * (90 - more) + [1] * (10 + more))
        found = " ".join(result_flags([plain, eot], randomised=True, repeats=3))
        assert ("pgd beats eot-pgd-2" in found) == flagged
        sums = [replace(one, right=None) for one in (plain, eot)]
        assert "beats" not in " ".join(result_flags(sums, randomised=True, repeats=3))


def test_attacks_of_other_repeats_are_compared_by_shares():
    """PGD begins elsewhere each of three times, RayS does not; both leave 60 of 100 images, and neither beats."""
    thrice, once = right("pgd", [3] * 60 + [0] * 40, 3), right("rays", [1] * 60 + [0] * 40)
    assert not result_flags([thrice, once], randomised=False, repeats=3)
    fgsm, nes = right("fgsm", [1] * 95 + [0] * 5), right("nes", [3] * 40 + [0] * 60, 3)
    assert "black box beats white box: nes" in " ".join(result_flags([fgsm, nes], randomised=False, repeats=3))


def test_thousands_of_images_can_be_compared():
    plain, eot = right("pgd", [0] * 2000 + [1] * 330), right("eot-pgd-2", [1] * 2330)
    assert "pgd beats eot-pgd-2" in " ".join(result_flags([plain, eot], randomised=True, repeats=3))


def test_images_that_differ_both_ways_tell_nothing():
    kept = [0] * 40 + [1] * 60
    other = (
        [0] * 20 + [1] * 20 + [0] * 8 + [1] * 52
    )  # 20 that the plain attack alone fools, 8 that the other alone does
    flags = [
        " ".join(result_flags([right("pgd", kept), right("eot-pgd-2", of)], randomised=True, repeats=3))
        for of in (other, other[:28] + [0] * 12 + other[40:])
    ]
    assert "pgd beats" in flags[0]
    assert "pgd beats" not in flags[1]


def test_flags_say_what_misleads():
    plain, eot = measured("pgd", 90, 100), measured("eot-pgd-2", 20, 100, samples=10, adapts="pgd")
    black = measured("rays", 99, 100, uses="labels")
    flags = " ".join(result_flags([plain, eot, black], randomised=True, repeats=1))
    assert "single noise draw" in flags
    assert "pgd beats eot-pgd-2" in flags
    assert "rays leaves less than pgd at 8/255" in flags
    for weak in ([plain], [plain, replace_setting(black, samples=10)], [plain, replace_setting(eot, samples=1)]):
        assert "no adaptive attack" in " ".join(result_flags(weak, randomised=True, repeats=3))
    assert "no adaptive" not in " ".join(result_flags([replace_setting(black, samples=10)], randomised=True, repeats=3))
    assert result_flags([plain, measured("rays", 80, 100, uses="labels")], randomised=False, repeats=1) == []
    assert (
        result_flags([measured("pgd", 90, 100), measured("rays", 92, 100, uses="labels")], randomised=False, repeats=1)
        == []
    )


def test_frames_of_one_sign_are_one_image_of_proof():
    """Thirty frames that the plain attack alone fools are a proof, but not where all of them are of one sign."""
    fooled, left = Record(True, 1, 1, 0.1, 0.1, 0.1, 1, 1), Record(False, 1, 1, 0, 0, 0, 1, 1)
    plain = Measured(setting("pgd"), (fooled,) * 30 + (left,) * 90)
    eot = Measured(setting("eot-pgd-1"), (left,) * 120)
    for kin, flagged in ((names(120), True), ([str(number // 30) for number in range(120)], False)):
        results = [result_of(one, kin) for one in (plain, eot)]
        assert ("pgd beats eot-pgd-1" in " ".join(result_flags(results, randomised=True, repeats=3))) == flagged
        sums = [replace(one, right=None) for one in results]
        assert ("pgd beats eot-pgd-1" in " ".join(result_flags(sums, randomised=True, repeats=3))) == flagged


def test_repeats_of_an_image_are_of_the_same_thing():
    fooled, left = Record(True, 1, 1, 0.1, 0.1, 0.1, 1, 1), Record(False, 1, 1, 0, 0, 0, 1, 1)
    found = result_of(Measured(setting("pgd"), (fooled, left, left, fooled, fooled, left), repeats=2), ["a", "b", "a"])
    assert found.right == (2, 1)
    assert (found.robust.hits, found.robust.total) == (3, 6)


def test_without_chance_an_adaptive_attack_of_fewer_steps_is_not_called_too_weak():
    """RAIN's PGD-2 takes a quarter of PGD's steps; of a model without chance it averages nothing."""
    results = [suites("pgd", 97), suites("eot-pgd-2", 60, samples=0)]
    assert not result_flags(results, randomised=False, repeats=1)
    assert "pgd beats eot-pgd-2" in " ".join(result_flags(results, randomised=True, repeats=3))


def test_a_white_box_of_one_step_may_be_merely_weak():
    flags = result_flags([suites("fgsm", 20), suites("rays", 80)], randomised=False, repeats=1)
    assert flags == [
        "black box beats white box: rays leaves less than fgsm at 8/255, so gradients are masked or fgsm is too weak"
    ]


def test_a_vanished_gradient_is_flagged():
    images = greys(0.3, 0.45, 0.49, 0.6)
    assert gradient_flag(Linear(), images, ZEROS) is None
    flag = gradient_flag(Defended(Rounding(), Linear()), images, ZEROS)
    assert flag is not None
    assert "4 of 4 images" in flag

    def flat(batch):
        return batch.mean((2, 3))[:, :2] * 0

    assert "4 of 4" in str(gradient_flag(flat, images, ZEROS))
