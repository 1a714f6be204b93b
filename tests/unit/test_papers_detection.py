"""`natadv papers detection` on a drawn bank: the paper's numbers, ours beside them, and detectors that are kept."""

import numpy as np
import pytest
import torch

from natadv.batches import to_batch
from natadv.detection.trial import Attack
from natadv.errors import ConfigError
from natadv.evaluation.resampled import Resampled
from natadv.images import write_image
from natadv.models.classifier import create_classifier
from natadv.papers.detection import FAMILIES, FIGURE_6_NATURAL, KINDS, TABLE_1, paper_mean
from natadv.papers.detection_tables.bench import Backbone, Bench
from natadv.papers.detection_tables.claims import Claim
from natadv.papers.detection_tables.study import Study, alone
from natadv.source_digest import source_digest
from natadv.training.checkpoint import save_checkpoint
from tests.drawn_bank import write_bank
from tests.papers_command import read_table, run_papers
from tests.tiny_classifier import write_tiny_classifier

SIDE, COUNT = 16, 24
ADVERSARIAL = ("fgsm", "pgd", "ni+", "captured")
PRINTED_AVERAGES = {
    "vgg16": (64.30, 63.10, 72.20, 64.65, 69.57, 66.55, 64.42, 58.83),
    "densenet121": (None, 64.40, 73.27, 69.65, 75.61, 67.85, 67.68, 51.81),
    "mobilenet": (None, 66.30, 62.07, 72.39, 78.81, 70.84, 68.95, 52.09),
    "inception_v3": (None, 68.06, 66.91, 71.59, 74.27, 61.23, 68.69, 58.54),
    "xception": (None, 65.40, 67.86, 73.77, 76.88, 62.87, 60.23, 47.85),
}
"""Table 1's last column; of four rows it is lost in the paper's text."""


def test_the_papers_cells_are_those_of_its_printed_averages():
    for name, averages in PRINTED_AVERAGES.items():
        for learnt, average in zip(KINDS, averages, strict=True):
            if average is not None:
                assert sum(TABLE_1[name][learnt].values()) / 7 == pytest.approx(average, abs=0.0051), (name, learnt)


def test_some_of_the_papers_cells():
    assert TABLE_1["vgg16"]["imagenet-a"]["imagenet-a-plus"] == 93.66  # Sec. 5.2 says it too
    assert TABLE_1["densenet121"]["imagenet-a"]["hsv"] == 64.99
    assert TABLE_1["mobilenet"]["pgd"]["deepfool"] == 90.46
    assert TABLE_1["xception"]["hsv"]["ni-"] == 45.81
    assert "fgsm" not in TABLE_1["vgg16"]["fgsm"]
    assert paper_mean("vgg16", ("fgsm", "pgd"), ("fgsm", "pgd")) == pytest.approx((88.1 + 98.87) / 2)
    assert paper_mean("light", ("pgd",), ("fgsm",)) == pytest.approx((98.87 + 97.26 + 97.83 + 96.83 + 98.6) / 5)
    assert FIGURE_6_NATURAL["N + 1"] - FIGURE_6_NATURAL["imagenet-a-plus"] == pytest.approx(3.15)
    assert sum(FAMILIES.values(), ()) == KINDS


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A bank of two artificial kinds, one semantic and one natural, a classifier, and the data it was made of."""
    rng, folder, drawn = np.random.default_rng(0), tmp_path_factory.mktemp("study"), {}
    for part in ("train", "test"):
        clean = np.clip(
            rng.integers(40, 200, (COUNT, 1, 1, 3)) + np.linspace(-20, 20, SIDE)[:, None] + np.zeros((SIDE, SIDE, 3)),
            0, 255,
        ).astype(np.uint8)  # fmt: skip
        (folder / "data" / part / "a").mkdir(parents=True)
        for number, image in enumerate(clean):
            write_image(folder / "data" / part / "a" / f"{number:03d}.png", image)

        def noisy(levels, clean=clean):
            return np.clip(clean + rng.choice((-levels, levels), clean.shape), 0, 255).astype(np.uint8)

        drawn[part] = {"clean": clean, "captured": noisy(3), "fgsm": noisy(16), "pgd": noisy(8), "ni+": noisy(4)}
        drawn[part]["dry"] = noisy(1)
    sources = {
        part: {kind: [f"{part}/a/{number:03d}.png" for number in range(COUNT)] for kind in kinds}
        for part, kinds in drawn.items()
    }
    families = {"dry": "clean", "captured": "natural", "ni+": "semantic"}
    bank = write_bank(folder / "bank", drawn, sources=sources, families=families)
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(0)
        model = create_classifier("natadv_slim", ("a", "b"), (SIDE, SIDE)).eval()
    with torch.no_grad():
        scores = model(to_batch(drawn["test"]["clean"], torch.device("cpu")))
        model.backbone.head.bias[0] += (scores[:, 1] - scores[:, 0]).max() + 1e-3
    save_checkpoint(folder / "checkpoint.pt", model, metrics={}, recipe={}, provenance={})
    write_tiny_classifier(folder / "tiny.onnx", side=SIDE)
    return bank


def run(bank, results, *arguments):
    given = ["detection", bank, "--data", bank.parent / "data", "--epochs", 2, "--false-alarms", 0.2, "--device", "cpu"]
    given += ["--threads", 1, "--cache", bank.parent / "cache", "--results", results, *arguments]
    return run_papers(*given)


def test_the_matrix_of_two_backbones_with_means_the_attack_and_the_floor(place, tmp_path):
    both = ["--backbone", "light", "--backbone", f"mobilenet={place.parent / 'tiny.onnx'}@1"]
    attack = ["--adaptive", 6, "--model", place.parent / "checkpoint.pt", "--steps", 2]
    said = run(place, tmp_path, "--table", 1, "--figure", 4, *both, *attack)
    assert said.count("training light") == said.count("training mobilenet") == said.count("attacking light") == 4
    table, figure = (read_table(tmp_path / "detection" / f"{name}.csv") for name in ("table-1", "figure-4"))
    for name in ("light", "mobilenet"):
        for learnt in ADVERSARIAL:
            row = f"{name}: {learnt}"
            assert (row, learnt) not in table  # that is figure 4's
            cells = [float(table[row, kind]["ours"]) for kind in ADVERSARIAL if kind != learnt]
            assert float(table[row, "average"]["ours"]) == pytest.approx(sum(cells) / 3, abs=1e-3)
            assert table[row, "adaptive"]["n"] == "6" == figure[learnt, f"{name}, adaptive"]["n"]
            assert all(float(one["low"]) <= float(one["ours"]) <= float(one["high"]) for one in table.values())
        seen = [float(figure[kind, name]["ours"]) for kind in ADVERSARIAL]
        assert float(figure["average", name]["ours"]) == pytest.approx(sum(seen) / 4, abs=1e-3)
    within = [float(table["light: captured", kind]["ours"]) for kind in ("fgsm", "pgd")]
    assert float(table["light: captured", "mean artificial"]["ours"]) == pytest.approx(sum(within) / 2, abs=1e-3)
    assert ("light: captured", "mean natural") not in table  # there is no other natural kind
    assert table["mobilenet: fgsm", "pgd"]["paper"] == "91.22"
    assert table["light: fgsm", "pgd"]["paper"] == table["mobilenet: captured", "pgd"]["paper"] == ""
    assert "tiny.onnx; epochs 1;" in table["mobilenet: fgsm", "pgd"]["setting"]
    # All kinds are of all images here, so the images alone tell nothing.
    assert all(float(table["floor (clean originals)", kind]["ours"]) == 50 for kind in ADVERSARIAL)
    page = (tmp_path / "detection" / "table-1.md").read_text()
    assert "## Tested on semantic kinds" in page and "![" in page
    assert all((tmp_path / "detection" / f"{name}.png").stat().st_size > 5000 for name in ("table-1", "figure-4"))
    again = run(place, tmp_path / "again", "--table", 1, *both, *attack)
    assert "training" not in again and "attacking" not in again
    assert read_table(tmp_path / "again" / "detection" / "table-1.csv") == table


def test_figure_6_compares_one_kind_with_all_of_its_category_and_claims_are_judged(place, tmp_path):
    run(place, tmp_path, "--figure", 6, "--claims")
    figure = read_table(tmp_path / "detection" / "figure-6.csv")
    rows = {row for row, _ in figure}
    assert rows == {f"artificial: {name}" for name in ("fgsm alone", "pgd alone", "all, N + 1", "all, binary")}
    assert {column for _, column in figure} == {"light accuracy", "light AUC"}
    page = (tmp_path / "detection" / "claims.md").read_text()
    numbers = read_table(tmp_path / "detection" / "claims.csv")
    gradient = "FGSM and PGD learnt: area on the other of the two less the mean on other categories"
    found = numbers[gradient, "light"]
    word = "confirmed" if float(found["low"]) > 0 else "contradicted" if float(found["high"]) < 0 else "open"
    assert f"- light: {word}. {gradient}: {float(found['ours']):.1f} points" in page
    table_1 = paper_mean("light", ("fgsm", "pgd"), ("fgsm", "pgd"))
    table_1 -= paper_mean("light", ("fgsm", "pgd"), (*FAMILIES["natural"], *FAMILIES["semantic"]))
    assert float(found["paper"]) == pytest.approx(table_1, abs=1e-3)
    assert f"; the mean of the paper's five networks is {float(found['paper']):.1f}." in page  # it has no light one
    assert "not surely above that of their clean originals" in page and "DeepFool" not in page


def bench_of(bank, **more):
    training = {"epochs": 2, "false_alarms": 0.2, "seed": 0, "device": "cpu", "threads": 1}
    return Bench(bank, training, bank.parent / "cache", **more)


def test_accuracy_is_what_a_probability_above_a_half_calls_whatever_the_threshold(place):
    bench, light = bench_of(place), Backbone("light")
    accuracies = Study(bench, (light,), "").measured(light, alone("captured")).accuracies
    loaded = bench.trained(light, alone("captured"))
    assert float(loaded.model.offset) != 0

    def called(kind):
        with torch.no_grad():
            logits = loaded.model.network(to_batch(bench.test.of(kind).images, torch.device("cpu")))
        return (logits.softmax(1)[:, 1] > 0.5).double().mean().item()

    for kind, clean in (("captured", "dry"), ("pgd", "clean")):
        assert accuracies[kind].value == pytest.approx((called(kind) + 1 - called(clean)) / 2)


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ((0.2, 0.1, 0.3), "confirmed"),
        ((-0.2, -0.3, -0.1), "contradicted"),
        ((0.2, -0.1, 0.3), "open"),
        ((0, 0, 0), "open"),
    ],
)
def test_a_claim_is_judged_by_its_whole_interval(values, verdict):
    assert Claim("", "", Resampled(np.array(values, float)), 0.0, ()).verdict == verdict


def another_code(monkeypatch, *mended):
    """Let the code of some modules be another than that of what is kept."""
    monkeypatch.setattr(
        "natadv.papers.detection_tables.bench.source_digest",
        lambda *names: "another" if names == mended else source_digest(*names),
    )


def test_detectors_of_a_training_that_was_mended_since_are_trained_anew(place, monkeypatch):
    told = []
    bench = bench_of(place, notice=told.append)
    before = bench.scores(Backbone("light"), alone("pgd"))
    told.clear()
    bench.scores(Backbone("light"), alone("pgd"))
    assert not told
    another_code(monkeypatch, "natadv.detection.train")
    again = bench.scores(Backbone("light"), alone("pgd"))
    assert told == ["training light: pgd"]
    assert all((again[kind] == before[kind]).all() for kind in before)  # it was not mended after all


def test_another_attack_is_made_anew_and_a_damaged_one_is_said(place, tmp_path, monkeypatch):
    told = []
    for steps in (1, 3):
        bench = bench_of(place, attack=Attack(place.parent / "checkpoint.pt", 4, 8 / 255, steps), notice=told.append)
        assert bench.attacked(Backbone("light"), alone("fgsm")).total == 4
    assert told.count("attacking light: fgsm") == 2
    first = bench.attacked(Backbone("light"), alone("fgsm"))
    assert told.count("attacking light: fgsm") == 2
    another_code(monkeypatch, "natadv.attacks.undetected")
    again = bench.attacked(Backbone("light"), alone("fgsm"))
    assert told.count("attacking light: fgsm") == 3
    assert again == first and again.interval == first.interval
    for path in place.parent.glob("cache/*/adaptive-*.json"):
        path.write_text("{}")
    with pytest.raises(Exception, match="damaged; delete it"):
        bench.attacked(Backbone("light"), alone("fgsm"))
    for path in place.parent.glob("cache/*/adaptive-*.json"):
        path.unlink()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name a --table, a --figure or --claims"),
        (("--table", 2), "--table 2: not one of 1"),
        (("--figure", 4, "--adaptive", 5), "--adaptive and --model go together"),
        (("--figure", 4, "--backbone", "resnet"), "--backbone resnet: expected light"),
        (("--figure", 4, "--backbone", "mobilenet=none.onnx"), "there is no file 'none.onnx'"),
        (("--figure", 4, "--backbone", "light@none"), "expected a number of epochs"),
        (("--figure", 4, "--false-alarms", 2), "expected 0..1"),
    ],
)
def test_what_cannot_be_is_said_at_the_door(place, tmp_path, arguments, said):
    with pytest.raises(ConfigError, match=said):
        run(place, tmp_path, *arguments)


def test_a_classifier_of_other_data_is_refused_before_anything_is_trained(place, tmp_path):
    other = create_classifier("natadv_slim", ("b", "c"), (SIDE, SIDE)).eval()
    save_checkpoint(tmp_path / "other.pt", other, metrics={}, recipe={}, provenance={})
    with pytest.raises(ConfigError, match="has no label 'a', which the bank has; name the model of its data"):
        run(
            place, tmp_path, "--figure", 4, "--adaptive", 5, "--model", tmp_path / "other.pt", "--cache", tmp_path / "c"
        )
    assert not (tmp_path / "c").exists()
