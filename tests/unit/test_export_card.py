"""The model card: it says what the manifest says, shows what the model did, and holds everything itself."""

import base64
import html
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from edge.bundle import read_bundle
from edge.manifest import Parity, RainNoise
from edge.provenance import Provenance, Training
from export.answers import Answers
from export.calibration import Calibration
from export.card import gallery as pictures
from export.card.gallery import AMPLIFIED, difference, gallery
from export.card.limits import limits
from export.card.reliability import reliability_diagram
from export.card.thumbnail import SIDE_PX, photograph, pixels
from export.card.write import write_card
from export.description import described
from export.judgement import Attacked, Judged
from natadv.data.dataset import Dataset
from natadv.evaluation.calibration import Bin
from natadv.evaluation.rates import Rate
from tests.tiny_bundle import ORIGIN, tiny_golden, write_tiny_bundle

LABELS = ("<script>alert(1)</script>", "a|b_*c*", "blue & <b>")
METRICS = {
    "accuracy": 0.9375,
    "accuracy_low": 0.7812,
    "accuracy_high": 0.9843,
    "accuracy_images": 32.0,
    "robust": 0.4137,
    "robust_low": 0.2551,
    "robust_high": 0.5926,
    "robust_images": 29.0,
    "calibration_error": 0.0123,
    "calibration_error_before": 0.0876,
    "calibration_images": 77.0,
}
REDUCED = {f"full_{name}": value for name, value in METRICS.items() if not name.startswith("calibration")}
REDUCED |= {"full_accuracy": 0.9531, "full_robust": 0.4333}


def colours(count=32, side=8):
    """Images of three classes, each of a colour of its own."""
    images = np.random.default_rng(1).integers(0, 256, (count, 1, 1, 3), np.uint8).repeat(side, 1).repeat(side, 2)
    targets = np.arange(count) % 3
    return images, Dataset("colours", "test", LABELS, targets, tuple(map(str, range(count))), lambda i: images[i])


def said(targets, wrong):
    """Answers that are right but for those of `wrong`, {number: (answer, confidence)}; the others are 50 % sure."""
    answered, confidence = targets.copy(), np.full(len(targets), 0.5, np.float32)
    for number, (answer, sure) in wrong.items():
        answered[number], confidence[number] = answer, sure
    return Answers(targets, answered, confidence)


NOISY = replace(tiny_golden(), noise={"shift": np.zeros((4, 2), np.int32)})
WRONG = {0: (1, 0.7), 3: (1, 0.9), 4: (0, 0.8)}
RELIABILITY = (Bin(0.25, Rate(1, 4)), Bin(0.9, Rate(40, 50)))
CALIBRATION = Calibration(0.5, 0.0123, 0.0876, 54, RELIABILITY, RELIABILITY)


def shown(attacked=True, calibration=CALIBRATION, **more):
    images, dataset = colours(**more)
    frames = images.copy()
    frames[:4] ^= 8
    answers = said(np.zeros(len(images), np.int64), {1: (2, 0.99), 3: (1, 0.6), 9: (1, 0.9)})
    return gallery(
        dataset,
        LABELS,
        Judged(said(dataset.targets, WRONG), answers if attacked else None),
        attacked=Attacked("pgd-margin", images, frames, answers.places) if attacked else None,
        calibration=calibration,
        rng=np.random.default_rng(0),
    )


def bundle(folder, drawn, **more):
    facts = {"metrics": METRICS, "attack": "pgd-margin", "temperature": 0.512, "labels": LABELS} | more
    return read_bundle(write_tiny_bundle(folder / "bundle", card=lambda manifest: write_card(manifest, drawn), **facts))


@pytest.fixture
def made(tmp_path):
    return bundle(tmp_path, shown())


def texts(made):
    """The page's and the Markdown's words, without marks."""
    page = re.sub(r"<[^>]*>", " ", made.card.html.decode())
    return re.sub(r"\s+", " ", page), made.card.markdown.decode().replace("\\", "").replace("|", " ")


def test_its_numbers_are_the_manifests(made):
    manifest = made.manifest
    for text in texts(made):
        for number in ("93.8 %", "78.1 % to", "98.4 %", "41.4 %", "25.5 % to", "59.3 %", "1.2 %", "8.8 %", "0.512"):
            assert number in text, number
        for words in ("32 images", "29 images", "77 images of colours test", "6 × 8 px", "3 classes"):
            assert words in text.replace(" 32 of", " 32 images of").replace(" 29 of", " 29 images of"), words
        assert {manifest.model_sha256, manifest.checkpoint_sha256} <= set(re.findall("[0-9a-f]{64}", text))
        assert "pgd-margin" in text
        assert "colours: 3 images" in text
        assert "by hand" in text
        assert "before it was reduced" not in text.lower()


def test_what_a_reduction_cost_is_told(tmp_path):
    made = bundle(tmp_path, shown(), metrics=METRICS | REDUCED, precision="int8", reduced="rain")
    for text in texts(made):
        assert "int8, of RAIN's network alone" in html.unescape(text)
        assert "before it was reduced" in text.lower()
        assert "95.3 %" in text
        assert "43.3 %" in text
        assert "It was made against the model before that was reduced." in text


def test_names_are_words_not_marks(made):
    page, text = made.card.html.decode(), made.card.markdown.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "blue &amp; &lt;b&gt;" in page
    assert "<script" not in page.lower()
    assert r"\<script\>" in text
    assert r"a\|b\_\*c\*" in text
    assert not re.search(r"(?<!\\)<", text)


def test_a_recipe_is_words_too(tmp_path):
    settings = {"</pre><img src=x onerror=alert(1)>": "<b>"}
    training = Training(data="<i>", method="<u>", natadv_version="1", settings=settings, materials={})
    made = bundle(tmp_path, None, provenance=Provenance(classifier=training, rain=None, git_revision="<s>"))
    page = made.card.html.decode()
    assert "&lt;/pre&gt;&lt;img" in page
    assert not {"<img", "<i>", "<u>", "<s>", "<b>"} & set(re.findall("<(?:img|[a-z]>)", page))


def test_the_page_asks_for_nothing_from_anywhere(made):
    page = made.card.html.decode()
    assert not re.search(r"(?i)\b(?:https?|ftp|file)://|@import|url\(|<link|<iframe|<object|\son\w+=", page)
    sources = re.findall(r'(?:src|href|srcset)="([^"]*)', page)
    assert len(sources) > 20
    assert all(source.startswith("data:image/") for source in sources)
    assert "default-src 'none'" in page  # a browser would refuse what we overlooked
    assert "prefers-color-scheme: dark" in page


class Tags(HTMLParser):
    """Elements that are open."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        pass


@pytest.mark.parametrize(
    "drawn",
    [shown(), shown(attacked=False), shown(calibration=None), None],
    ids=["all", "not attacked", "not calibrated", "no data"],
)
def test_every_tag_is_closed(tmp_path, drawn):
    tags = Tags()
    tags.feed(bundle(tmp_path, drawn, metrics=METRICS if drawn else {}).card.html.decode())
    assert tags.open == []


def test_without_data_it_says_so(tmp_path):
    made = bundle(tmp_path, None, metrics={}, accuracy_data=None, attack=None, temperature=1.0)
    page, text = texts(made)
    assert "<img" not in made.card.html.decode()
    assert "None: no data was given to the export" in page
    assert "No data was given to the export: nothing was measured, and there are no pictures." in text
    for one in (page, text):
        assert "Nothing was measured" in one
        assert "not measured" in one.lower()


def test_a_temperature_that_did_not_help_is_not_said_to(tmp_path):
    made = bundle(tmp_path, shown(), temperature=1.0, metrics=METRICS | {"calibration_error_before": 0.0123})
    for text in texts(made):
        assert "one that other images chose did not lower" in text
        assert "without the temperature of" not in text
    said = described(made, signed=False)["calibration"]
    assert said == "error 1.2 %; no temperature, as the one that was fitted did not lower it"


def test_pictures_are_of_the_answers(monkeypatch):
    monkeypatch.setattr(pictures, "photograph", lambda image, side_px=0: tuple(image[0, 0]))
    images = colours()[0]
    found = shown()
    assert len(found.right) == pictures.MOST_RIGHT
    kinds = Counter((one.label, one.answer) for one in found.right)
    assert all(label == answer for label, answer in kinds)
    right = {tuple(images[number, 0, 0]): LABELS[number % 3] for number in range(32) if number not in WRONG}
    assert all(right[one.uri] == one.label for one in found.right)
    assert [(one.label, one.answer, round(one.confidence, 1)) for one in found.wrong] == [
        (LABELS[0], LABELS[1], 0.9),
        (LABELS[1], LABELS[0], 0.8),
        (LABELS[0], LABELS[1], 0.7),
    ]
    assert [one.uri for one in found.wrong] == [tuple(images[number, 0, 0]) for number in (3, 4, 0)]
    assert found.wrong_count == 3


def test_confusions_are_counted_with_the_surest_example(monkeypatch):
    monkeypatch.setattr(pictures, "photograph", lambda image, side_px=0: tuple(image[0, 0]))
    images = colours()[0]
    first, second = shown().confusions
    assert (first.label, first.answer, first.count, first.images) == (LABELS[0], LABELS[1], 2, 11)
    assert first.uri == tuple(images[3, 0, 0])
    assert first.like_uri in {tuple(images[number, 0, 0]) for number in range(32) if number % 3 == 1 and number != 4}
    assert (second.label, second.answer, second.count) == (LABELS[1], LABELS[0], 1)


def test_a_class_that_is_never_right_has_no_example():
    dataset = colours(3)[1]
    judged = Judged(said(dataset.targets, {0: (1, 0.9), 1: (0, 0.9)}), None)
    found = gallery(dataset, LABELS, judged, attacked=None, calibration=None, rng=np.random.default_rng(0))
    assert [one.like_uri for one in found.confusions] == [None, None]


def test_triples_are_of_what_the_attack_changed():
    """Four of the images were changed; two of these fooled the model, and one that was not changed did so unasked."""
    found = shown().triples
    assert [one.attacked.right for one in found] == [False, False, True, True]
    assert {(one.attacked.answer, round(one.attacked.confidence, 2)) for one in found[:2]} == {
        (LABELS[2], 0.99),
        (LABELS[1], 0.6),
    }


def test_a_difference_is_amplified_around_grey():
    clean = np.array([[[10, 10, 10]]], np.uint8)
    attacked = np.array([[[10, 14, 2]]], np.uint8)
    assert difference(clean, attacked).tolist() == [[[128, 128 + 4 * AMPLIFIED, 128 - 8 * AMPLIFIED]]]
    assert difference(clean, np.full_like(clean, 255)).tolist() == [[[255, 255, 255]]]


def decoded(uri):
    kind, data = re.fullmatch("data:image/(png|jpeg);base64,(.*)", uri).groups()
    image = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    return kind, cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def test_small_pictures_keep_every_level_and_large_ones_shrink():
    noise = np.random.default_rng(0).integers(0, 256, (64, 48, 3), np.uint8)
    kind, found = decoded(pixels(noise))
    assert kind == "png"
    np.testing.assert_array_equal(found, noise)
    large = np.random.default_rng(0).integers(0, 256, (300, 600, 3), np.uint8)
    for make in (pixels, photograph):
        kind, found = decoded(make(large))
        assert (kind, found.shape) == ("jpeg", (SIDE_PX // 2, SIDE_PX, 3))
    red = decoded(photograph(np.full((1, 1000, 3), (255, 0, 0), np.uint8)))[1]
    assert red.shape == (1, SIDE_PX, 3)
    np.testing.assert_allclose(red[0, 0], (255, 0, 0), atol=4)


def test_a_card_of_large_noisy_pictures_is_below_a_megabyte(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 224, 224, 3), np.uint8)
    labels = tuple(f"class {number}" for number in range(10))
    targets = np.arange(40) % 10
    dataset = Dataset("noise", "test", labels, targets, tuple(map(str, range(40))), lambda i: images[i])
    wrong = {number: ((number + 1) % 10, 0.9) for number in range(20)}
    drawn = gallery(
        dataset,
        labels,
        Judged(said(targets, wrong), said(targets, wrong)),
        attacked=Attacked("pgd-margin", images, images ^ 8, targets),
        calibration=CALIBRATION,
        rng=rng,
    )
    assert (len(drawn.right), len(drawn.wrong), len(drawn.confusions), len(drawn.triples)) == (12, 12, 8, 6)
    assert len(bundle(tmp_path, drawn).card.html) < 1_000_000


def test_intervals_that_count_things_say_so(made, tmp_path):
    assert not [text for text in texts(made) if "things" in text]
    made = bundle(tmp_path / "kin", shown(), metrics=METRICS | {"accuracy_kin": 9.0})
    page, markdown = texts(made)
    assert "32 images of 9 things, which it counts, of colours test" in page
    assert "32, of 9 things, of colours test" in markdown
    assert "Intervals are Wilson's, and count things: frames of one are one proof." in markdown
    assert described(made, signed=False)["accuracy"].endswith("of 32 images of 9 things of colours test")


def test_frames_of_one_sign_widen_the_interval():
    _, dataset = colours()
    frames = replace(dataset, keys=tuple(f"{number // 8:05d}_{number % 8:05d}.png" for number in range(32)))
    answers = said(dataset.targets, dict.fromkeys(range(8), (2, 0.9)))
    alone, kin = answers.rate, replace(answers, things=frames.kin).rate
    assert (alone.value, kin.value) == (0.8125, 0.8125)  # of the first sign, two are of the class that is said
    assert kin.interval[0] < alone.interval[0]
    assert (answers.kin, replace(answers, things=dataset.kin).kin, replace(answers, things=frames.kin).kin) == (
        None,
        None,
        4,
    )


def test_a_point_of_the_diagram_stands_where_it_belongs():
    drawn = ElementTree.fromstring(reliability_diagram(CALIBRATION))
    now = next(group for group in drawn.iter("g") if group.get("class") == "now")
    points = [(float(one.get("cx")), float(one.get("cy")), float(one.get("r"))) for one in now.iter("circle")]
    axis = [float(one.get("y1")) for one in drawn.iter("line") if one.get("class") == "grid"]
    bottom, side = axis[0], axis[0] - axis[-1]
    left = float(next(one for one in drawn.iter("line") if one.get("class") == "ideal").get("x1"))
    for (x, y, _), one in zip(points, RELIABILITY, strict=True):
        assert (x - left) / side == pytest.approx(one.confidence, abs=1e-3)
        assert (bottom - y) / side == pytest.approx(one.right.value, abs=1e-3)
    assert points[0][2] < points[1][2]
    assert "80.0 % (40/50" in "".join(now.itertext())


def training(**changes):
    values = ORIGIN.classifier.model_dump() | changes
    return ORIGIN.model_copy(update={"classifier": Training(**values)})


def compared_on(real_images):
    return Parity(images=16 + real_images, max_difference=0.0, tolerance=1e-3, real_images=real_images)


def told(folder, **facts):
    return limits(bundle(folder, None, **facts).manifest)


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({"provenance": training(settings={})}, "Whether it was trained with drops on glass is unknown."),
        ({"provenance": training(settings={"raindrops": 0.8})}, "It was trained with drops on glass, which"),
        ({"provenance": training(materials={"init_sha256": "ab"})}, "Its last training showed it no drops on glass;"),
        ({"attack": None}, "It was not attacked"),
        ({"attack": "eot-pgd-margin"}, "Its robust accuracy is against the attack eot-pgd-margin at 8/255 alone"),
        ({"accuracy_data": "colours train"}, "It was measured on training images"),
        ({"metrics": {}}, "How sure it says it is was not calibrated"),
        ({"accuracy_data": None, "attack": None}, "Nothing was measured"),
        ({"parity": compared_on(0)}, "It was not compared on real images"),
        ({"parity": compared_on(255)}, "It was compared with the model that it was made of on 255 real images alone"),
        ({"noise": RainNoise(draws=1, pick=None, reach=(1, 1)), "golden": NOISY}, "It is randomised"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_limits_are_told_where_they_are(tmp_path, facts, line):
    assert any(one.startswith(line) for one in told(tmp_path, **facts))
    assert not any(one.startswith(line) for one in told(tmp_path / "usual"))


def test_what_was_compared_on_enough_images_needs_no_limit(tmp_path):
    assert told(tmp_path / "a", parity=compared_on(256)) == told(tmp_path / "b")
    assert not any("compared" in line for line in told(tmp_path / "c"))


def test_a_model_that_saw_no_drops_says_so(tmp_path):
    lines = told(tmp_path, provenance=training(settings={"epochs": 3, "raindrops": 0.0, "hits": []}))
    assert any(one.startswith("Its training showed it no drops on glass.") for one in lines)
    assert lines[0].startswith("Not for decisions of safety alone")
