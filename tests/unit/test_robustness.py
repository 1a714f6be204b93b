"""The robustness bench: records, the cache, adaptive attacks."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from natadv.attacks.outcome import Outcome
from natadv.attacks.stand_in import Expectation, StraightThrough
from natadv.attacks.suite import SUITE, Setting, setting
from natadv.defenses.defended import Defended
from natadv.errors import ConfigError, DataError
from natadv.evaluation.kin_rates import clean_passes, left_by_all
from natadv.evaluation.rates import KinRate
from natadv.evaluation.record import Record, records
from natadv.evaluation.record_cache import RecordCache, image_digests
from natadv.evaluation.robustness import Measured, adaptive, attack_all, attack_cache

LEVEL = 1 / 255


class Linear(nn.Module):
    """Two classes: the mean of a picture above or below a bound."""

    def __init__(self, bound=0.5, slope=100.0):
        super().__init__()
        self.bound, self.slope = bound, slope
        self.eval()

    def forward(self, batch):
        score = self.slope * (batch.mean((1, 2, 3)) - self.bound)
        return torch.stack([-score, score], 1)


class Jitter(nn.Module):
    """A randomised defence: adds one random number to each picture."""

    randomised, differentiable = True, True

    def __init__(self, spread=0.02):
        super().__init__()
        self.spread = spread

    def forward(self, batch, chance):
        return batch + self.spread * torch.randn(len(batch), 1, 1, 1, generator=chance)


class Rounding(nn.Module):
    """A defence without a gradient: sixteen levels."""

    randomised, differentiable = False, False

    def forward(self, batch, chance):
        return (batch * 15).round() / 15


def greys(*levels, side=8):
    return torch.stack([torch.full((3, side, side), round(255 * level) / 255) for level in levels])


ZEROS = torch.zeros(4, dtype=torch.int64)


@pytest.fixture
def images():
    return greys(0.49, 0.47, 0.40, 0.2)


def test_an_attack_breaks_what_its_budget_reaches_and_no_more(images):
    found = attack_all(Linear(), images, ZEROS, setting("fgsm"))
    assert [record.fooled for record in found.records] == [True, True, False, False]  # 0.5 - 8/255 = 0.469
    assert found.robust.hits == 2
    first, last = found.records[0], found.records[-1]
    assert first.linf == pytest.approx(8 * LEVEL, abs=1e-5)
    assert first.l0 == 1
    assert first.queries == 3
    assert first.gradients == 1
    assert (last.l0, last.l2, last.linf, last.png) == (0, 0, 0, 1)


def test_records_weigh_the_files():
    clean = greys(0.5, side=32)
    noisy = torch.randint(0, 256, clean.shape, generator=torch.Generator().manual_seed(0)) / 255
    outcome = Outcome(noisy, torch.tensor([True]), torch.tensor([3]), torch.tensor([1]))
    (record,) = records(outcome, clean)
    assert record.png > 5
    assert record.jpeg > 2
    assert record.linf > 0.4


def test_a_stopped_run_goes_on_with_what_is_there(images, tmp_path):
    asked = []

    class Spied(Linear):
        def forward(self, batch):
            asked.append(len(batch))
            return super().forward(batch)

    def attacked(some):
        cache = RecordCache(tmp_path, {"model": "m"})
        return attack_all(Spied(), some, ZEROS[: len(some)], setting("fgsm"), cache=cache, batch_size=2)

    first = attacked(images[:2])
    asked.clear()
    again = attacked(images)
    assert again.records[:2] == first.records
    assert sum(asked) == 2 * 1 + 2 * 2  # two images: a look, then a gradient and a re-check each
    asked.clear()
    assert attacked(images) == again
    assert not asked


def test_records_do_not_depend_on_what_was_attacked_before(images, tmp_path):
    def attacked(folder, some):
        model, cache = Defended(Jitter(), Linear()), RecordCache(tmp_path / folder, {})
        return attack_all(model, some, ZEROS[: len(some)], setting("pgd"), cache=cache)

    fresh = attacked("fresh", images)
    attacked("used", images[1:3])
    assert attacked("used", images) == fresh


def test_a_block_is_attacked_whole_or_not_at_all(images, tmp_path):
    def attacked(folder, **more):
        model, cache = Defended(Jitter(), Linear()), RecordCache(tmp_path / folder, {})
        return attack_all(model, images, ZEROS, setting("pgd"), cache=cache, batch_size=2, **more)

    whole = attacked("whole")
    attacked("parts", part=slice(1, None, 2))
    (path,) = (tmp_path / "parts").iterdir()
    assert len(path.read_text().splitlines()) == 1 + 2
    assert attacked("parts") == whole
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))  # as if it had been stopped between two images
    assert attacked("parts") == whole


def test_other_settings_have_another_file(tmp_path):
    paths = {RecordCache(tmp_path, {"model": model, "steps": steps}).path for model in "ab" for steps in (1, 2)}
    assert len(paths) == 4


def test_a_line_cut_off_is_done_again_and_damage_is_refused(images, tmp_path):
    cache = RecordCache(tmp_path, {"model": "m"})
    attack_all(Linear(), images, ZEROS, setting("fgsm"), cache=cache)
    text = cache.path.read_text()
    cache.path.write_text(text[:-20])
    digests = image_digests(images, ZEROS)
    torn = RecordCache(tmp_path, {"model": "m"})
    assert [torn.get(digest) is not None for digest in digests] == [True, True, True, False]
    attack_all(Linear(), images, ZEROS, setting("fgsm"), cache=torn)
    assert all(RecordCache(tmp_path, {"model": "m"}).get(digest) for digest in digests)
    cache.path.write_text(text.replace('"queries"', '"qeries"', 1))
    with pytest.raises(DataError, match=r"line 2 is no record; move the file away"):
        RecordCache(tmp_path, {"model": "m"})


def test_images_differ_by_values_and_by_label(images):
    digests = image_digests(images, ZEROS) + image_digests(images[:1], torch.ones(1, dtype=torch.int64))
    assert len(set(digests)) == 5


def test_expectation_is_the_mean_and_so_is_its_gradient():
    """On a bent model: logits of k passes on k draws of the noise, done again by hand."""
    defense = Jitter(0.3)
    model = Defended(defense, nn.Sequential(nn.Flatten(), nn.Linear(12, 3), nn.Tanh()), seed=5)
    batch = torch.rand(2, 3, 2, 2, generator=torch.Generator().manual_seed(1)).requires_grad_()
    mean = Expectation(model, 4)(batch)
    (gradient,) = torch.autograd.grad(mean[:, 1].sum(), batch)
    model.reseed(5)
    copies = batch.detach().repeat_interleave(4, 0).requires_grad_()
    logits = model(copies)
    (each,) = torch.autograd.grad(logits[:, 1].sum(), copies)
    assert torch.allclose(mean, logits.view(2, 4, 3).mean(1))
    assert torch.allclose(gradient, each.view(2, 4, 3, 2, 2).mean(1), atol=1e-7)
    assert logits.view(2, 4, 3).std(1).min() > 0


def test_straight_through_gives_the_defended_logits_and_a_gradient():
    model = Defended(Rounding(), Linear())
    batch = greys(0.47).requires_grad_()
    logits = StraightThrough(model)(batch)
    assert torch.equal(logits, model(batch.detach()))
    (gradient,) = torch.autograd.grad(logits[:, 1].sum(), batch)
    assert (gradient > 0).all()


def test_straight_through_refuses_a_defence_that_changes_the_size():
    class Halved(Rounding):
        def forward(self, batch, chance):
            return batch[..., ::2, ::2]

    with pytest.raises(ValueError, match="the identity cannot stand for it"):
        StraightThrough(Defended(Halved(), Linear()))(greys(0.47))


def test_a_defence_without_gradients_is_gone_round_and_its_passes_are_counted(images):
    model = Defended(Rounding(), Linear())
    found = attack_all(model, images, ZEROS, setting("fgsm"))
    assert found.records[0].fooled
    assert found.records[0].gradients == 1


def test_an_average_is_charged_all_its_passes(images):
    model = Defended(Jitter(), Linear(0.9))
    found = attack_all(model, images, ZEROS, setting("fgsm").averaged(5))
    assert [record.gradients for record in found.records] == [5] * 4
    assert [record.queries for record in found.records] == [6] * 4


def test_a_run_on_a_randomised_model_repeats_itself(images):
    runs = [attack_all(Defended(Jitter(), Linear()), images, ZEROS, setting("pgd"), seed=3) for _ in range(2)]
    assert runs[0] == runs[1]


def test_adaptive_attacks_are_added_for_randomised_models_alone():
    asked = [setting("fgsm"), setting("pgd"), setting("rays"), setting("eot-pgd-2")]
    randomised = Defended(Jitter(), Linear())
    assert [one.name for one in adaptive(asked, randomised, 7)] == [
        "fgsm",
        "eot-fgsm",
        "pgd",
        "eot-pgd",  # of 40 steps, where RAIN's own has ten
        "rays",
        "eot-rays",
        "eot-pgd-2",
    ]
    same = adaptive([setting("pgd"), setting("cw"), setting("eot-pgd-1"), setting("eot-cw")], randomised, 7)
    assert [one.name for one in same] == ["pgd", "cw", "eot-cw-sure", "eot-pgd-1", "eot-cw"]
    assert adaptive(asked, randomised, 7)[1].samples == 7
    assert adaptive(asked, Linear(), 7) == asked


def names(images):
    return [str(number) for number in range(len(images))]


def test_clean_accuracy_counts_all_passes(images):
    assert KinRate.of(*clean_passes(Linear(), images, ZEROS, names(images))).value == 1
    model = Defended(Jitter(0.05), Linear())
    many = greys(0.5, 0.0).repeat(50, 1, 1, 1)
    found = KinRate.of(*clean_passes(model, many, torch.zeros(100, dtype=torch.int64), names(many), passes=10))
    assert 0.6 < found.value < 0.9
    assert found.interval[0] < found.value < found.interval[1]
    assert found.total == 1000  # passes; an image's are kin, so the interval is of 100
    assert found.interval[1] - found.interval[0] > 2 * 1.96 * (found.value * (1 - found.value) / 1000) ** 0.5


def test_every_setting_names_a_function_that_is_there():
    from importlib import import_module

    for one in SUITE.values():
        module, name = one.attack.split(".")
        assert callable(getattr(import_module(f"natadv.attacks.{module}"), name)), one.name


def test_an_unknown_attack_is_refused():
    with pytest.raises(ConfigError, match="attack 'pdg': expected one of fgsm"):
        setting("pdg")


def test_a_randomised_model_has_one_look_at_an_image(images):
    """Nothing can be done about these with a zero gradient, so accuracy under attack is that without."""
    model = Defended(Jitter(0.05), Linear())
    many = greys(0.45).repeat(400, 1, 1, 1)
    still = Setting("fgsm", "library.fgsm", {"epsilon": 1e-6})
    found = attack_all(model, many, torch.zeros(400, dtype=torch.int64), still)
    clean = KinRate.of(*clean_passes(model, many, torch.zeros(400, dtype=torch.int64), names(many), passes=5))
    assert found.robust.value == pytest.approx(clean.value, abs=0.06)
    assert math.isnan(found.mean_size("png"))


def test_an_averaged_black_box_does_not_stop_at_a_lucky_pass():
    """Grey levels 3 below the bound: within the budget, and now and then wrong without any attack."""
    model = Defended(Jitter(0.01), Linear(0.5))
    many, zeros = greys(0.488).repeat(24, 1, 1, 1), torch.zeros(24, dtype=torch.int64)
    plain = attack_all(model, many, zeros, setting("rays"), batch_size=24)
    averaged = attack_all(model, many, zeros, setting("rays").averaged(10), batch_size=24)
    assert averaged.robust.hits < 0.5 * plain.robust.hits
    assert averaged.robust.hits <= 4


@pytest.mark.parametrize("name", ["nes", "zoo", "rays", "hsv", "ni+"])
def test_an_averaged_black_box_is_as_strong_as_the_plain_one_where_there_is_no_chance(name):
    """Behind a defence that draws nothing the mean of passes is one pass; what is asked is charged so many times."""
    images = torch.randint(90, 166, (4, 3, 8, 8), generator=torch.Generator().manual_seed(0)) / 255
    net = Linear(float(images.mean()) + 2 / 255, slope=400.0)
    labels = net(images).argmax(1)
    one = replace(setting(name), options={**setting(name).options})
    plain = one(net, images, labels)
    averaged = one.averaged(3)(Defended(Jitter(0.0), net), images, labels, batch_size=96)
    assert torch.equal(plain.fooled, averaged.fooled)
    if name in ("nes", "zoo", "rays"):
        assert plain.fooled.all()
    assert (averaged.queries > 2 * plain.queries).all()


def test_an_averaged_black_box_attacks_what_the_mean_gets_wrong_at_first_sight():
    """Whose next pass may be right: left alone, half of these would count as robust."""
    model = Defended(Jitter(0.02), Linear(0.5))
    many, zeros = greys(0.5).repeat(40, 1, 1, 1), torch.zeros(40, dtype=torch.int64)
    averaged = attack_all(model, many, zeros, setting("rays").averaged(10), batch_size=40)
    assert averaged.robust.hits <= 8


def test_all_that_an_adaptive_attack_asks_of_the_model_is_charged():
    model, asked = Defended(Jitter(0.01), Linear(0.5, slope=400)), []
    model.classifier.register_forward_hook(lambda module, given, output: asked.append(len(output)))
    for name in ("eot-cw-sure", "eot-pgd-2"):
        asked.clear()
        outcome = setting(name)(model, greys(0.488), torch.zeros(1, dtype=torch.int64))
        assert outcome.queries.tolist() == [sum(asked)], name


def test_a_lead_makes_smallest_changes_fool_the_next_pass_too():
    model = Defended(Jitter(0.01), Linear(0.5, slope=400))
    many, zeros = greys(0.47).repeat(40, 1, 1, 1), torch.zeros(40, dtype=torch.int64)
    at_the_boundary = attack_all(model, many, zeros, replace(setting("eot-cw"), samples=10), batch_size=40)
    sure = attack_all(model, many, zeros, setting("cw").averaged(10), batch_size=40)
    assert sure.setting.name == "eot-cw-sure"
    assert at_the_boundary.robust.value > 0.25
    assert sure.robust.value < 0.5 * at_the_boundary.robust.value


def test_what_all_attacks_leave_is_what_none_of_them_fools_at_any_time():
    fooled, left = Record(True, 1, 1, 0.1, 0.1, 0.1, 1, 1), Record(False, 1, 1, 0, 0, 0, 1, 1)
    once = Measured(setting("fgsm"), (fooled, left, left, left))
    twice = Measured(setting("pgd"), (left, fooled, left, left, left, left, fooled, left), repeats=2)
    found = left_by_all([once, twice], ["a", "b", "c", "d"])
    assert (found.hits, found.total) == (1, 4)


def test_repeats_of_an_image_are_kin():
    fooled, right = Record(True, 1, 1, 0.1, 0.1, 0.1, 1, 1), Record(False, 3, 1, 0, 0, 0, 1, 1)
    once = Measured(setting("fgsm"), (fooled,) * 5 + (right,) * 45)
    thrice = Measured(setting("fgsm"), once.records * 3, repeats=3)
    assert thrice.images == 50
    assert thrice.robust.value == once.robust.value
    assert thrice.interval[0] == pytest.approx(once.interval[0], abs=0.02)
    assert once.mean_passes("queries") == pytest.approx(2.8)


def test_sizes_are_of_changed_images_alone():
    unattacked, changed = Record(True, 1, 0, 0, 0, 0, 1, 1), Record(True, 1, 1, 1, 0.1, 0.1, 1.5, 2)
    assert Measured(setting("fgsm"), (unattacked, changed)).mean_size("png") == 1.5


def test_a_first_write_cut_off_is_begun_again(images, tmp_path):
    cache = RecordCache(tmp_path, {"model": "m"})
    attack_all(Linear(), images, ZEROS, setting("fgsm"), cache=cache)
    whole = cache.path.read_bytes()
    cache.path.write_bytes(whole[:10])
    attack_all(Linear(), images, ZEROS, setting("fgsm"), cache=RecordCache(tmp_path, {"model": "m"}))
    assert cache.path.read_bytes() == whole


def test_what_decides_a_result_is_in_the_caches_name(tmp_path):
    def path(attack=None, **changed):
        given = {"size": (8, 8), "seed": 0, "batch_size": 32, "device": "cpu"} | changed
        return attack_cache(tmp_path, "m", "none", attack or setting("cw"), **given).path

    others = [path(seed=1), path(batch_size=16), path(size=(9, 8)), path(device="cuda"), path(setting("ead"))]
    others += [path(replace(setting("cw"), options={"confidence": 1.0})), path(setting("cw").averaged(2))]
    assert len({path(), *others}) == 8
    assert "initial_const" in setting("cw").described()["options"]
