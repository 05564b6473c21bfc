"""Words of a Projektsteckbrief in German and English, and how numbers and days are written."""

from datetime import date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

Language = Literal["de", "en"]
BERLIN = ZoneInfo("Europe/Berlin")
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
WORDS: dict[str, tuple[str, str]] = {
    "profile": ("Projektsteckbrief", "Project profile"),
    "city": ("Smart City Braunschweig", "Smart City Braunschweig"),
    "overview": ("Auf einen Blick", "At a glance"),
    "state": ("Stand", "State"),
    "fields_of_action": ("Handlungsfelder", "Fields of action"),
    "department": ("Zuständiger Fachbereich", "Responsible department"),
    "officer": ("Smart-City-Beauftragte", "Smart-City-Beauftragte"),
    "origin": ("Herkunft", "Origin"),
    "company": ("Vorgeschlagen von", "Proposed by"),
    "maturity": ("Reifegrad", "Maturity"),
    "reference_cities": ("Referenzstädte", "Reference cities"),
    "location": ("Ort (Breite, Länge)", "Place (latitude, longitude)"),
    "summary": ("Kurzbeschreibung", "Summary"),
    "goals": ("Beitrag zu den strategischen Zielen", "Contribution to the strategic goals"),
    "goal": ("Strategisches Ziel", "Strategic goal"),
    "contribution": ("Beitrag", "Contribution"),
    "marks": ("Merkmale eines Smart-City-Projekts", "Marks of a Smart-City project"),
    "mark": ("Merkmal", "Mark"),
    "evidence": ("Nachweis", "Evidence"),
    "digital_technology": ("Nutzt digitale Technik", "Uses digital technology"),
    "daseinsvorsorge": ("Dient der Daseinsvorsorge", "Serves the Daseinsvorsorge"),
    "liveable_city": ("Nachhaltige, lebenswerte Stadt", "Sustainable and liveable city"),
    "partners": ("Beteiligte und ihre Verantwortung", "Partners and what they are responsible for"),
    "organisation": ("Organisation", "Organisation"),
    "responsible_for": ("Verantwortlich für", "Responsible for"),
    "staffing": ("Stellen", "Staffing"),
    "role": ("Aufgabe", "Role"),
    "full_time_equivalents": ("Vollzeitstellen", "Full-time equivalents"),
    "budget": ("Kosten", "Cost"),
    "line": ("Haushaltsposten", "Budget line"),
    "year": ("Jahr", "Year"),
    "plan": ("Plan", "Plan"),
    "actual": ("Ist", "Actual"),
    "sum": ("Summe", "Sum"),
    "milestones": ("Meilensteine", "Milestones"),
    "milestone": ("Meilenstein", "Milestone"),
    "due": ("Fällig", "Due"),
    "reached": ("Erreicht", "Reached"),
    "open": ("offen", "open"),
    "risks": ("Risiken", "Risks"),
    "risk": ("Risiko", "Risk"),
    "assessment": ("Bewertung", "Assessment"),
    "measure": ("Maßnahme", "Measure"),
    "digital_divide": ("Digitale Spaltung", "Digital divide"),
    "data_protection": ("Datenschutz", "Data protection"),
    "data_security": ("Datensicherheit", "Data security"),
    "other": ("Sonstiges", "Other"),
    "success_criteria": ("Erfolgskriterien", "Success criteria"),
    "criterion": ("Kriterium", "Criterion"),
    "baseline": ("Ausgangswert", "Baseline"),
    "target": ("Zielwert", "Target"),
    "at_least": ("mindestens", "at least"),
    "at_most": ("höchstens", "at most"),
    "source": ("Quelle", "Source"),
    "evaluation": ("Ergebnis der Evaluation", "Result of the evaluation"),
    "nothing": ("Noch keine Angabe.", "Nothing said yet."),
    "version": ("Version", "Version"),
    "valid_from": ("gültig seit", "valid since"),
    "recorded_at": ("erfasst am", "recorded on"),
    "concept": ("Konzept", "Concept"),
    "prototype": ("Prototyp", "Prototype"),
    "pilot": ("Pilot", "Pilot"),
    "in_operation": ("im Betrieb", "in operation"),
    "idea": ("Idee", "Idea"),
    "proposed": ("vorgeschlagen", "proposed"),
    "eligible": ("zur Auswahl zugelassen", "eligible"),
    "in_selection": ("in der Auswahl", "in selection"),
    "selected": ("ausgewählt", "selected"),
    "deferred": ("zurückgestellt", "deferred"),
    "rejected": ("abgelehnt", "rejected"),
    "in_implementation": ("in Umsetzung", "in implementation"),
    "completed": ("abgeschlossen", "completed"),
    "stopped": ("beendet", "stopped"),
    "evaluated": ("evaluiert", "evaluated"),
    "from_catalogue": ("Katalog der Strategie", "Catalogue of the strategy"),
    "from_proposal": ("Vorschlag eines Unternehmens", "Proposal of a company"),
    "from_idea": ("Idee aus der Bevölkerung oder der Verwaltung", "Idea of citizens or staff"),
    "from_unit": ("Organisationseinheit Smart City", "Organisationseinheit Smart City"),
}
"""By what is meant: in German, in English. German names of institutions stay German."""


def word(name: str, language: Language) -> str:
    """A word; the name itself where it has none."""
    pair = WORDS.get(name)
    return name if pair is None else pair[0 if language == "de" else 1]


def euros(amount: int, language: Language) -> str:
    """Whole euros."""
    grouped = f"{amount:,}"
    return f"{grouped.replace(',', '.')}\u00a0€" if language == "de" else f"€{grouped}"


def number(said: float, language: Language) -> str:
    """A number without a tail of zeros, of which nothing is rounded away."""
    plain = str(int(said)) if float(said).is_integer() and abs(said) < 1e15 else repr(float(said))
    return plain.replace(".", ",") if language == "de" else plain


def day(said: str, language: Language) -> str:
    """A day of ISO 8601, as people write it; one that no calendar has stays as it is."""
    try:
        when = date.fromisoformat(said)
    except ValueError:
        return said
    return f"{when.day}. {when.month}. {when.year}" if language == "de" else _english(when)


def moment(said: datetime, language: Language) -> str:
    """A moment in Europe/Berlin, to the minute."""
    local = said.astimezone(BERLIN)
    if language == "de":
        return f"{local.day}. {local.month}. {local.year}, {local:%H:%M} Uhr"
    return f"{_english(local.date())}, {local:%H:%M}"


def _english(when: date) -> str:
    return f"{when.day} {MONTHS[when.month - 1]} {when.year}"
