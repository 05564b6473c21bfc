"""Key files: public Ed25519 keys are taken, everything else is refused when the service starts."""

import json
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import OKPKey

from oker_identity import KeysUnusable, Verifier, new_key, public_keys


def test_a_public_key_has_no_private_half(key: dict[str, Any]) -> None:
    [public] = public_keys([key])["keys"]

    assert "d" in key
    assert sorted(public) == ["alg", "crv", "kid", "kty", "use", "x"]


def test_two_new_keys_differ() -> None:
    assert new_key("a")["x"] != new_key("a")["x"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "holds no key set"),
        ('{"keys": []}', "holds no key set"),
        ('{"keys": [7]}', "only Ed25519 keys"),
        ('{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "a"}]}', "only Ed25519 keys"),
        ('{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AAAA", "kid": "a"}]}', "is no Ed25519 key"),
        (json.dumps({"keys": [new_key("a")]}), "is private"),
        (json.dumps(public_keys([new_key("")])), "has no kid"),
        (json.dumps(public_keys([new_key("a"), new_key("a")])), "two keys with the same kid"),
        (
            json.dumps({"keys": [OKPKey.generate_key("Ed448", {"kid": "a"}, private=False).as_dict()]}),
            "only Ed25519",
        ),
    ],
)
def test_a_file_that_cannot_serve_is_refused_by_name(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(content)

    with pytest.raises(KeysUnusable, match=sentence) as refused:
        Verifier.from_file(path)

    assert str(path) in str(refused.value)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(KeysUnusable, match=r"missing\.json"):
        Verifier.from_file(tmp_path / "missing.json")
