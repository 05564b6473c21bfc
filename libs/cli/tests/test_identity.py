"""`oker identity` and `oker token`: what they make opens the doors of the services, and nothing more."""

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from oker_identity import Holder, TokenRefused, Verifier


@pytest.fixture
def key(oker: Any, tmp_path: Path) -> Path:
    path = tmp_path / "key.json"
    assert oker("identity", "new-key", "2026-05", "--out", path).code == 0
    return path


@pytest.fixture
def jwks(oker: Any, key: Path, tmp_path: Path) -> Path:
    path = tmp_path / "jwks.json"
    assert oker("identity", "public", key, "--out", path).code == 0
    return path


def test_a_token_names_the_holder_its_roles_and_its_company(oker: Any, key: Path, jwks: Path) -> None:
    said = oker("token", "m-1", "--role", "board", "--role", "partner", "--partner", "stadtwerke", "--key", key)

    assert said.code == 0
    expected = Holder("m-1", frozenset({"board", "partner"}), "stadtwerke")
    assert Verifier.from_file(jwks).holder(said.out.strip()) == expected


def test_a_token_ends_after_its_hours(oker: Any, key: Path, jwks: Path) -> None:
    token = oker("token", "m-1", "--role", "board", "--hours", 2, "--key", key).out.strip()

    def at(hours: float) -> Verifier:
        return Verifier.from_file(jwks, clock=lambda: datetime.now(UTC) + timedelta(hours=hours))

    assert at(1.9).holder(token).id == "m-1"
    with pytest.raises(TokenRefused, match="expired"):
        at(2.1).holder(token)


def test_the_private_key_is_private_and_never_overwritten(oker: Any, key: Path, jwks: Path) -> None:
    before = key.read_text()

    said = oker("identity", "new-key", "2026-06", "--out", key)

    assert (said.code, key.read_text()) == (1, before)
    assert "is there already" in said.err
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert json.loads(before)["d"] not in jwks.read_text()


def test_several_keys_make_one_set(oker: Any, key: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    oker("identity", "new-key", "2026-06", "--out", other)

    said = oker("identity", "public", key, other)

    assert [(row["kid"], "d" in row) for row in said.json["keys"]] == [("2026-05", False), ("2026-06", False)]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("m-1", "--role", "king"), "no such role: king; there are advisory_board, auditor, board"),
        (("Erika Muster", "--role", "board"), "HOLDER: lower case letters"),
        (("m-1", "--role", "partner"), "name it with --partner"),
        (("m-1", "--role", "board", "--partner", "Stadt Werke"), "--partner: lower case letters"),
    ],
)
def test_a_token_that_would_open_nothing_is_not_signed(
    oker: Any, key: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    said = oker("token", *arguments, "--key", key)

    assert (said.code, said.out) == (2, "")
    assert sentence in said.err


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"kty": "OKP", "kid": "a"}', '{"kty": "OKP", "kid": "a", "d": "???", "crv": "Ed25519"}']
)
def test_what_is_no_key_is_said_without_showing_it(oker: Any, tmp_path: Path, text: str) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(text)

    said = oker("token", "m-1", "--role", "board", "--key", path)

    assert (said.code, said.out, said.err.count("\n")) == (1, "", 1)
    assert str(path) in said.err
    assert "???" not in said.err
