"""`natadv papers advrd`: numbers with intervals and settings in the files, ours beside the paper's."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from capture.scan import scan_session
from edge.classifier import Classifier
from natadv.data.load import load_dataset
from natadv.data.nips17 import load_nips17
from natadv.errors import ConfigError
from natadv.images import write_image
from natadv.models.classifier import create_classifier
from natadv.papers.advrd import TABLE_2, TABLE_3, TABLE_5, TABLE_7, model_column, papers_data
from natadv.papers.cli import app
from natadv.papers.drops import Drops
from natadv.papers.results import read_numbers
from natadv.papers.trial import draw, try_model
from natadv.papers.victim import as_surrogate, label_of, open_victim, targets_of
from natadv.training.checkpoint import save_checkpoint
from tests.scanned_sessions import record
from tests.tiny_bundle import write_tiny_bundle
from tests.tiny_classifier import LABELS, write_tiny_classifier

QUICK = ("--restarts", 3, "--steps", 2, "--step-size", 0.3, "--wetness", "heavy", "--threads", 1)


def run(*arguments):
    result = CliRunner().invoke(app, ["advrd", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Put back what `--threads 1` sets."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


class Tint:
    """A quick generator: lays a colour over the whole picture, the thicker the larger its code's first number."""

    latent_dim = 4

    def __call__(self, images, z):
        thick = 0.9 * torch.sigmoid(2 * z[:, 0]).view(-1, 1, 1, 1)
        return images * (1 - thick) + torch.sigmoid(3 * z[:, 1:]).view(-1, 3, 1, 1) * thick


@pytest.fixture
def tint(monkeypatch):
    monkeypatch.setattr(Drops, "on", lambda self, size, device: Tint())


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Two classifiers and pictures that are a little redder, greener or bluer than grey; one is called wrongly."""
    folder = tmp_path_factory.mktemp("papers")
    write_tiny_classifier(folder / "one.onnx")
    write_tiny_classifier(folder / "two.onnx", blur=0.1)
    rng = np.random.default_rng(0)
    for number in range(12):
        label = LABELS[number % 3]
        image = rng.integers(100, 140, (16, 16, 3)).astype(np.uint8)
        image[..., 2 - LABELS.index(label if number else "green")] += np.uint8(1 + 4 * number)
        for part in ("train", "test"):
            path = folder / "data" / part / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_image(path, image)
    return folder


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """A session whose oldest scan has hits on two of three images; the newer one has them too."""
    folder = tmp_path_factory.mktemp("session")
    archive = record(folder / "wet", [("r", "rrr", "rggr"), ("g", "ggg", "gggg"), ("b", "bbb", "brrb")], purpose="test")
    for name, labels in (("first", ("red", "green", "blue")), ("second", ("red", "green", "blue", "other"))):
        with Classifier(write_tiny_bundle(folder / name, labels), device="cpu", threads=1) as classifier:
            scan_session(archive, classifier)
    return archive.folder


def found(results, name):
    return {number.place: number for number in read_numbers(results / f"advrd/{name}.csv")}


@pytest.mark.usefixtures("tint")
def test_tables_2_and_3_hold_every_attack_its_control_and_the_average(place, tmp_path):
    models = ("--model", place / "one.onnx", "--model", place / "two.onnx", "--surrogate", place / "two.onnx")
    run("--table", 2, "--table", 3, "--data", place / "data", *models, "--results", tmp_path, *QUICK)
    for name, box, published in (("table-2", "white", TABLE_2), ("table-3", "black", TABLE_3)):
        numbers = found(tmp_path, name)
        rows = [*TABLE_2, "PGD", "as many drops, not optimised"]
        assert {place for place in numbers if place[1] != "Average"} == {(r, c) for r in rows for c in ("one", "two")}
        for (row, column), number in numbers.items():
            assert 0 <= number.low <= number.ours <= number.high <= 100
            assert number.n in (10, 11, 12)
            if column == "Average":
                assert number.paper == published.get(row, {}).get("Average")
            else:
                assert f"; model {column}.onnx sha256 " in number.setting
                assert f"; box {box}; " in number.setting
                assert number.setting.startswith("data data; ")
                assert number.setting.endswith("; seed 0") or "not optimised" in row
        assert numbers["FGSM", "one"].ours == pytest.approx(100 * 8 / 11, abs=1e-3)  # three are 32 levels off and more
        assert "; N 3; " in numbers["AdvRD", "one"].setting
        assert numbers["AdvRD", "Average"].paper == published["AdvRD"]["Average"]
        page = (tmp_path / f"advrd/{name}.md").read_text()
        assert page.startswith(f"# Table {name[-1]}.")
    assert "surrogate two.onnx" in found(tmp_path, "table-3")["MIM", "one"].setting


@pytest.mark.usefixtures("tint")
def test_another_model_joins_the_table(place, tmp_path):
    for model, seen in (("one", {"one"}), ("two", {"one", "two"})):
        run("--table", 2, "--data", place / "data", "--model", place / f"{model}.onnx", "--results", tmp_path, *QUICK)
        assert {column for _, column in found(tmp_path, "table-2")} == seen


@pytest.mark.usefixtures("tint")
def test_fewer_images_replace_nothing_unless_they_are_to(place, tmp_path):
    table = ("--table", 7, "--data", place / "data", "--model", place / "one.onnx", "--results", tmp_path, *QUICK)
    run(*table)
    before = found(tmp_path, "table-7")
    result = run(*table, "--count", 5)
    assert "see --replace" in result.output
    assert found(tmp_path, "table-7") == before
    run(*table, "--count", 5, "--replace")
    assert {number.n for number in found(tmp_path, "table-7").values()} <= {4, 5}


@pytest.mark.usefixtures("tint")
def test_table_7_more_codes_fool_no_fewer(place, tmp_path):
    run("--table", 7, "--data", place / "data", "--model", place / "one.onnx", "--results", tmp_path, *QUICK)
    numbers = found(tmp_path, "table-7")
    columns = ["15", "20", "25", "30", "35"]
    rates = [numbers["ASR (%)", column].ours for column in columns]
    assert rates == sorted(rates)
    for column in columns:
        seconds = numbers["Running time (s)", column]
        assert seconds.ours > 0
        assert seconds.paper == TABLE_7["Running time (s)"][column]
        assert f"; N {column}; " in seconds.setting


def test_table_4_is_what_the_scans_say(session, tmp_path):
    run("--table", 4, "--session", f"GTSRB={session}", "--session", session, "--results", tmp_path, *QUICK)
    numbers = found(tmp_path, "table-4")
    assert set(numbers) == {("ASR", "GTSRB"), ("ASR", "wet")}
    assert numbers["ASR", "GTSRB"].paper == 59
    assert numbers["ASR", "wet"].paper is None
    assert numbers["ASR", "wet"].n == 3
    assert numbers["ASR", "wet"].ours == pytest.approx(200 / 3, abs=1e-3)
    assert "clip 1 s at 30 fps" in numbers["ASR", "wet"].setting


def test_table_5_has_both_rows_and_the_session(place, session, tmp_path):
    models = ("--model", place / "one.onnx", "--hardened", place / "two.onnx")
    run("--table", 5, "--data", place / "data", *models, "--session", session, "--results", tmp_path, *QUICK)
    numbers = found(tmp_path, "table-5")
    columns = ("clean", "digital", "digital_control", "physical")
    assert set(numbers) == {(row, column) for row in ("standard", "hardened") for column in columns}
    assert numbers["standard", "clean"].n == 12
    assert numbers["standard", "clean"].ours == pytest.approx(100 * 11 / 12, abs=1e-3)
    assert "model two.onnx" in numbers["hardened", "digital"].setting
    assert "; box white; N 3; T 2; " in numbers["hardened", "digital"].setting
    assert numbers["standard", "physical"].setting != numbers["hardened", "physical"].setting


@pytest.mark.usefixtures("tint")
def test_figure_6_shows_data_and_what_a_session_captured(place, session, tmp_path):
    run("--figure", 6, "--data", place / "data", "--model", place / "one.onnx", "--results", tmp_path / "a", *QUICK)
    dry = cv2.imread(str(tmp_path / "a/advrd/figure-6.png"))
    numbers = found(tmp_path / "a", "figure-6")
    assert {column for _, column in numbers} == {"clean", "AdvRD", "as many drops, not optimised"}
    for (row, _), number in numbers.items():
        assert -1 <= number.low <= number.ours <= number.high <= 1 if "likeness" in row else 33 < number.ours <= 100

    both = ("--session", session, "--model", place / "one.onnx", "--restarts", 10)
    run("--figure", 6, *both, "--results", tmp_path, *QUICK[2:])
    numbers = found(tmp_path, "figure-6")
    assert {row.split(". ")[1] for row, column in numbers if column == "captured" and "likeness" not in row} <= {
        *LABELS
    }
    assert {row[0] for row, column in numbers if column == "captured" and "likeness" not in row} == {"1", "2"}
    assert cv2.imread(str(tmp_path / "advrd/figure-6.png")).shape[1] > dry.shape[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "name a --table or a --figure"),
        (("--table", 1), "--table 1: not one of 2, 3, 4, 5, 7"),
        (("--figure", 7), "--figure 7: not one of 6"),
        (("--table", 2), "needs --model"),
        (("--table", 2, "--model", "ONE"), "needs --data"),
        (("--table", 3, "--model", "ONE", "--data", "DATA"), "needs --surrogate"),
        (("--table", 4), "needs --session"),
        (("--table", 5, "--model", "ONE", "--data", "DATA"), "needs --hardened"),
        (("--table", 2, "--model", "no_such_net", "--data", "DATA"), "neither a file nor a model of timm's"),
        (("--table", 2, "--model", "ONE", "--data", "DATA", "--count", 13), "--count 13: data has 12 images"),
        (("--table", 2, "--model", "ONE", "--data", "DATA", "--wetness", "damp"), "--wetness damp: expected one of"),
        (("--table", 2, "--model", "ONE", "--data", "DATA", "--box", "grey"), "--box grey"),
        (("--table", 2, "--model", "ONE", "--data", "DATA", "--labels", "ONE"), "names its classes itself"),
        (("--table", 4, "--session", "a=x", "--session", "a=y"), "a second one named a"),
    ],
)
def test_what_is_missing_or_wrong_is_said_in_one_line(place, tmp_path, options, message):
    names = {"ONE": place / "one.onnx", "DATA": place / "data"}
    with pytest.raises(ConfigError, match=message):
        run(*(names.get(option, option) for option in options), "--results", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_checkpoints_classes_are_matched_by_label(place, tmp_path):
    with torch.random.fork_rng([]):
        model = create_classifier("natadv_slim", ("red", "blue", "green", "grey"), (16, 16))
    (tmp_path / "run").mkdir()
    save_checkpoint(tmp_path / "run/checkpoint.pt", model, metrics={}, recipe={}, provenance={})
    victim = open_victim(str(tmp_path / "run/checkpoint.pt"))
    assert victim.name == "run"
    data = load_dataset(place / "data", "test")
    names = [data.labels[target] for target in data.targets]
    assert [victim.labels[target] for target in targets_of(victim, data)] == names
    assert not victim.model.training
    trial = try_model(victim, draw(data, count=None, seed=0), size=(20, 20))
    assert trial.images.shape[1:] == (3, 20, 20)
    with pytest.raises(ConfigError, match="its classes are not those of run"):
        as_surrogate(open_victim(str(place / "one.onnx")), victim)


def test_models_of_1000_and_of_1001_classes_agree(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "dev_dataset.csv").write_text("ImageId,TrueLabel\na,306\n")
    write_image(tmp_path / "images/a.png", np.zeros((4, 4, 3), np.uint8))
    data = load_nips17(tmp_path)

    class Fixed(torch.nn.Module):
        def __init__(self, classes):
            super().__init__()
            self.classes = classes

        def forward(self, batch):
            return torch.arange(self.classes).float().repeat(len(batch), 1)

    from natadv.papers.victim import Victim

    big, small = (Victim(f"m{n}", f"m{n}", Fixed(n).eval(), (4, 4), n, None) for n in (1001, 1000))
    assert (targets_of(big, data)[0], targets_of(small, data)[0]) == (306, 305)
    assert label_of(big, data, 306) == label_of(small, data, 305) == "306"
    image = torch.zeros(2, 3, 4, 4)
    assert torch.equal(as_surrogate(small, big)(image)[:, 1:], small.model(image))
    assert (as_surrogate(small, big)(image).softmax(1)[:, 0] == 0).all()
    assert torch.equal(as_surrogate(big, small)(image), big.model(image)[:, 1:])


def test_the_papers_numbers_are_found_by_the_papers_names():
    assert model_column("inception_v3.tf_in1k") == "Inc-v3"
    assert model_column("mobilenet_v2_224") == "mobilenet_v2_224"
    assert papers_data("nips17 (120 of 1000 images)") == "NIPS-17"
    assert papers_data("signs") is None
    assert TABLE_5["GTSRB"]["hardened"]["physical"] == 37
    for table in (TABLE_2, TABLE_3):
        for rates in table.values():
            *models, average = rates.values()
            assert sum(models) / len(models) == pytest.approx(average, abs=0.06)


def test_the_door_knows_papers_and_its_help_waits_for_no_library():
    code = (
        "import sys\nsys.argv = ['natadv', 'papers', '--help']\nfrom natadv.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "ours beside theirs" in done.stdout
    assert not set(done.stdout.splitlines()[-1].split()) & {"torch", "numpy", "cv2", "matplotlib", "onnx"}
