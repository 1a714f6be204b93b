"""`natadv attack`: what is written fools the model when read again, and says where it comes from."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from natadv.attack_cli import app
from natadv.attacks.outcome import Outcome
from natadv.attacks.starts import natural_codes
from natadv.campaign import job
from natadv.campaign.attacked import attack_right_ones
from natadv.data.load import load_dataset
from natadv.errors import ConfigError, DataError
from natadv.images import labelled_files, read_image, write_image
from natadv.models.classifier import create_classifier
from natadv.models.optics_generator import OpticsGenerator
from natadv.raindrops.layout import load_layout
from natadv.training.checkpoint import load_classifier, save_checkpoint
from natadv.training.quasi_gan.checkpoint import create_generator, save_generator
from tests.tiny_bundle import LABELS, write_tiny_bundle
from tests.toy_attack import Weighing, bias_for, grey

SIZE = (16, 16)
CPU = ("--device", "cpu", "--threads", 1)
QUICK = (*CPU, "--restarts", 3, "--batch-size", 8)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Put back what `--threads 1` sets: threads that wait for each other's turn on a busy machine cost most of it."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A checkpoint of two classes and images beside its border: all but two of them right."""
    folder = tmp_path_factory.mktemp("attack")
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(0)
        model = create_classifier("natadv_slim", ("left", "right"), SIZE).eval()
    rng = np.random.default_rng(0)
    images = rng.integers(60, 200, (14, 4, 4, 3)).astype(np.uint8).repeat(4, 1).repeat(4, 2)
    batch = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        scores = model(batch)
        model.backbone.head.bias[1] -= (scores[:, 1] - scores[:, 0]).median()
        predicted = model(batch).argmax(1).tolist()
    predicted[0], predicted[1] = 1 - predicted[0], 1 - predicted[1]
    for number, (image, target) in enumerate(zip(images, predicted, strict=True)):
        for part in ("train", "test"):
            path = folder / "data" / part / model.labels[target] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_image(path, image)
    save_checkpoint(folder / "checkpoint.pt", model, metrics={}, recipe={}, provenance={})
    return folder


def run(*arguments):
    result = CliRunner().invoke(app, ["advrd", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def papers(folder):
    return [json.loads(line) for line in (folder / "provenance.jsonl").read_text().splitlines()]


def test_what_is_written_fools_and_says_where_it_comes_from(place, tmp_path):
    out = tmp_path / "a"
    said = run(
        place / "checkpoint.pt", "--data", place / "data", "--out", out, "--steps", 3, "--seed", 5, *QUICK
    ).output
    lines = papers(out)
    fooled = [line for line in lines if line["fooled"]]
    assert len(lines) == 12
    assert 0 < len(fooled) < 12
    assert f"({len(fooled)}/12, 95 %" in said
    assert f"{len(fooled)} images in {out}" in said
    loaded = load_classifier(place / "checkpoint.pt")
    assert {file.path.relative_to(out).as_posix() for file in labelled_files(out)} == {line["path"] for line in fooled}
    for line in fooled:
        image = read_image(out / line["path"])
        with torch.no_grad():
            scores = loaded.model(torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255)[0]
        assert loaded.labels[scores.argmax()] == line["predicted"] != line["label"] == line["path"].split("/")[0]
        clean = read_image(place / "data" / "test" / line["key"])
        change = np.abs(image.astype(float) - clean) / 255
        assert line["mean_change"] == pytest.approx(change.mean(), rel=1e-4)
        assert line["coverage"] == pytest.approx((change.max(2) > 8.5 / 255).mean())
        assert change.mean() < line["p95_change"] <= change.max()
        assert line["queries"] >= 2
        assert len(line["latent"]) > 64
    for line in lines:
        assert line["fooled"] or (line["path"] is None and line["mean_change"] is None and line["gradients"] == 6)
    source = json.loads((out / "source.json").read_text())
    assert source["model_sha256"] == loaded.digest
    assert source["attack"]["generator"] == "optics medium"
    assert {name: source[name] for name in ("split", "seed", "part", "count", "attacked", "drawn")} == {
        "split": "test",
        "seed": 5,
        "part": [1, 1],
        "count": len(fooled),
        "attacked": 12,
        "drawn": 14,
    }


def test_a_bench_gets_the_clean_images_and_the_drops_that_fooled(place, tmp_path):
    arguments = (place / "checkpoint.pt", "--data", place / "data", "--box", "black", *QUICK)
    bench = tmp_path / "bench"
    run(*arguments, "--generator", "optics:close@0.18", "--out", tmp_path / "a", "--bench", bench)
    fooled = [line for line in papers(tmp_path / "a") if line["fooled"]]
    assert fooled
    assert {file.path.relative_to(bench).as_posix() for file in labelled_files(bench)} == {f["path"] for f in fooled}
    model = load_classifier(place / "checkpoint.pt").model
    optics = OpticsGenerator(SIZE, "close", ambient=0.18)
    for line in fooled:
        clean, layout = read_image(bench / line["path"]), (bench / line["path"]).with_suffix(".drops.json")
        assert np.array_equal(clean, read_image(place / "data" / "test" / line["key"]))
        assert load_layout(layout).ambient == 0.18
        # The drops of the layout, put before the clean image, are what fooled.
        code = torch.tensor(line["latent"])
        assert np.array_equal(load_layout(layout).drops.radius_mm, optics.layout(code).drops.radius_mm)
        batch = torch.from_numpy(clean).permute(2, 0, 1)[None].float() / 255
        with torch.no_grad():
            assert model.labels[model(optics(batch, code[None])).argmax()] == line["predicted"]
    assert json.loads((bench / "source.json").read_text())["count"] == len(fooled)
    with pytest.raises(DataError, match="images of a test split"):
        load_dataset(bench, "train")


def test_what_was_made_of_test_images_trains_nothing(place, tmp_path):
    arguments = (place / "checkpoint.pt", "--data", place / "data", "--box", "black", *QUICK)
    run(*arguments, "--out", tmp_path / "a")
    with pytest.raises(DataError, match="images of a test split"):
        load_dataset(tmp_path / "a", "train")
    run(*arguments, "--split", "train", "--out", tmp_path / "b")
    assert json.loads((tmp_path / "b/source.json").read_text())["split"] == "train"


def test_a_seed_repeats_and_more_drops_fool_no_fewer(place, tmp_path):
    arguments = (place / "checkpoint.pt", "--data", place / "data", "--box", "black", *CPU)
    for out, restarts, batch_size in (("a", 2, 64), ("b", 2, 3), ("c", 6, 64)):
        run(*arguments, "--out", tmp_path / out, "--restarts", restarts, "--batch-size", batch_size)
    first, again, more = (papers(tmp_path / out) for out in "abc")
    assert [(line["fooled"], line["queries"]) for line in first] == [
        (line["fooled"], line["queries"]) for line in again
    ]
    for few, many in zip(first, more, strict=True):
        assert many["fooled"] >= few["fooled"]
        assert many["queries"] == few["queries"] or not few["fooled"]
        assert few["gradients"] == 0
    source = json.loads((tmp_path / "a/source.json").read_text())["attack"]
    assert source == {"generator": "optics medium", "box": "black", "restarts": 2, "margin": 1e-4}


@pytest.mark.parametrize("box", ["white", "black"])
def test_a_margin_is_kept_on_the_written_images(place, tmp_path, box):
    arguments = (place / "checkpoint.pt", "--data", place / "data", "--box", box, *QUICK)
    model = load_classifier(place / "checkpoint.pt").model

    def leads(folder):
        found = {}
        for line in papers(folder):
            if line["fooled"]:
                batch = torch.from_numpy(read_image(folder / line["path"])).permute(2, 0, 1)[None].float() / 255
                with torch.no_grad():
                    scores = model(batch)[0]
                found[line["key"]] = float(scores.max() - scores[model.labels.index(line["label"])])
        return found

    run(*arguments, "--out", tmp_path / "any")
    first = leads(tmp_path / "any")
    margin = 0.9 * max(first.values())
    run(*arguments, "--out", tmp_path / "sure", "--margin", margin)
    sure = leads(tmp_path / "sure")
    assert max(first, key=first.__getitem__) in sure
    assert min(sure.values()) > 0.99 * margin > min(first.values())
    assert sure.keys() <= first.keys()


def test_count_draws_some_and_they_meet_the_same_drops(place, tmp_path):
    arguments = (place / "checkpoint.pt", "--data", place / "data", "--box", "black", *QUICK)
    run(*arguments, "--out", tmp_path / "a")
    run(*arguments, "--out", tmp_path / "b", "--count", 6)
    whole = {line["key"]: line for line in papers(tmp_path / "a")}
    assert json.loads((tmp_path / "b/source.json").read_text())["drawn"] == 6
    for line in papers(tmp_path / "b"):
        assert line["latent"] == whole[line["key"]]["latent"]


def test_a_bundle_is_asked_and_never_differentiated(tmp_path):
    bundle = write_tiny_bundle(tmp_path / "bundle")
    for number, (label, colour) in enumerate([("red", (140, 130, 60)), ("green", (10, 250, 5)), ("blue", (90, 0, 98))]):
        (tmp_path / "data" / label).mkdir(parents=True)
        image = np.full((8, 6, 3), colour, np.uint8)
        image[:3] = colour[::-1] if number != 1 else colour
        write_image(tmp_path / "data" / label / "0.png", image)
    (tmp_path / "data/source.json").write_text('{"split": "test"}')
    with pytest.raises(ConfigError, match="gives no gradients; take --box black"):
        run(bundle, "--data", tmp_path / "data", "--out", tmp_path / "a")
    arguments = (bundle, "--data", tmp_path / "data", "--box", "black", *CPU, "--restarts", 4)
    run(*arguments, "--out", tmp_path / "a")
    assert {line["label"] for line in papers(tmp_path / "a")} >= {"green"}
    assert {line["label"] for line in papers(tmp_path / "a")} <= set(LABELS)


def test_a_quasi_gan_is_a_generator_too(place, tmp_path):
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(0)
        generator = create_generator("natadv", 8)
    save_generator(tmp_path / "g.pt", generator, kind="natadv", recipe={}, metrics={}, provenance={})
    arguments = (place / "checkpoint.pt", "--data", place / "data", "--generator", tmp_path / "g.pt", *QUICK)
    run(*arguments, "--out", tmp_path / "a", "--steps", 2, "--momentum", 1, "--diversity", 0.5, "--translation", 3)
    assert len(papers(tmp_path / "a")[0]["latent"]) == 64
    assert json.loads((tmp_path / "a/source.json").read_text())["attack"]["generator"].startswith("g sha256 ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--box", "grey"), "^--box grey: "),
        (("--restarts", 0), "^--restarts 0: "),
        (("--step-size", 0), "^--step-size 0.0: Input should be greater than 0$"),
        (("--radius", -1), "^--radius -1.0: "),
        (("--diversity", 1.5), "^--diversity 1.5: "),
        (("--translation", 4), "^--translation 4: the width of a kernel is odd$"),
        (("--translation", 17), "wider than the model's 16x16 px input"),
        (("--box", "black", "--steps", 3), "^steps: a black box gives no gradient"),
        (("--generator", "optics:damp"), "no preset 'damp'"),
        (("--generator", "optics@dark"), "generator optics@dark: expected the light around the picture after @"),
        (("--generator", "optics:close@-1"), "expected the light around the picture after @"),
        (("--generator", "optics:close@18"), "after @, from 0 to 1"),
        (("--generator", "gan", "--bench", "bench"), "--bench: gan makes pictures of drops, not drops to place"),
        (("--bench", "bench"), "--bench: optics chooses the light around the picture; a bench's is given: name it"),
        (("--count", 15), "there are only 14 images"),
        (("--split", "valid"), "expected train or test"),
        (("--device", "tpu"), "expected auto, cpu or cuda"),
    ],
)
def test_a_wrong_option_is_one_line_and_leaves_nothing(place, tmp_path, options, message):
    with pytest.raises(ConfigError, match=message) as caught:
        run(place / "checkpoint.pt", "--data", place / "data", "--out", tmp_path / "a", *options)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bench", ["a", "a/bench", "."])
def test_a_bench_in_or_around_the_campaign_is_refused(place, tmp_path, bench):
    arguments = (place / "checkpoint.pt", "--data", place / "data", "--generator", "optics:close@0.18", *QUICK)
    with pytest.raises(ConfigError, match=r"--bench .*: lies in --out, or holds it|exists already"):
        run(*arguments, "--out", tmp_path / "a", "--bench", tmp_path / bench)
    with pytest.raises(ConfigError, match=r"--bench .*: lies in --out, or holds it"):
        run(*arguments, "--out", tmp_path / "new/a", "--bench", tmp_path / "new")
    assert not list(tmp_path.iterdir())


def test_a_bundle_never_leads_by_1(tmp_path, place):
    write_tiny_bundle(tmp_path / "bundle")
    with pytest.raises(ConfigError, match="--margin 1: a bundle answers with probabilities"):
        run(tmp_path / "bundle", "--data", place / "data", "--box", "black", "--margin", 1, "--out", tmp_path / "a")


def test_an_existing_folder_is_left_alone(place, tmp_path):
    with pytest.raises(ConfigError, match="exists already"):
        run(place / "checkpoint.pt", "--data", place / "data", "--out", tmp_path)


def test_labels_that_the_model_lacks_and_images_it_gets_wrong(place, tmp_path):
    image = read_image(labelled_files(place / "data/test")[0].path)
    for label in ("left", "right", "up"):
        (tmp_path / label / label).mkdir(parents=True)
        write_image(tmp_path / label / label / "0.png", image)
        (tmp_path / label / "source.json").write_text('{"split": "test"}')
    with pytest.raises(DataError, match="'up' is not one of the model's 2 labels"):
        run(place / "checkpoint.pt", "--data", tmp_path / "up", "--out", tmp_path / "a")
    loaded = load_classifier(place / "checkpoint.pt")
    with torch.no_grad():
        right = loaded.labels[loaded.model(torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255).argmax()]
    wrong = "left" if right == "right" else "right"
    with pytest.raises(DataError, match="gets none of 1 images right; nothing to attack"):
        run(
            *(place / "checkpoint.pt", "--data", tmp_path / wrong, "--out", tmp_path / "a"),
            *("--generator", "optics:close@0.18", "--bench", tmp_path / "b"),
        )
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "b").exists()
    assert not (tmp_path / "a.unfinished").exists()


def test_a_stopped_attack_goes_on_after_its_last_whole_block(place, tmp_path, monkeypatch):
    monkeypatch.setattr(job, "_BLOCK", 5)
    arguments = (place / "checkpoint.pt", "--data", place / "data", "--steps", 3, "--diversity", 0.5, *QUICK)
    arguments += ("--generator", "optics:close@0.18")
    run(*arguments, "--out", tmp_path / "whole", "--bench", tmp_path / "bench-whole")

    def stopped_in_the_second(*args, first, **options):
        for count, one in enumerate(attack_right_ones(*args, first=first, **options)):
            if first and count == 2:
                raise KeyboardInterrupt
            yield one

    cut = (*arguments, "--out", tmp_path / "cut", "--bench", tmp_path / "bench-cut")
    with monkeypatch.context() as patched:
        patched.setattr(job, "attack_right_ones", stopped_in_the_second)
        result = CliRunner().invoke(app, ["advrd", *map(str, cut)])
    assert result.exit_code == 130
    assert "stopped; --resume goes on" in result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bench-whole", "cut.unfinished", "whole"]
    with pytest.raises(ConfigError, match=r"cut\.unfinished: an attack that was stopped; go on with --resume"):
        run(*cut)
    with pytest.raises(ConfigError, match=r"was begun with seed 0, not 1; resume with the same"):
        run(*cut, "--resume", "--seed", 1)
    # As if the block had been cut off while its papers were written.
    with (tmp_path / "cut.unfinished/provenance.jsonl").open("a") as file:
        file.write('{"key": "left/')
    run(*cut, "--resume")
    for name in ("whole", "bench-whole"):
        files = {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}
        other = tmp_path / name.replace("whole", "cut")
        assert files == {path.relative_to(other): path.read_bytes() for path in other.rglob("*.*")}


def test_ctrl_c_leaves_nothing_behind(place, tmp_path):
    # A shell's background jobs inherit an ignored SIGINT; here it is the one of a terminal, wherever the tests run.
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    command = [sys.executable, "-c", f"{listen}; import natadv.cli; natadv.cli.main()", "attack", "advrd"]
    options = ("--data", place / "data", "--out", tmp_path / "a", *CPU)
    endless = ("--restarts", 1000, "--steps", 50, "--radius", 1e-6)
    process = subprocess.Popen(
        [*command, place / "checkpoint.pt", *map(str, (*options, *endless))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    give_up_s = time.monotonic() + 60
    while not (tmp_path / "a.unfinished").exists() and time.monotonic() < give_up_s:
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    printed, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.decode() == "stopped; nothing was written\n"
    assert not printed
    assert not list(tmp_path.iterdir())


def test_codes_follow_from_seed_and_number_alone():
    codes = natural_codes(np.array([3, 8]), 4, 7, seed=1)
    assert codes.shape == (2, 4, 7)
    assert torch.equal(natural_codes(np.array([8]), 2, 7, seed=1)[0], codes[1, :2])
    assert not torch.equal(natural_codes(np.array([8]), 2, 7, seed=2)[0], codes[1, :2])
    many = natural_codes(np.arange(50), 10, 40, seed=0)
    assert abs(many.mean()) < 0.03
    assert abs(many.std() - 1) < 0.03


def test_what_does_not_fool_when_shown_again_counts_as_not_fooled():
    def liar(model, images, labels, *, starts, progress):
        return Outcome(images, torch.ones_like(labels, dtype=torch.bool), labels + 1, labels)

    blocks = [(grey(2), torch.tensor([0, 1])), (grey(1), torch.tensor([0]))]
    done = []
    got = list(
        attack_right_ones(
            Weighing(bias_for(-1)),
            blocks,
            liar,
            codes=lambda numbers: torch.zeros(len(numbers), 1, 4),
            progress=done.append,
        )
    )
    assert [one.number for one in got] == [0, 2]
    assert not any(one.fooled for one in got)
    assert [one.predicted for one in got] == [0, 0]
    assert got[0].latent is None
    assert (got[0].image == 128).all()


def test_help_needs_no_torch():
    code = "import sys, natadv.attack_cli; sys.exit(any(m in sys.modules for m in ('torch', 'cv2', 'pydantic')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
