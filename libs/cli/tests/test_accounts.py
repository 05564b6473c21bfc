"""`oker accounts`: passwords are made once, accounts are rendered without showing them."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

PARTNERS = '[partners.stadtwerke]\nname = "Stadtwerke"\n'


@pytest.fixture
def partners(tmp_path: Path) -> Path:
    path = tmp_path / "partners.toml"
    path.write_text(PARTNERS)
    return path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_made_once_and_completed_for_a_new_company(oker: Any, partners: Path, tmp_path: Path) -> None:
    out = tmp_path / "secrets.json"
    oker("accounts", "secrets", "--partners", partners, "--out", out)
    first = json.loads(out.read_text())

    partners.write_text(PARTNERS + '[partners.klinikum]\nname = "Klinikum"\n')
    said = oker("accounts", "secrets", "--partners", partners, "--out", out)

    second = json.loads(out.read_text())
    assert said.code == 0
    assert second.items() >= first.items()
    assert set(second) - set(first) == {"klinikum", "klinikum-devices"}
    assert len(set(second.values())) == len(second)
    assert min(map(len, second.values())) >= 32
    assert mode(out) == 0o600


def test_accounts_are_for_the_servers_eyes_only_and_hold_no_password(oker: Any, partners: Path, tmp_path: Path) -> None:
    secrets, out = tmp_path / "secrets.json", tmp_path / "accounts.conf"
    out.write_text("readable by all")
    oker("accounts", "secrets", "--partners", partners, "--out", secrets)

    said = oker("accounts", "render", "--partners", partners, "--secrets", secrets, "--out", out)

    assert said.code == 0
    assert mode(out) == 0o600
    rendered = out.read_text()
    assert '"stadtwerke-devices"' in rendered
    assert not [word for word in json.loads(secrets.read_text()).values() if word in rendered + said.out + said.err]


def test_rendered_again_it_is_the_same(oker: Any, partners: Path, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets.json"
    oker("accounts", "secrets", "--partners", partners, "--out", secrets)

    first, second = (oker("accounts", "render", "--partners", partners, "--secrets", secrets) for _ in range(2))

    assert first.out == second.out
    assert first.out.startswith("system_account: SYS")


def test_a_user_without_password_is_named_with_the_way_out(oker: Any, partners: Path, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets.json"
    secrets.write_text('{"operator": "x", "topology": ""}')

    said = oker("accounts", "render", "--partners", partners, "--secrets", secrets)

    assert said.code == 1
    assert "no password for" in said.err
    assert "topology" in said.err
    assert "stadtwerke-devices" in said.err
    assert f"oker accounts secrets --partners {partners} --out {secrets}" in said.err


@pytest.mark.parametrize(
    ("secrets", "partners_text", "sentence"),
    [
        ("{", PARTNERS, "secrets.json is not JSON"),
        ("[]", PARTNERS, "secrets.json must hold a JSON object"),
        ("{}", "[partners.X]", "partners.toml: partners.X"),
        (None, PARTNERS, "secrets.json cannot be read: No such file"),
    ],
)
def test_a_wrong_file_is_named(
    oker: Any, partners: Path, tmp_path: Path, secrets: str | None, partners_text: str, sentence: str
) -> None:
    partners.write_text(partners_text)
    if secrets is not None:
        (tmp_path / "secrets.json").write_text(secrets)

    said = oker("accounts", "render", "--partners", partners, "--secrets", tmp_path / "secrets.json")

    assert said.code == 1
    assert sentence in said.err


def test_a_folder_that_is_not_there_is_named(oker: Any, partners: Path, tmp_path: Path) -> None:
    said = oker("accounts", "secrets", "--partners", partners, "--out", tmp_path / "nowhere" / "secrets.json")

    assert (said.code, said.err.count("\n")) == (1, 1)
    assert "secrets.json cannot be written: No such file" in said.err
