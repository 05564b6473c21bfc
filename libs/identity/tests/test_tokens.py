"""Tokens as an attacker would send them."""

import base64
import hashlib
import hmac
import json
import re
import warnings
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import OKPKey

from oker_identity import Holder, TokenRefused, Verifier, new_key, public_keys, sign

Sign = Callable[..., str]
CDO = Holder("cdo-office", frozenset({"cdo", "board"}))


def encode(part: Any) -> str:
    text = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def decode(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=="))


@pytest.fixture
def signed(key: dict[str, Any], now: datetime) -> Sign:
    """A token with any header and claims, signed with the right key, but not by the function under test."""

    def signed(header: dict[str, Any] | None = None, **claims: Any) -> str:
        seconds = int(now.timestamp())
        said = {"iss": "oker", "aud": "oker", "sub": "a", "nbf": seconds, "exp": seconds + 60, **claims}
        said = {name: value for name, value in said.items() if value is not None}
        parts = f"{encode({'alg': 'EdDSA', 'kid': key['kid'], **(header or {})})}.{encode(said)}"
        private = OKPKey.import_key(key).private_key
        assert private is not None
        return f"{parts}.{encode(private.sign(parts.encode()))}"  # type: ignore[union-attr]

    return signed


def refusal(verifier: Verifier, token: str) -> str:
    with pytest.raises(TokenRefused) as refused:
        verifier.holder(token)
    return str(refused.value)


def test_a_token_tells_who_holds_it(verifier: Verifier, key: dict[str, Any], now: datetime) -> None:
    gateway = Holder("gateway-1", frozenset({"partner"}), "stadtwerke")

    assert verifier.holder(sign(key, CDO, now=now, lifetime=timedelta(hours=1))) == CDO
    assert verifier.holder(sign(key, gateway, now=now, lifetime=timedelta(hours=1))) == gateway


def test_a_token_made_elsewhere_is_read(verifier: Verifier, signed: Sign) -> None:
    token = signed(aud=["another", "oker"], roles=["cdo", "of-another-house"])

    assert verifier.holder(token) == Holder("a", frozenset({"cdo", "of-another-house"}))


def test_checking_warns_of_nothing(verifier: Verifier, key: dict[str, Any], now: datetime) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        verifier.holder(sign(key, CDO, now=now, lifetime=timedelta(hours=1)))


@pytest.mark.parametrize(
    ("age", "lifetime", "sentence"),
    [
        (timedelta(hours=2), timedelta(hours=1), "The token has expired; ask for a new one."),
        (timedelta(minutes=-5), timedelta(hours=1), "The token is not valid yet."),
    ],
)
def test_a_token_has_its_time(
    verifier: Verifier, key: dict[str, Any], now: datetime, age: timedelta, lifetime: timedelta, sentence: str
) -> None:
    assert refusal(verifier, sign(key, CDO, now=now - age, lifetime=lifetime)) == sentence


@pytest.mark.parametrize("skew", [timedelta(seconds=-25), timedelta(seconds=25)])
def test_clocks_may_differ_a_little(verifier: Verifier, key: dict[str, Any], now: datetime, skew: timedelta) -> None:
    token = sign(key, CDO, now=now + skew, lifetime=timedelta(seconds=1))

    assert verifier.holder(token) == CDO


@pytest.mark.parametrize(
    ("claims", "sentence"),
    [
        ({"iss": "somebody"}, "The token's iss must be oker."),
        ({"aud": "somebody"}, "The token's aud must be oker."),
        ({"aud": ["oker-2"]}, "The token's aud must be oker."),
        ({"iss": None}, "The token lacks the claim iss."),
        ({"aud": None}, "The token lacks the claim aud."),
        ({"exp": None}, "The token lacks the claim exp."),
        ({"nbf": None}, "The token lacks the claim nbf."),
        ({"sub": None}, "The token lacks the claim sub."),
        ({"exp": "tomorrow"}, "The token's claim exp has no valid value."),
        ({"exp": float("nan")}, "The token's claim exp has no valid value."),
        ({"sub": "Erika Muster"}, "The token's claim sub is no role holder's id"),
        ({"roles": "cdo"}, "The token's claim roles must be a list of texts."),
        ({"roles": [["cdo"]]}, "The token's claim roles must be a list of texts."),
        ({"partner": "../verkehr"}, "The token's claim partner is no company's name"),
        ({"roles": ["partner"]}, "The token has the role partner and names no company"),
    ],
)
def test_a_claim_that_is_wrong_is_named(
    verifier: Verifier, signed: Sign, claims: dict[str, Any], sentence: str
) -> None:
    assert refusal(verifier, signed(**claims)).startswith(sentence)


def test_no_algorithm_is_no_signature(verifier: Verifier, signed: Sign, key: dict[str, Any]) -> None:
    payload = signed().split(".")[1]

    for name in ("none", "None", "NONE", "nOnE"):
        unsigned = f"{encode({'alg': name, 'kid': key['kid']})}.{payload}."
        assert refusal(verifier, unsigned) == "The token must be signed with EdDSA (Ed25519)."


def test_the_public_key_is_no_shared_secret(verifier: Verifier, signed: Sign, key: dict[str, Any]) -> None:
    public = OKPKey.import_key(public_keys([key])["keys"][0])
    secrets = (public.as_pem(), public.as_der(), json.dumps(public.as_dict()).encode(), key["x"].encode())

    for secret in secrets:
        parts = f"{encode({'alg': 'HS256', 'kid': key['kid']})}.{signed().split('.')[1]}"
        forged = f"{parts}.{encode(hmac.digest(secret, parts.encode(), hashlib.sha256))}"
        assert refusal(verifier, forged) == "The token must be signed with EdDSA (Ed25519)."


def test_another_key_of_the_same_name_does_not_open(verifier: Verifier, key: dict[str, Any], now: datetime) -> None:
    stranger = new_key(key["kid"])

    token = sign(stranger, CDO, now=now, lifetime=timedelta(hours=1))

    assert refusal(verifier, token).startswith("The token's signature does not fit")


@pytest.mark.parametrize("kid", ["2020-01", "", "../../dev/null", None])
def test_an_unknown_key_is_refused(verifier: Verifier, signed: Sign, kid: str | None) -> None:
    token = signed({"kid": kid}) if kid is not None else re.sub(r"^[^.]*", encode({"alg": "EdDSA"}), signed())

    assert refusal(verifier, token) == "The token names no key (kid) that is known here."


@pytest.mark.parametrize("header", [{"jwk": new_key("mine")}, {"jku": "https://example.org/keys"}, {"crit": ["b64"]}])
def test_a_token_cannot_bring_its_own_key_or_rules(verifier: Verifier, signed: Sign, header: dict[str, Any]) -> None:
    stranger = new_key("mine")

    assert refusal(verifier, signed({**header, "kid": stranger["kid"]}))


def test_changing_any_part_breaks_the_signature(verifier: Verifier, key: dict[str, Any], now: datetime) -> None:
    officer = Holder("officer-1", frozenset({"officer"}))
    header, payload, signature = sign(key, officer, now=now, lifetime=timedelta(hours=1)).split(".")
    claims = decode(payload)

    for forged in (
        {**claims, "roles": ["cdo"]},
        {**claims, "exp": claims["exp"] + 1},
        {**claims, "sub": "other"},
    ):
        token = f"{header}.{encode(forged)}.{signature}"
        assert refusal(verifier, token).startswith("The token's signature does not fit")


@given(st.text() | st.binary().map(encode) | st.lists(st.binary().map(encode), max_size=5).map(".".join))
def test_nothing_but_a_token_is_a_token(verifier: Verifier, key: dict[str, Any], said: str) -> None:
    refusal(verifier, said)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=9), st.lists, max_leaves=5))
def test_odd_headers_are_refused_and_nothing_breaks(verifier: Verifier, odd: Any) -> None:
    for header in (
        odd,
        {"alg": odd},
        {"alg": "EdDSA", "kid": odd},
        {"alg": "EdDSA", "kid": "2026-05", "crit": odd},
    ):
        refusal(verifier, f"{encode(header)}.{encode({})}.{encode(b'x' * 64)}")


def test_a_refusal_never_quotes_the_token(verifier: Verifier, signed: Sign) -> None:
    for token in (
        signed(sub="erika muster"),
        signed({"kid": "hunter2"}),
        signed(iss="hunter2"),
        "hunter2.a.b",
    ):
        said = refusal(verifier, token)
        assert "hunter2" not in said
        assert "erika" not in said
        assert token not in said


def test_a_token_says_no_more_than_needed(key: dict[str, Any], now: datetime) -> None:
    token = sign(key, CDO, now=now, lifetime=timedelta(hours=1))

    assert decode(token.split(".")[0]) == {"typ": "JWT", "alg": "EdDSA", "kid": key["kid"]}
    assert decode(token.split(".")[1]) == {
        "iss": "oker",
        "aud": "oker",
        "sub": "cdo-office",
        "roles": ["board", "cdo"],
        "iat": int(now.timestamp()),
        "nbf": int(now.timestamp()),
        "exp": int(now.timestamp()) + 3600,
    }
