"""`natadv papers rain` and `advdrop` on a tiny classifier and a folder of colours, and their rows and numbers."""

import csv

import pytest
import torch
from typer.testing import CliRunner

from natadv.errors import ConfigError, DataError
from natadv.evaluation.squeezes import SQUEEZES, squeezed
from natadv.models.super_resolution.create import create_super_resolution
from natadv.papers.cli import app
from natadv.papers.rain import COLUMNS, IMAGENET, STL10, TITLES
from natadv.papers.rain_tables.rows import Models, own_networks, rows
from natadv.training.rain.checkpoint import save_network
from tests.colours import write_colours
from tests.tiny_classifier import write_tiny_classifier

run = CliRunner().invoke


@pytest.fixture
def data(tmp_path):
    return write_colours(tmp_path / "colours")


@pytest.fixture
def model(tmp_path):
    return write_tiny_classifier(tmp_path / "tiny.onnx")


@pytest.fixture
def rain(tmp_path):
    torch.manual_seed(0)
    return write_network(tmp_path / "rain.pt")


def write_network(path, *, share=0.1, order="down-shift-up", per_channel=False, tuned_for=None):
    network, name = create_super_resolution("compact:4x1"), "compact:4x1"
    recipe = {"share": share, "order": order, "per_channel": per_channel}
    save_network(path, network, name=name, recipe=recipe, metrics={}, provenance=tuned_for or {})
    return path


def read(path):
    with path.open(newline="") as file:
        return {(row["row"], row["column"]): row for row in csv.DictReader(file)}


def test_the_papers_numbers_are_its_own():
    assert STL10[3]["RAIN"] == {"clean": 92.9, "fgsm": 68.1, "pgd": 4.5, "cw": 78.1, "deepfool": 73.4, "ead": 82.8}
    assert IMAGENET[5]["RAIN-AT"]["eot-cw"] == 47.3
    assert "pgd" not in STL10[3]["Madry"]
    # A row of each table, last columns where a slip would show.
    assert STL10[1]["RdmSCS p=0.05"] == {"clean": 95.8, "fgsm": 21.5, "cw": 42.1, "deepfool": 9.3}
    assert STL10[2]["RdmDU-SR"] == {"clean": 93.5, "fgsm": 56.5, "cw": 74.2, "deepfool": 66.4}
    assert STL10[4]["RAIN"] == {"clean": 92.9, "zoo": 91.2, "nes": 87.1, "rays": 88.2}
    assert STL10[5]["RAIN"] == {"clean": 92.9, "eot-fgsm": 18.8, "eot-pgd-1": 1, "eot-pgd-2": 2.3, "eot-cw": 40.2}
    assert STL10[6]["RdmSCS-RdmDU"] == {"clean": 90.9, "fgsm": 67.5, "deepfool": 73.7, "cw": 84.3}
    assert STL10[7]["p=0.15"] == {"clean": 77.4, "fgsm": 59, "deepfool": 70.3, "cw": 67.1}
    assert IMAGENET[3]["RAIN"] == {"clean": 93.3, "fgsm": 62.5, "pgd": 1.2, "cw": 52.3, "deepfool": 86.7, "ead": 85.7}
    assert IMAGENET[4]["RandP&R"] == {"clean": 92.8, "zoo": 86.7, "nes": 88.1, "rays": 91.3}
    assert set(STL10) == set(COLUMNS) == set(TITLES) == set(range(1, 8))


def test_rows_are_those_that_there_are_models_for():
    few, all_ = Models("plain.pt", "rain.pt"), Models("plain.pt", "rain.pt", "madry.pt", "denoised.pt", "rain-at.pt")
    assert [row.name for row in rows(3, few)] == ["CNN-only", "RAIN", "PixelDef", "RandP&R"]
    for table in STL10:
        assert {row.name for row in rows(table, all_)} == set(STL10[table])
    by_name = {row.name: row for row in rows(5, all_)}
    usual = "rain:rain-at.pt@share=0.05,order=down-shift-up,per_channel=no"
    assert (by_name["RAIN-AT"].model, by_name["RAIN-AT"].defense) == ("madry.pt", usual)
    with pytest.raises(ConfigError, match="--table 6 needs --rain"):
        rows(6, Models("plain.pt"))


def test_a_row_takes_the_network_tuned_at_its_own_settings(tmp_path):
    tuned = {"tuned_for": {"classifier": "plain"}}
    far = write_network(tmp_path / "far.pt", share=0.15, **tuned)
    still = write_network(tmp_path / "still.pt", share=0.05, order="down-up", **tuned)
    models = Models("plain.pt", "rain.pt", own=own_networks([far, still]))
    assert [row.defense for row in rows(7, models)] == [
        *(f"rain:rain.pt@share={share},order=down-shift-up,per_channel=no" for share in ("0.01", "0.05", "0.1")),
        f"rain:{far}@share=0.15,order=down-shift-up,per_channel=no",
    ]
    assert rows(2, models)[-1].defense == f"rain:{still}@order=down-up,per_channel=no"
    again = write_network(tmp_path / "again.pt", share=0.15, **tuned)
    with pytest.raises(ConfigError, match=r"tuned at share=0\.15,order=down-shift-up, as .*far\.pt is"):
        own_networks([far, again])
    with pytest.raises(ConfigError, match="name it first"):
        own_networks([write_network(tmp_path / "usual.pt", share=0.05, **tuned)])
    with pytest.raises(ConfigError, match="a pixel a channel, which no row has"):
        own_networks([write_network(tmp_path / "channels.pt", share=0.1, per_channel=True, **tuned)])
    with pytest.raises(ConfigError, match="was not tuned"):
        own_networks([write_network(tmp_path / "bare.pt", share=0.1)])


def test_a_table_is_written_number_by_number_and_goes_on(data, model, rain, tmp_path):
    given = ["rain", "--table", "3", "--data", str(data), "--model", str(model), "--rain", str(rain)]
    kept = ["--cache", str(tmp_path / "cache"), "--results", str(tmp_path / "results"), "--device", "cpu"]
    wanted = ["--attack", "clean", "--attack", "fgsm", "--row", "CNN-only", "--row", "RAIN"]
    done = run(app, [*given, *kept, *wanted])
    assert done.exit_code == 0, done.output
    table = read(tmp_path / "results" / "rain" / "table-3.csv")
    assert set(table) == {(f"{row}@colours", column) for row in ("CNN-only", "RAIN") for column in ("clean", "fgsm")}
    assert float(table["CNN-only@colours", "clean"]["ours"]) == 100
    assert float(table["CNN-only@colours", "fgsm"]["ours"]) < 50
    assert table["CNN-only@colours", "fgsm"]["paper"] == "7.4"
    assert "share 0.05" in table["RAIN@colours", "fgsm"]["setting"]  # the paper's, not the file's
    before = {path.name: path.read_bytes() for path in (tmp_path / "cache").iterdir()}
    assert len(before) == 2
    assert run(app, [*given, *kept, *wanted]).exit_code == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "cache").iterdir()} == before


def test_a_limit_of_queries_stands_beside_the_numbers_that_it_holds_for(data, model, rain, tmp_path):
    given = ["rain", "--table", "4", "--data", str(data), "--model", str(model), "--row", "CNN-only", "--device", "cpu"]
    kept = ["--cache", str(tmp_path / "cache"), "--results", str(tmp_path / "results")]
    settings = []
    for limit in (["--queries", "5"], ["--queries", "6", "--replace"]):
        assert run(app, [*given, *kept, "--attack", "rays", *limit]).exit_code == 0
        table = read(tmp_path / "results" / "rain" / "table-4.csv")
        settings.append(table["CNN-only@colours", "rays"]["setting"])
    assert "; queries 5; " in settings[0]
    assert "; queries 6; " in settings[1]
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_figures_are_drawn(data, model, rain, tmp_path):
    given = ["rain", "--figure", "4", "--figure", "6", "--data", str(data), "--model", str(model), "--rain", str(rain)]
    done = run(app, [*given, "--results", str(tmp_path), "--device", "cpu"])
    assert done.exit_code == 0, done.output
    curve = read(tmp_path / "rain" / "figure-4.csv")
    assert float(curve["colours", "1"]["ours"]) == 100
    write_colours(tmp_path / "others")
    again = ["rain", "--figure", "4", "--data", str(tmp_path / "others"), "--model", str(model), "--device", "cpu"]
    assert run(app, [*again, "--results", str(tmp_path)]).exit_code == 0
    both = read(tmp_path / "rain" / "figure-4.csv")
    assert {row for row, _ in both} == {"colours", "others"}
    assert both["colours", "0.1"] == curve["colours", "0.1"]
    change = read(tmp_path / "rain" / "figure-6.csv")
    assert {row for row, _ in change} == {"CNN-only", "RAIN", "RAIN, mean of 40 passes"}
    assert all(float(number["ours"]) > 0 for number in change.values())


def test_networks_are_compared_by_cost(data, model, rain, tmp_path):
    given = ["rain", "--frontier", str(rain), "--frontier", "bicubic", "--data", str(data), "--model", str(model)]
    done = run(app, [*given, "--cache", str(tmp_path / "cache"), "--results", str(tmp_path), "--device", "cpu"])
    assert done.exit_code == 0, done.output
    found = read(tmp_path / "rain" / "frontier.csv")
    assert {row for row, _ in found} == {"CNN-only", "compact:4x1", "bicubic"}
    assert float(found["CNN-only", "latency over bare"]["ours"]) == 1
    assert float(found["CNN-only", "clean of all"]["ours"]) == 100
    assert float(found["compact:4x1", "latency over bare"]["ours"]) > 1
    assert float(found["bicubic", "thousand weights"]["ours"]) == 0
    assert 0 < float(found["bicubic", "clean"]["ours"]) <= 100


def test_a_frontiers_intervals_say_of_how_many_things_they_are(data, model, tmp_path):
    for picture in (data / "test").rglob("*.png"):
        picture.rename(picture.with_name(f"00000_{int(picture.stem):05}.png"))  # two frames of one sign
    given = ["rain", "--frontier", "bicubic", "--data", str(data), "--model", str(model), "--count", "3"]
    done = run(app, [*given, "--cache", str(tmp_path / "cache"), "--results", str(tmp_path), "--device", "cpu"])
    assert done.exit_code == 0, done.output
    found = read(tmp_path / "rain" / "frontier.csv")
    assert "interval by kin, 3 in 6 images" in found["bicubic", "clean of all"]["setting"]
    assert "3 in 6" not in found["bicubic", "clean"]["setting"]


def test_flags_stand_beside_a_rows_accuracy_whenever_they_were_found(data, model, rain, tmp_path):
    given = ["rain", "--table", "5", "--data", str(data), "--model", str(model), "--rain", str(rain), "--row", "RAIN"]
    kept = ["--cache", str(tmp_path / "cache"), "--results", str(tmp_path), "--device", "cpu"]
    assert run(app, [*given, *kept, "--attack", "eot-fgsm"]).exit_code == 0
    done = run(app, [*given, *kept, "--attack", "clean"])
    assert done.exit_code == 0
    assert "may mislead: its network was tuned for no classifier" in done.output
    said = read(tmp_path / "rain" / "table-5.csv")["RAIN@colours", "clean"]["setting"]
    assert "single noise draw" in said
    assert "its network was tuned for no classifier, not for tiny" in said
    assert "no adaptive attack" not in said


def test_flags_see_the_tables_of_the_same_rows_together(data, model, rain, tmp_path):
    """FGSM alone is no adaptive attack; table V has one of the same row."""
    given = ["rain", "--data", str(data), "--model", str(model), "--rain", str(rain), "--row", "RAIN"]
    kept = ["--cache", str(tmp_path / "cache"), "--results", str(tmp_path), "--device", "cpu"]
    for attack, table, flagged in (("fgsm", 3, True), ("eot-fgsm", 5, False), ("fgsm", 3, False)):
        assert run(app, [*given, *kept, "--table", str(table), "--attack", attack]).exit_code == 0
        said = read(tmp_path / "rain" / f"table-{table}.csv")["RAIN@colours", "clean"]["setting"]
        assert ("no adaptive attack" in said) == flagged


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (["--row", "RIAN"], "--row RIAN: the tables asked for have CNN-only, RAIN"),
        (["--row", "Madry"], "; Madry needs --madry"),
        (["--attack", "rays"], "--attack rays: the tables asked for have clean, fgsm"),
        (["--queries", "9"], "--queries 9: no attack asked for has such a limit; nes, zoo, rays"),
        (["--madry", "nowhere.pt"], "nowhere.pt"),
    ],
)
def test_wrong_names_are_refused_before_anything_is_attacked(wrong, words, data, model, rain, tmp_path):
    given = ["rain", "--table", "3", "--data", str(data), "--model", str(model), "--rain", str(rain), *wrong]
    done = run(app, [*given, "--cache", str(tmp_path / "cache"), "--results", str(tmp_path), "--device", "cpu"])
    assert isinstance(done.exception, ConfigError | DataError)
    assert words in str(done.exception)
    assert not (tmp_path / "cache").exists()


def test_a_row_that_a_table_lacks_is_not_said_to_need_what_is_there(data, model, rain, tmp_path):
    given = ["rain", "--table", "1", "--data", str(data), "--model", str(model), "--rain", str(rain), "--row", "RAIN"]
    done = run(app, [*given, "--cache", str(tmp_path / "cache"), "--results", str(tmp_path), "--device", "cpu"])
    assert "have CNN-only, RdmSCS p=0.01" in str(done.exception)
    assert "needs" not in str(done.exception)


def test_a_frontier_tells_networks_of_one_architecture_apart(data, model, rain, tmp_path):
    torch.manual_seed(9)
    other = write_network(tmp_path / "other.pt")
    given = ["rain", "--data", str(data), "--model", str(model), "--cache", str(tmp_path), "--results", str(tmp_path)]
    both = [*given, "--frontier", str(rain), "--frontier", str(other), "--device", "cpu"]
    assert run(app, both).exit_code == 0
    rows_ = {row for row, _ in read(tmp_path / "rain" / "frontier.csv")}
    assert len(rows_ - {"CNN-only"}) == 2
    assert all(row.startswith("compact:4x1 ") for row in rows_ - {"CNN-only"})
    assert isinstance(run(app, [*both, "--frontier", str(rain)]).exception, ConfigError)
    smaller = run(app, [*both, "--count", "2"])
    assert "rests on 6 images, this run on 2" in str(smaller.exception)


def test_one_image_has_no_interval(data, model, rain, tmp_path):
    given = ["rain", "--figure", "6", "--data", str(data), "--model", str(model), "--rain", str(rain), "--count", "1"]
    assert run(app, [*given, "--results", str(tmp_path), "--device", "cpu"]).exit_code == 0
    assert read(tmp_path / "rain" / "figure-6.csv")["RAIN", "change, %"]["low"] == ""


@pytest.mark.parametrize("wrong", [["--table", "8"], ["--figure", "5"], []])
def test_unknown_tables_are_refused(wrong, data, model):
    done = run(app, ["rain", *wrong, "--data", str(data), "--model", str(model)])
    assert isinstance(done.exception, ConfigError)


def test_advdrops_tables(data, model, tmp_path):
    given = ["advdrop", "--table", "1", "--table", "2", "--table", "3", "--data", str(data), "--model", str(model)]
    kept = ["--steps", "4", "--cache", str(tmp_path / "kept"), "--results", str(tmp_path), "--device", "cpu"]
    done = run(app, [*given, *kept])
    assert done.exit_code == 0, done.output
    success = read(tmp_path / "advdrop" / "table-1.csv")
    assert set(success) == {
        (f"{kind}, tiny on colours", str(e)) for kind in ("untargeted", "targeted") for e in (20, 60, 100)
    }
    survival = read(tmp_path / "advdrop" / "table-3.csv")
    assert float(survival["clean, tiny on colours", "none"]["ours"]) == 0
    assert float(survival["PGD-40 at 8/255, tiny on colours", "none"]["ours"]) > 50
    assert ("AdvDrop 20, from the largest tables, all steps, tiny on colours", "none") in survival


def test_squeezes_keep_shape_and_take_details_away():
    batch = torch.randint(0, 256, (2, 3, 24, 20), generator=torch.Generator().manual_seed(0)) / 255
    for name, squeeze in SQUEEZES.items():
        made = squeezed(batch, squeeze)
        assert made.shape == batch.shape
        assert torch.equal(made, batch) == (name == "none")
    assert len(squeezed(batch, SQUEEZES["6 bits"]).unique()) == 64
