"""The catalogue of table 3, ids of proposals, references."""

import re
from collections import Counter
from datetime import timedelta

import pytest
from builders_project_registry import NOON, a_proposal, the_catalogue
from hypothesis import given
from hypothesis import strategies as st

from project_registry import domain

SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
slugs = st.from_regex(SLUG, fullmatch=True)
ASCII = {ord(sign): f"{plain}e" for sign, plain in zip("äöü", "aou", strict=True)} | {ord("ß"): "ss"}


def test_table_3_has_35_projects_with_48_assignments_in_ten_fields() -> None:
    catalogue = the_catalogue()

    assert len({project.project_id for project in catalogue.projects}) == len(catalogue.projects) == 35
    assert catalogue.assignments == 48
    assert len(catalogue.fields_of_action) == 10


def test_each_field_has_as_many_projects_as_in_table_3_and_energie_has_none() -> None:
    counts = Counter(field for project in the_catalogue().projects for field in project.fields_of_action)

    assert [(row.title, counts[row.field]) for row in the_catalogue().fields_of_action] == [
        ("Bauen und Wohnen", 4),
        ("Bildung und Forschung", 4),
        ("Digitale Infrastruktur", 3),
        ("Energie", 0),
        ("Gesundheit und Soziales", 2),
        ("Gesellschaft und Kultur", 8),
        ("Mobilität", 7),
        ("Umwelt und Klimaschutz", 1),
        ("Verwaltung", 7),
        ("Wirtschaft und Tourismus", 12),
    ]


def test_there_are_nine_goals_in_three_groups() -> None:
    groups = Counter(goal.group for goal in the_catalogue().goals)

    assert groups == {"ambition": 3, "role": 3, "orientation": 3}


def test_the_project_that_the_table_spells_two_ways_is_one() -> None:
    spelt = [project for project in the_catalogue().projects if "Gesundheitsstandort" in project.title]

    assert [project.title for project in spelt] == ["Pilotprojekt Gesundheitsstandort Wohnung"]
    assert spelt[0].fields_of_action == ("bauen-und-wohnen", "gesundheit-und-soziales")


def test_every_assignment_names_a_field_of_the_catalogue() -> None:
    fields = {field.field for field in the_catalogue().fields_of_action}

    assert {field for project in the_catalogue().projects for field in project.fields_of_action} <= fields


def test_an_id_is_its_title_in_ascii_cut_after_a_whole_word() -> None:
    catalogue = the_catalogue()
    named = [
        *((field.field, field.title) for field in catalogue.fields_of_action),
        *((goal.goal, goal.title) for goal in catalogue.goals),
        *((project.project_id, project.title) for project in catalogue.projects),
    ]

    for name, title in named:
        whole = re.sub(r"[^a-z0-9]+", "-", title.lower().translate(ASCII)).strip("-")
        assert SLUG.fullmatch(name)
        assert f"{whole}-".startswith(f"{name}-")
        assert name == whole or len(whole) > domain.LONGEST_ID


def test_only_projects_that_are_not_registered_are_new() -> None:
    catalogue = the_catalogue()
    registered = {project.project_id for project in catalogue.projects[:34]}

    assert domain.new_projects(catalogue, registered) == [catalogue.projects[34]]


def test_a_proposal_is_called_by_company_and_name() -> None:
    assert domain.proposal_id("verkehr", "leihfahrraeder", set()) == "verkehr-leihfahrraeder"


def test_no_company_takes_the_id_of_another() -> None:
    first = domain.proposal_id("a-b", "c", set())
    second = domain.proposal_id("a", "b-c", {first})

    assert first == "a-b-c"
    assert second != first
    assert second.startswith("a-b-c-")


@given(slugs, slugs, st.booleans())
def test_the_id_of_a_proposal_is_always_a_slug_and_never_taken(partner: str, name: str, taken: bool) -> None:
    others = {f"{partner}-{name}"} if taken else set()
    found = domain.proposal_id(partner, name, others)

    assert SLUG.fullmatch(found)
    assert found not in others
    assert found == domain.proposal_id(partner, name, others)


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"fields_of_action": ("mobilitaet", "raumfahrt")}, "$.fields_of_action[1]"),
        ({"goals": ("weltherrschaft",)}, "$.goals[0]"),
    ],
)
def test_an_unknown_reference_is_named_by_its_path(said: dict[str, tuple[str, ...]], path: str) -> None:
    fault = domain.unknown_reference(a_proposal(**said), {"mobilitaet"}, {"raum-fuer-initiativen-schaffen"})

    assert fault is not None
    assert fault.path == path


def test_a_proposal_with_known_references_has_no_fault() -> None:
    assert not domain.unknown_reference(a_proposal(), {"mobilitaet"}, {"raum-fuer-initiativen-schaffen"})
    assert domain.unreadable_text(a_proposal(summary="Erste Zeile\nzweite Zeile")) is None


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"title": "Rad\x00"}, "$.title"),
        ({"title": "Rad\nweg"}, "$.title"),
        ({"summary": "\x00"}, "$.summary"),
    ],
)
def test_control_characters_are_named_by_their_path(said: dict[str, str], path: str) -> None:
    fault = domain.unreadable_text(a_proposal(**said))

    assert fault is not None
    assert fault.path == path


def test_a_proposal_is_the_same_whenever_it_was_received_and_whatever_became_of_it() -> None:
    later = NOON + timedelta(days=1)

    assert domain.same_proposal(a_proposal(received_at=later), a_proposal(accepted_at=later))
    assert not domain.same_proposal(a_proposal(title="Lastenräder"), a_proposal())


@given(st.text(max_size=200))
def test_the_id_of_a_title_is_a_slug_or_there_is_none(title: str) -> None:
    found = domain.slug(title)

    assert found == "" or SLUG.fullmatch(found)


def test_the_catalogue_and_the_unit_make_ids_in_the_same_way() -> None:
    odd = {"pilotprojekt-gesundheitsstandort-wohnung"}

    for project in the_catalogue().projects:
        assert domain.slug(project.title).startswith(project.project_id) or project.project_id in odd
    assert domain.slug("Übergröße – Fünf Öfen!") == "uebergroesse-fuenf-oefen"
    assert domain.slug("日本") == ""
