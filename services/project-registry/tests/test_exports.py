"""The register as files: CSV, GeoJSON, pages and PDFs, safe and readable whatever people wrote."""

import csv
import io
import json
import os
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from builders_project_registry import Desk, a_profile, eligible_profile
from hypothesis import given, settings
from hypothesis import strategies as st

from oker_bus import Bus
from oker_contracts.project.registered_v2 import ProjectRegisteredV2
from project_registry import domain, rendering, store
from project_registry.record import register_many
from project_registry.rendering.words import WORDS, day, euros, number

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
READER = ("o-1", "officer")
HOSTILE = '</title><script>alert(1)</script>"><img src=x onerror=alert(1)>'
TYPST = '#read("/etc/passwd") #eval("1") $x$ ]) #panic() \\u{41} @ref <label> = Heading'
TITLES = rendering.Titles({"mobilitaet": "Mobilität"}, {}, {"fb-66": "Tiefbau und Verkehr"})
VOID = {"meta", "link", "img", "br", "hr", "input"}


def an_entry(**said: Any) -> domain.Entry:
    content = eligible_profile(**said)
    return domain.Entry(
        "project",
        "leihfahrraeder",
        4,
        NOON,
        NOON,
        "u-1",
        "x",
        content,
        content["title"],
        "eligible",
        ("mobilitaet",),
        department="fb-66",
        officer="o-1",
        origin="unit",
    )


def page(language: rendering.Language = "de", **said: Any) -> str:
    return rendering.page(rendering.sheet(an_entry(**said), TITLES, language))


class Tree(HTMLParser):
    """The elements of a page, each with its attributes, text and parents; elements that are not closed fail."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None], tuple[str, ...]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), tuple(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes, _ in self.found if name == tag]

    def text(self, tag: str) -> str:
        return "".join(data for name, data in self.texts if name == tag)


@pytest.mark.parametrize("language", ["de", "en"])
def test_a_page_has_what_a_screen_reader_needs(language: rendering.Language) -> None:
    """WCAG 2.2: 1.3.1, 1.4.4, 2.4.2, 2.4.6, 3.1.1, 3.1.2."""
    tree = Tree(page(language))

    assert tree.all("html") == [{"lang": language}]
    assert [len(tree.all(tag)) for tag in ("main", "header", "footer", "h1", "title")] == [1] * 5
    assert "Leihfahrräder" in tree.text("title")
    assert len(tree.all("h2")) == 10
    ids = [attributes["id"] for attributes in tree.all("h2")]
    assert len(set(ids)) == len(ids)
    assert all(attributes["aria-labelledby"] in ids for attributes in tree.all("table"))
    heads = tree.all("th")
    assert heads
    assert {attributes["scope"] for attributes in heads} == {"col", "row"}
    spoken = {attributes.get("lang") for attributes in tree.all("span") + tree.all("h1")}
    assert spoken == ({None} if language == "de" else {"de"})
    assert "maximum-scale" not in str(tree.all("meta"))


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    digits = colour[1:] if len(colour) == 7 else "".join(sign * 2 for sign in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_colour_of_text_stands_out_from_white() -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1."""
    style = Tree(page()).text("style")
    colours = set(re.findall(r"[{;\s]color: (#[0-9a-f]+)", style))

    assert len(colours) >= 3
    assert "background: #fff;" in style
    assert all(1.05 / (luminance(colour) + 0.05) >= 4.5 for colour in colours)


def test_every_word_is_there_in_both_languages() -> None:
    assert all(german and english for german, english in WORDS.values())
    states = domain.STEPS
    assert set(states) <= set(WORDS)


def test_what_people_wrote_is_text_in_a_page() -> None:
    tree = Tree(page(title=HOSTILE, summary=HOSTILE, department=HOSTILE, reference_cities=[HOSTILE]))

    assert tree.all("script") == tree.all("img") == []
    assert tree.text("h1") == HOSTILE
    assert len(tree.all("title")) == 1


def test_what_people_wrote_is_text_in_a_pdf() -> None:
    sheet = rendering.sheet(an_entry(title=TYPST, summary=f"{TYPST}\n\n{HOSTILE}"), TITLES, "de")

    assert len(rendering.pictures(sheet)) >= 1
    assert b"pdfuaid" in rendering.document(sheet, NOON)


def test_a_pdf_is_tagged_says_its_language_and_is_the_same_each_time() -> None:
    sheet = rendering.sheet(an_entry(), TITLES, "en")
    made = rendering.document(sheet, NOON)

    for mark in (
        b"/StructTreeRoot",
        b"/MarkInfo",
        b"/Lang",
        b"<pdfuaid:part>1</pdfuaid:part>",
        b"/DisplayDocTitle true",
    ):
        assert mark in made
    assert made == rendering.document(sheet, NOON)


def test_signs_that_nothing_can_show_are_replaced_and_lines_are_kept() -> None:
    """Control characters are no HTML (WHATWG, 13.2.3.5), and no sign of any font."""
    said = "a\x07b\r\nc\x00d\u2028e\ud800f\n\n\ng"
    sheet = rendering.sheet(an_entry(summary=said), TITLES, "de")

    assert sheet.sections[0].paragraphs == ("a\ufffdb\nc\ufffdd\ufffde\ufffdf", "g")
    assert rendering.page(sheet).encode().count("a\ufffdb\nc".encode()) == 1
    assert b"pdfuaid" in rendering.document(sheet, NOON)


def data(name: str) -> Any:
    folder = Path(os.environ.get("OKER_REALWORLD_DATA", Path(__file__).resolve().parents[4] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real-world data in {folder}; name the folder in OKER_REALWORLD_DATA")
    return json.loads((folder / name).read_text("utf-8"))


def test_no_naughty_string_breaks_a_page_a_pdf_or_a_line() -> None:
    found = [said for said in data("naughty-strings/blns.json") if said.strip()]
    plain = len(Tree(page()).found)

    assert len(found) > 200
    for said in found:
        entry = an_entry(title=said, summary=said)
        sheet = rendering.sheet(entry, TITLES, "de")
        paragraphs = len(sheet.sections[0].paragraphs)
        tree = Tree(rendering.page(sheet))
        assert len(tree.found) == plain - 1 + paragraphs
        assert rendering.document(sheet, NOON).startswith(b"%PDF-")
        lines = list(csv.reader(io.StringIO(rendering.csv_lines([entry]), newline=""), strict=True))
        assert [len(line) for line in lines] == [24]
        assert json.loads(rendering.feature(entry))["properties"]["title"] == said


def test_no_cell_of_an_export_is_a_formula() -> None:
    for said in data("csv-formula-injection/cells.json"):
        line = rendering.csv_lines([an_entry(title=said, summary=f"  {said}")])
        cells = next(csv.reader(io.StringIO(line, newline="")))
        assert said in cells[3]
        assert not any(cell.lstrip().startswith(("=", "+", "-", "@")) for cell in cells)


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=80))
def test_any_text_can_be_set(said: str) -> None:
    sheet = rendering.sheet(an_entry(title=said.encode("utf-8", "replace").decode(), summary=said), TITLES, "en")

    Tree(rendering.page(sheet))
    assert rendering.document(sheet, NOON).startswith(b"%PDF-")


def test_numbers_and_days_are_written_as_people_read_them() -> None:
    assert (euros(1_250_000, "de"), euros(1_250_000, "en")) == ("1.250.000\u00a0€", "€1,250,000")
    assert (number(0.5, "de"), number(36.0, "en"), number(0.1, "en")) == ("0,5", "36", "0.1")
    assert (day("2027-03-31", "de"), day("2027-03-31", "en")) == ("31. 3. 2027", "31 March 2027")
    assert day("2027-02-30", "de") == "2027-02-30"


async def test_a_page_and_a_pdf_are_served_so_that_nothing_is_loaded(desk: Desk) -> None:
    await desk.organise()
    await desk.profile("handyparken", title="Handyparken")
    reader = desk.token(*READER)
    german = await desk.http.get("/projects/handyparken.html", headers=reader)
    english = await desk.http.get("/projects/handyparken.html", params={"lang": "en"}, headers=reader)
    pdf = await desk.http.get("/projects/handyparken.pdf", headers=reader)

    assert "Tiefbau und Verkehr" in german.text
    assert "Mobilität" in german.text
    assert ("Zuständiger Fachbereich" in german.text, "Responsible department" in english.text) == (True, True)
    assert german.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert (german.headers["content-language"], english.headers["content-language"]) == ("de", "en")
    assert (pdf.headers["content-type"], pdf.content[:5]) == ("application/pdf", b"%PDF-")
    for path, status in (("mond.html", 404), ("mond.pdf", 404), ("handyparken.html?lang=fr", 422), ("A%00.pdf", 422)):
        assert (await desk.http.get(f"/projects/{path}", headers=reader)).status_code == status
    before = await desk.http.get("/projects/handyparken.html?as_of=2020-01-01", headers=reader)
    assert before.status_code == 404


async def test_projects_are_exported_as_geojson_with_and_without_a_place(desk: Desk) -> None:
    await desk.organise()
    place = {"type": "Point", "coordinates": [10.54, 52.2523]}
    await desk.profile("handyparken", title="Handyparken", location=place)
    answer = await desk.http.get("/projects.geojson", params={"field": "mobilitaet"}, headers=desk.token(*READER))
    said = answer.json()

    assert answer.headers["content-type"] == "application/geo+json"
    assert (said["type"], len(said["features"])) == ("FeatureCollection", 7)
    places = {feature["id"]: feature["geometry"] for feature in said["features"]}
    assert places.pop("handyparken") == place
    assert set(places.values()) == {None}
    empty = await desk.http.get("/projects.geojson", params={"field": "energie"}, headers=desk.token(*READER))
    assert empty.json()["features"] == []


@pytest.mark.parametrize("path", ["projects.csv", "projects.geojson", "projects/x.html", "projects/x.pdf"])
async def test_nobody_reads_an_export_without_a_token(desk: Desk, path: str) -> None:
    assert (await desk.http.get(f"/{path}")).status_code == 401


async def test_an_export_of_several_pages_has_every_project_once(running: Bus, desk: Desk) -> None:
    async with running.transaction() as tx:
        await store.lock_register(tx.session)
        await register_many(tx, [_registered(number, tx.now) for number in range(2_100)])
    reader = desk.token(*READER)
    lines = list(
        csv.DictReader(io.StringIO((await desk.http.get("/projects.csv", headers=reader)).text.lstrip("\ufeff")))
    )
    features = (await desk.http.get("/projects.geojson", headers=reader)).json()["features"]

    ids = [line["project_id"] for line in lines]
    assert len(ids) == len(set(ids)) == 2_135
    assert ids == [feature["id"] for feature in features]


def _registered(number: int, now: datetime) -> ProjectRegisteredV2:
    said = a_profile() | {"project_id": f"p-{number}", "goals": [], "origin": "unit", "state": "proposed"}
    return ProjectRegisteredV2(**said, registered_at=now)
