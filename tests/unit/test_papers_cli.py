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
from natadv.data.pairs import load_pairs
from natadv.errors import ConfigError
from natadv.evaluation.rates import Rate
from natadv.images import write_image
from natadv.papers.advrd import TABLE_1, TABLE_2
from natadv.papers.advrd_tables import table_5
from natadv.papers.cli import app
from natadv.papers.drops import DropAttack
from natadv.papers.results import read_numbers
from natadv.papers.sessions import scans_of
from natadv.training.quasi_gan.checkpoint import create_generator, save_generator
from tests.scanned_sessions import record
from tests.tiny_bundle import write_tiny_bundle
from tests.tiny_classifier import LABELS, write_tiny_classifier

QUICK = ("--restarts", 3, "--steps", 2, "--step-size", 0.3, "--threads", 1)


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
    monkeypatch.setattr(DropAttack, "on", lambda self, size, device: Tint())


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
    write_tiny_classifier(tmp_path / "other.onnx", blur=0.2)
    models = ("--model", place / "one.onnx", "--model", place / "two.onnx", "--surrogate", tmp_path / "other.onnx")
    run("--table", 2, "--table", 3, "--data", place / "data", *models, "--results", tmp_path, *QUICK)
    for name, box in (("table-2", "white"), ("table-3", "black")):
        numbers = found(tmp_path, name)
        rows = [*TABLE_2, "PGD", "as many drops, not optimised"]
        assert {place for place in numbers if place[1] != "Average"} == {(r, c) for r in rows for c in ("one", "two")}
        for (row, column), number in numbers.items():
            assert 0 <= number.low <= number.ours <= number.high <= 100
            assert number.n in (10, 11, 12)
            if column == "Average":
                assert number.paper is None  # the paper's is over six other models
            else:
                assert f"; model {column}.onnx sha256 " in number.setting
                assert f"; box {box}; " in number.setting
                assert number.setting.startswith("data data; ")
                assert number.setting.endswith("; seed 0") or "not optimised" in row
        assert numbers["FGSM", "one"].ours == pytest.approx(100 * 8 / 11, abs=1e-3)  # three are 32 levels off and more
        assert "; N 3; " in numbers["AdvRD", "one"].setting
        page = (tmp_path / f"advrd/{name}.md").read_text()
        assert page.startswith(f"# Table {name[-1]}.")
    assert "surrogate other.onnx" in found(tmp_path, "table-3")["MIM", "one"].setting


@pytest.mark.usefixtures("tint")
def test_frames_of_one_sign_are_one_proof(place, tmp_path):
    for picture in (place / "data").rglob("*.png"):  # two signs a label: FGSM fools frames of the first alone
        number = int(picture.stem)
        frame = tmp_path / picture.relative_to(place).parent / f"{number // 8:05d}_{number:05d}.png"
        frame.parent.mkdir(parents=True, exist_ok=True)
        frame.write_bytes(picture.read_bytes())
    one, two = place / "one.onnx", place / "two.onnx"
    for data in (place / "data", tmp_path / "data"):
        where = ("--data", data, "--model", one, "--results", tmp_path / data.parent.name, *QUICK)
        run("--table", 2, "--table", 7, *where)
        run("--table", 5, "--hardened", two, *where)
    both = ("--model", one, "--model", two, "--results", tmp_path / "both")
    run("--table", 2, "--data", tmp_path / "data", *both, *QUICK)
    alone, of_signs = (tmp_path / name for name in (place.name, tmp_path.name))
    for table, cell, images in (
        ("table-2", ("FGSM", "one"), 11),
        ("table-5", ("standard", "clean"), 12),
        ("table-5", ("standard", "digital"), 11),
        ("table-5", ("standard", "black_3"), 11),
        ("table-7", ("ASR (%)", "15"), 11),
    ):
        by_image, by_sign = found(alone, table)[cell], found(of_signs, table)[cell]
        assert by_sign.ours == by_image.ours
        wilson = Rate(round(by_image.ours * images / 100), images).interval
        assert (by_image.low, by_image.high) == pytest.approx([100 * end for end in wilson], abs=1e-3)
        if cell != ("standard", "clean"):  # one wrong image of twelve has no company to be alike with
            assert (by_sign.low, by_sign.high) != (by_image.low, by_image.high), cell
        assert "; interval by image; " in by_image.setting
        assert f"; interval by kin, 6 in {images} images; " in by_sign.setting
    average = found(tmp_path / "both", "table-2")["FGSM", "Average"]
    assert average.n in (11, 12)
    assert f"; interval by kin, 6 in {average.n} images; " in average.setting


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
        assert seconds.paper is None  # the paper's are for all of NIPS-2017
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
    arguments = ("--table", 5, "--data", place / "data", *models, "--session", session, "--results", tmp_path, *QUICK)
    with pytest.raises(ConfigError, match=r"0 scans are by a bundle of .*one\.onnx"):
        run(*arguments)
    first, second = (summary.model.sha256 for _, summary in scans_of(session))
    run(*arguments, "--scan", second[:12], "--scan", first[:12])
    numbers = found(tmp_path, "table-5")
    columns = ("clean", "digital", "digital_control", "black_3", "physical")
    assert set(numbers) == {(row, column) for row in ("standard", "hardened") for column in columns}
    assert numbers["standard", "clean"].n == 12
    assert numbers["standard", "clean"].ours == pytest.approx(100 * 11 / 12, abs=1e-3)
    assert "model two.onnx" in numbers["hardened", "digital"].setting
    assert "; box white; N 3; T 2; " in numbers["hardened", "digital"].setting
    assert f"sha256 {second[:12]}" in numbers["standard", "physical"].setting
    assert f"sha256 {first[:12]}" in numbers["hardened", "physical"].setting


def test_a_whole_table_is_replaced_when_it_is_done_or_not_at_all(place, tmp_path, monkeypatch):
    models = ("--model", place / "one.onnx", "--hardened", place / "two.onnx")
    arguments = ("--table", 5, "--data", place / "data", *models, "--results", tmp_path, *QUICK)
    run(*arguments)
    before = (tmp_path / "advrd/table-5.csv").read_bytes()
    # Accuracy rests on all images whatever is attacked, so it is the second number that says what is wrong.
    with pytest.raises(ConfigError, match=r"rests on 11 images, this run on [1-5]; take other --results, or --replace"):
        run(*arguments, "--count", 5)
    assert (tmp_path / "advrd/table-5.csv").read_bytes() == before

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(table_5, "_black", stop)
    stopped = CliRunner().invoke(app, ["advrd", *map(str, arguments)])
    assert stopped.exit_code == 130
    assert "stopped; table 5 is as it was" in stopped.output
    assert (tmp_path / "advrd/table-5.csv").read_bytes() == before


def test_a_session_of_placed_drops_is_no_success_rate(place, tmp_path):
    archive = record(tmp_path / "placed", [("r", "rrr", "grrr")], purpose="test", placed=(0,))
    with Classifier(write_tiny_bundle(tmp_path / "bundle"), device="cpu", threads=1) as classifier:
        scan_session(archive, classifier)
    with pytest.raises(ConfigError, match="has drops that were chosen to fool"):
        run("--table", 4, "--session", archive.folder, "--results", tmp_path)
    models = ("--model", place / "one.onnx", "--hardened", place / "two.onnx", "--session", archive.folder)
    with pytest.raises(ConfigError, match="has drops that were chosen to fool one model"):
        run("--table", 5, "--data", place / "data", *models, "--results", tmp_path, *QUICK)
    assert not (tmp_path / "advrd").exists()


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
    assert {row for row, column in numbers if column == "captured" and "likeness" not in row} == {"1. red", "2. blue"}
    assert "confidence (%) in 'green'; " in numbers["1. red", "captured"].setting
    assert cv2.imread(str(tmp_path / "advrd/figure-6.png")).shape[1] > dry.shape[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "name a --table or a --figure"),
        (("--table", 8), "--table 8: not one of 1, 2, 3, 4, 5, 6, 7"),
        (("--figure", 5), "--figure 5: not one of 4, 6, 7"),
        (("--table", 1), "needs --pairs"),
        (("--table", 6), "--generator optics: has no eta"),
        (("--table", 2, "--generator", "optics", "--generator", "ONE"), "--table 2 takes one --generator"),
        (("--table", 2, "--generator", "no_such_file.pt"), "generator no_such_file.pt: not a file, nor optics"),
        (("--table", 2), "needs --model"),
        (("--table", 2, "--model", "ONE"), "needs --data"),
        (("--table", 3, "--model", "ONE", "--data", "DATA"), "needs --surrogate"),
        (("--table", 4), "needs --session"),
        (("--table", 5, "--model", "ONE", "--data", "DATA"), "needs --hardened"),
        (("--table", 3, "--model", "ONE", "--data", "DATA", "--surrogate", "ONE"), "is the model attacked itself"),
        (("--table", 2, "--model", "ONE", "--data", "DATA", "--step-size", "nan"), "--step-size nan"),
        (("--table", 2, "--model", "no_such_net", "--data", "DATA"), "neither a file nor a model of timm's"),
        (
            ("--table", 2, "--model", "ONE", "--data", "DATA", "--count", 13),
            "--count 13: there are only 12 images in test of data",
        ),
        (("--table", 2, "--model", "ONE", "--data", "DATA", "--generator", "optics:damp"), "no preset 'damp'"),
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


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Five photographs in noise of their own, whose wet sides have a dark blot; and two trained generators."""
    folder = tmp_path_factory.mktemp("pairs")
    rng = np.random.default_rng(0)
    rows = ["kind,rain,clean_or_restored,source"]
    for number in range(5):
        clean = rng.integers(0, 256, (9, 9, 3)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
        rain = clean.copy()
        rain[20:40, 10 * number : 10 * number + 20] //= 3
        write_image(folder / f"{number}-clean.png", clean)
        write_image(folder / f"{number}-rain.png", rain)
        rows.append(f"true,{number}-rain.png,{number}-clean.png,here")
    (folder / "pairs.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def generators(tmp_path_factory, pairs):
    """Two untrained generators that say they were trained with eta 2 and 6.5, one of them on a pair."""
    folder = tmp_path_factory.mktemp("generators")
    key = load_pairs(pairs)[0].key
    for name, eta, trained in (("small", 2.0, [key]), ("large", 6.5, [])):
        (folder / name).mkdir()
        with torch.random.fork_rng([]):
            generator = create_generator("natadv", 16)
        save_generator(
            folder / name / "generator.pt",
            generator,
            kind="natadv",
            recipe={"eta": eta, "size_px": 64},
            metrics={},
            provenance={"real_pairs": trained},
        )
    return folder / "small/generator.pt", folder / "large/generator.pt"


def test_tables_1_and_6_judge_generators_on_pairs_they_have_not_seen(place, pairs, generators, tmp_path):
    both = ("--generator", generators[1], "--generator", generators[0])
    how = ("--pairs", pairs, "--extractor", place / "one.onnx", "--crops", 3, "--splits", 4, "--results", tmp_path)
    run("--table", 1, "--table", 6, *both, *how, *QUICK)
    numbers = found(tmp_path, "table-1")
    rows = ("large", "small", "control_clean", "control_rendered", "control_bench")
    below = {(row, f"below {name} (% of splits)") for row in rows[:2] for name in rows[2:]}
    same = {(row, "FID to real drops on the same pictures") for row in rows}
    assert set(numbers) == {(row, column) for row in rows for column in TABLE_1} | same | below
    for (row, column), number in numbers.items():
        if (row, column) in below:
            assert number.n == 4
            continue
        if column.startswith("FID to real drops"):
            assert number.ours > 0
            continue
        assert number.low <= number.ours <= number.high
        assert number.n == 12
        assert "12 crops of 4 photographs" in number.setting
        assert number.paper == (TABLE_1[column] if row in ("large", "small") else None)
    assert "generator small sha256 " in numbers["small", "rfid"].setting
    by_eta = found(tmp_path, "table-6")
    assert [(place, number.paper) for place, number in by_eta.items()] == [
        (("RFID", "2"), 1.023),
        (("RFID", "6.5"), None),
    ]
    assert by_eta["RFID", "6.5"].ours == numbers["large", "rfid"].ours


def test_figure_4_shows_real_drops_above_generated_ones(pairs, generators, tmp_path):
    run("--figure", 4, "--pairs", pairs, "--generator", generators[0], "--crops", 2, "--results", tmp_path, *QUICK)
    columns = ("real", "rendered", "small")
    expected = {("covered (%)", column) for column in columns} | {("difference by code", "small")}
    assert set(found(tmp_path, "figure-4")) == expected
    assert cv2.imread(str(tmp_path / "advrd/figure-4.png")).std() > 10


def test_figure_7_is_a_curve_a_model(place, generators, tmp_path):
    both = ("--generator", generators[1], "--generator", generators[0])
    models = ("--model", place / "one.onnx", "--model", place / "two.onnx", "--size", 64)
    run("--figure", 7, "--data", place / "data", *models, *both, "--results", tmp_path, *QUICK)
    numbers = found(tmp_path, "figure-7")
    assert list(numbers) == [(model, eta) for model in ("one", "two") for eta in ("2", "6.5")]
    assert "; eta 6.5; " in numbers["one", "6.5"].setting
    assert cv2.imread(str(tmp_path / "advrd/figure-7.png")).std() > 10
