"""Ed25519 keys as JSON Web Keys (RFC 7517, RFC 8037)."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

ALGORITHM = "EdDSA"
CURVE: Final = "Ed25519"


class KeysUnusable(ValueError):
    """A file or set of keys that no token can be checked with."""


def new_key(kid: str) -> dict[str, Any]:
    """A new private key; ``kid`` is the name by which tokens refer to it."""
    key = OKPKey.generate_key(CURVE, {"kid": kid, "use": "sig", "alg": ALGORITHM})
    return dict(key.as_dict(private=True))


def public_keys(private: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The public halves, as the key set that a service is given."""
    return {"keys": [{name: value for name, value in key.items() if name != "d"} for key in private]}


def read_public_keys(path: Path) -> dict[str, OKPKey]:
    """The keys of a file by their ``kid``.

    Raises:
        KeysUnusable: if the file is missing or no key set, or a key is not public, not Ed25519 or has no kid.
    """
    try:
        said = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise KeysUnusable(f"{path} cannot be read as JSON ({type(error).__name__})") from None
    listed = said.get("keys") if isinstance(said, dict) else None
    if not isinstance(listed, list) or not listed:
        raise KeysUnusable(f'{path} holds no key set; expected {{"keys": [...]}} (RFC 7517)')
    keys = [_public_key(jwk, f"{path}, key {number}") for number, jwk in enumerate(listed)]
    by_kid = {str(key.kid): key for key in keys}
    if len(by_kid) < len(keys):
        raise KeysUnusable(f"{path} has two keys with the same kid")
    return by_kid


def _public_key(jwk: Any, place: str) -> OKPKey:
    if not isinstance(jwk, dict) or jwk.get("kty") != "OKP" or jwk.get("crv") != CURVE:
        raise KeysUnusable(f"{place}: only {CURVE} keys (kty OKP) are used here")
    if "d" in jwk:
        raise KeysUnusable(f"{place} is private; a service is given the public half only")
    if not isinstance(jwk.get("kid"), str) or not jwk["kid"]:
        raise KeysUnusable(f"{place} has no kid")
    try:
        return OKPKey.import_key(jwk)
    except (JoseError, ValueError) as error:
        raise KeysUnusable(f"{place} is no {CURVE} key ({type(error).__name__})") from None
