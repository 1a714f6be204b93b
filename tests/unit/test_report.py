import csv
import html.parser
import re

import pytest

from capture.report import write_report
from capture.scan import scan_session
from edge.classifier import Classifier
from natadv.errors import ClipError, DataError
from tests.scanned_sessions import record
from tests.tiny_bundle import write_tiny_bundle

PLAN = [
    ("r", "rrr", "rggrrrrrr"),
    ("g", "ggg", "ggggggggg"),
    ("b", "brb", "rrrrrrrrr"),
    ("b", "bbb", "bbbbbbbbr"),
    ("r", "rrr", "bbbbbbbbb"),
]
VOID = {"meta", "img", "br", "link", "input", "hr"}


class _Page(html.parser.HTMLParser):
    """A page's ids, links and pictures; every element must be closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.loads, self.text = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids += [given["id"]] if "id" in given else []
        self.loads += [given[name] for name in ("src", "href", "srcset", "action", "data") if name in given]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def _read(path):
    return _Page(path.read_text(encoding="utf-8"))


def _bundle(folder, labels=("red", "green", "blue")):
    return write_tiny_bundle(folder, labels)


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """A session scanned by two models, the second of which calls every wet frame what the first does."""
    folder = tmp_path_factory.mktemp("report")
    archive = record(folder / "session", PLAN, purpose="test")
    for name, labels in (("first", ("red", "green", "blue")), ("second", ("red", "green", "blue", "other"))):
        with Classifier(_bundle(folder / name, labels), device="cpu", threads=1) as classifier:
            scan_session(archive, classifier, command=f"natadv capture scan session {name}")
    return archive


@pytest.fixture(scope="module")
def page(session):
    return _read(write_report(session))


def test_every_image_is_on_the_page_once(page, session):
    items = [identity for identity in page.ids if identity.startswith("item-")]
    assert sorted(items) == [f"item-{item.number}" for item in session.settings.items]


def test_the_page_loads_nothing(page, session):
    assert page.loads
    assert all(load.startswith("data:image/jpeg;base64,") for load in page.loads)
    text = (session.folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"https?:|//[a-z]|@import|url\(|<script", text)


def test_the_page_says_what_was_found_and_how_to_repeat_it(page):
    text = " ".join(" ".join(page.text).split())
    assert "3 of 4" in text  # two models, one image not counted, one withstood
    assert "1 image , wrong even through dry glass" in text or "1 image, wrong even through dry glass" in text
    assert "test session" in text
    assert "natadv capture run rigs/simulated.yaml some/images" in text
    assert "--purpose test --seed 4 --count 5 --seconds 1 --spray 1" in text
    assert "natadv capture scan session second" in text
    assert "a bench <of colours>" in text  # escaped in the page, or the parser would have taken it for a tag


def test_each_fooled_image_shows_control_first_and_most_confident_hit(session, tmp_path):
    digest = _first(session)
    page = _read(write_report(session, scans=[digest], out=tmp_path / "one.html"))
    # Controls of 3 fooled and 1 withstood; hits: 0 has two frames that tie, so the first is also the best.
    assert len(page.loads) == 4 + 3
    joined = " ".join(" ".join(page.text).split())
    assert "red → green" in joined
    assert "0.03 s" in joined  # frame 1 of 30 a second


def test_the_tables_hold_a_row_for_every_image_and_scan(session):
    with (session.folder / "report.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * len(PLAN)
    first = rows[0]
    assert (first["image"], first["label"], first["control_right"], first["hits"]) == ("red/0.png", "red", "True", "2")
    assert first["first_predicted"] == "green"
    assert rows[1]["first_predicted"] == ""
    with (session.folder / "report-coverage.csv").open(newline="") as file:
        bins = list(csv.DictReader(file))
    assert {row["images_total"] for row in bins} == {"4"}


def test_images_beyond_the_largest_number_are_listed_without_pictures(session, tmp_path):
    page = _read(write_report(session, out=tmp_path / "short.html", largest=1))
    items = [identity for identity in page.ids if identity.startswith("item-")]
    assert len(items) == len(PLAN)
    assert items[0] == "item-4"  # most hits first
    assert "2 more fooled images without pictures here" in " ".join(" ".join(page.text).split())


def test_a_rig_without_coverage_gets_no_chart(tmp_path):
    archive = record(tmp_path / "session", PLAN[:2], coverages=False)
    with Classifier(_bundle(tmp_path / "bundle"), device="cpu", threads=1) as classifier:
        scan_session(archive, classifier)
    page = _read(write_report(archive))
    assert "does not report how much" in " ".join(page.text)


def test_a_session_that_is_not_scanned_says_so(tmp_path):
    archive = record(tmp_path / "session", PLAN[:1])
    with pytest.raises(DataError, match="not scanned yet; run natadv capture scan"):
        write_report(archive)


def test_a_scan_that_is_out_of_date_is_not_reported(tmp_path):
    archive = record(tmp_path / "session", PLAN, complete=2)
    with Classifier(_bundle(tmp_path / "bundle"), device="cpu", threads=1) as classifier:
        scan_session(archive, classifier)
    other = record(tmp_path / "whole", PLAN)
    for name in ("0002-dry", "0002-wet"):
        (other.folder / "clips" / name).rename(archive.folder / "clips" / name)
    archive.recover()
    with pytest.raises(DataError, match="covers 2 of 3 images; scan the session again"):
        write_report(archive)


def test_an_unknown_scan_names_those_there_are(session):
    with pytest.raises(DataError, match=rf"0 scans by a model 'zz'.*{_first(session)}"):
        write_report(session, scans=["zz"])


def test_a_torn_control_is_named_and_leaves_no_page(tmp_path):
    archive = record(tmp_path / "session", PLAN[:1])
    with Classifier(_bundle(tmp_path / "bundle"), device="cpu", threads=1) as classifier:
        scan_session(archive, classifier)
    (archive.folder / "clips" / "0000-dry" / "video.avi").write_bytes(b"torn")
    with pytest.raises(ClipError, match="0000-dry"):
        write_report(archive)
    assert not list(archive.folder.glob("report*"))


def _first(session):
    from capture.scan import scan_folders

    return scan_folders(session)[0].name
