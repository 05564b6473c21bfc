"""Links lead somewhere, and no file speaks of the machine that it was written on."""

import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^(```|~~~).*?^\1[^\n]*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^\[[^\]]+\]:\s+(\S+)", re.MULTILINE)
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
EXPLICIT = re.compile(r"<a\s+(?:id|name)=\"([^\"]+)\"")
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
LINE = re.compile(r"L([0-9]+)(?:-L([0-9]+))?")
MACHINE = re.compile(
    r"(?<![\w.~/}$-])(?:/(?:home|Users|root|work|workspace|workspaces|builds|farm)/\w|[A-Z]:\\Users\\\w"
    r"|/tmp/\w+/(?:bin|lib)/)"
)
"""Folders that only one machine has: homes, check-outs, virtual environments in passing."""


def tracked(pattern: str = "*") -> list[Path]:
    """The files of the repository, also those that are new and not ignored."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard", "-z", pattern]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in said.split("\0") if name and (path := ROOT / name).is_file()]


def anchors(text: str) -> set[str]:
    """The anchors of a page, made from its headings as code hosts make them."""
    found = set(EXPLICIT.findall(text))
    for heading in HEADING.findall(FENCE.sub("", text)):
        words = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        again = next(n for n in range(1000) if (slug if n == 0 else f"{slug}-{n}") not in found)
        found.add(slug if again == 0 else f"{slug}-{again}")
    return found


def links(text: str) -> list[str]:
    """Targets of links, outside of code."""
    prose = CODE.sub("`code`", FENCE.sub("", text))
    return [inline or reference for inline, reference in LINK.findall(prose)]


def link_faults(page: Path, root: Path) -> list[str]:
    """Links of a page that lead nowhere."""
    text = page.read_text("utf-8")
    found = [(link, _link_fault(page, link, root)) for link in links(text) if not SCHEME.match(link)]
    return [f"{page.relative_to(root)}: link {link}: {fault}" for link, fault in found if fault]


def _link_fault(page: Path, link: str, root: Path) -> str | None:
    path, _, anchor = unquote(link).partition("#")
    if path.startswith("/"):
        return "is absolute; link relative to this page."
    target = (page.parent / path).resolve() if path else page
    if not target.is_relative_to(root):
        return "leads out of the repository."
    if not target.exists():
        return "there is no such file; correct the path."
    return _anchor_fault(target, anchor) if anchor else None


def _anchor_fault(target: Path, anchor: str) -> str | None:
    if target.is_dir():
        return "a folder has no anchors; link to a file in it."
    text = target.read_text("utf-8")
    if target.suffix == ".md":
        return None if anchor in anchors(text) else "the page has no such heading; correct the anchor."
    said = LINE.fullmatch(anchor)
    last = int(said[2] or said[1]) if said else 0
    return None if 0 < last <= len(text.splitlines()) else "the file has no such line; correct the anchor."


def machine_faults(name: str, text: str) -> list[str]:
    """Lines that name a folder of one machine."""
    return [
        f"{name}:{number}: names a folder of one machine; make it relative, or a setting."
        for number, line in enumerate(text.splitlines(), 1)
        if MACHINE.search(line)
    ]


def test_all_links_lead_somewhere() -> None:
    pages = tracked("*.md")

    assert pages
    assert [fault for page in pages for fault in link_faults(page, ROOT)] == []


def test_no_file_names_a_folder_of_one_machine() -> None:
    faults = []
    for path in tracked():
        text = path.read_bytes().decode("utf-8", "replace")
        faults += machine_faults(path.relative_to(ROOT).as_posix(), text)

    assert faults == []


@pytest.mark.parametrize(
    ("link", "fault"),
    [
        ("[a](other.md)", None),
        ("[a](other.md#a-heading)", None),
        ("[a](other.md#a-heading-1)", None),
        ("[a](other.md#straße--ümlaut)", None),
        ("[a](other.md#b%C3%BCrger)", None),
        ('[a](<other.md> "Title")', None),
        ("[a](#here)", None),
        ("[a](code.py#L2)", None),
        ("[a](folder)", None),
        ("[a](https://oker.example/nowhere)", None),
        ("`[a](missing.md)`", None),
        ("```\n[a](missing.md)\n```", None),
        ("[a]: other.md", None),
        ("[a](missing.md)", "there is no such file; correct the path."),
        ("![a](missing.svg)", "there is no such file; correct the path."),
        ("[a]: missing.md", "there is no such file; correct the path."),
        ("[a](other.md#no-heading)", "the page has no such heading; correct the anchor."),
        ("[a](other.md#a-heading-2)", "the page has no such heading; correct the anchor."),
        ("[a](#nowhere)", "the page has no such heading; correct the anchor."),
        ("[a](code.py#L4)", "the file has no such line; correct the anchor."),
        ("[a](folder#x)", "a folder has no anchors; link to a file in it."),
        ("[a](/other.md)", "is absolute; link relative to this page."),
        ("[a](../../outside.md)", "leads out of the repository."),
    ],
)
def test_a_link_that_leads_nowhere_is_caught(tmp_path: Path, link: str, fault: str | None) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "code.py").write_text("one\ntwo\nthree\n")
    other = "# A heading\n```\n# no heading\n```\n## A `heading`\n## Straße & Ümlaut\n## Bürger\n"
    (tmp_path / "other.md").write_text(other, "utf-8")
    page = tmp_path / "page.md"
    page.write_text(f"# Here\n\n{link}\n", "utf-8")

    found = link_faults(page, tmp_path)

    assert [said.split(": ", 2)[2] for said in found] == ([fault] if fault else [])


@pytest.mark.parametrize(
    "parts", [("home", "anna", "oker"), ("root", "oker"), ("Users", "anna"), ("tmp", "env", "bin", "python")]
)
def test_a_folder_of_one_machine_is_caught(parts: tuple[str, ...]) -> None:
    path = "/".join(["", *parts])

    assert machine_faults("a.md", f"fine\nrun {path} now") == [
        "a.md:2: names a folder of one machine; make it relative, or a setting."
    ]
    assert machine_faults("a.md", f"fine: libs{path}, ${{HOME}}{path}, ~{path}, https://oker.example{path}") == []
