"""JSON Web Tokens (RFC 7519) of role holders: signed with Ed25519 only (RFC 8725, section 3.1)."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import (
    BadSignatureError,
    ClaimError,
    ExpiredTokenError,
    JoseError,
    MissingClaimError,
    UnsupportedAlgorithmError,
)
from joserfc.jwa import EdDSAAlgorithm
from joserfc.jwk import OKPKey
from joserfc.jws import JWSRegistry

from oker_identity.holder import Holder
from oker_identity.keys import ALGORITHM, read_public_keys

ISSUER = "oker"
AUDIENCE = "oker"
LEEWAY = 30
"""Seconds that the clocks of two machines may differ."""

Clock = Callable[[], datetime]
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class TokenRefused(Exception):
    """A token that opens nothing. The text is a sentence for whoever sent it, and never quotes the token."""


class _Ed25519(EdDSAAlgorithm):
    """The name covers two curves, hence the library's warning; ``keys`` lets only one of them in."""

    security_warning = None  # type: ignore[assignment]


class _Registry(JWSRegistry):
    """The one algorithm there is: ``none`` and HMAC are not refused here but unknown."""

    algorithms = {ALGORITHM: _Ed25519()}  # noqa: RUF012  (the library reads it from the class)


class Verifier:
    """Checks tokens with public keys, offline."""

    def __init__(self, keys: Mapping[str, OKPKey], clock: Clock) -> None:
        self._keys = keys
        self._clock = clock

    @classmethod
    def from_file(cls, path: Path, clock: Clock = lambda: datetime.now(UTC)) -> "Verifier":
        """Read a key set (JWKS) of public keys.

        Raises:
            KeysUnusable: if the file cannot serve, with the reason.
        """
        return cls(read_public_keys(path), clock)

    def holder(self, token: str) -> Holder:
        """Who the token speaks for.

        Raises:
            TokenRefused: if signature, times, issuer, audience or holder are not as they must be.
        """
        try:
            claims = jwt.decode(token, self._key, [ALGORITHM], _registry()).claims
            _expected(self._clock()).validate(claims)
        except (JoseError, TypeError, ValueError) as error:
            # The library raises the latter two over odd headers, for example {"crit": null}.
            raise TokenRefused(_sentence(error)) from None
        return _holder(claims)

    def _key(self, signature: Any) -> OKPKey:
        key = self._keys.get(signature.headers().get("kid", ""))
        if key is None:
            raise TokenRefused("The token names no key (kid) that is known here.")
        return key


def sign(key: Mapping[str, Any], holder: Holder, *, now: datetime, lifetime: timedelta) -> str:
    """A token for the holder, valid from ``now`` on; ``key`` is a private JWK of ``new_key``."""
    moment = int(now.timestamp())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": holder.id,
        "iat": moment,
        "nbf": moment,
        "exp": int((now + lifetime).timestamp()),
        "roles": sorted(holder.roles),
        **({"partner": holder.partner} if holder.partner else {}),
    }
    header = {"alg": ALGORITHM, "kid": key["kid"]}
    return jwt.encode(header, claims, OKPKey.import_key(dict(key)), [ALGORITHM], _registry())


def _registry() -> JWSRegistry:
    return _Registry(algorithms=[ALGORITHM])


def _expected(now: datetime) -> jwt.JWTClaimsRegistry:
    return jwt.JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=LEEWAY,
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": AUDIENCE},
        sub={"essential": True},
        nbf={"essential": True},
        exp={"essential": True},
    )


def _sentence(error: Exception) -> str:
    match error:
        case ExpiredTokenError():
            return "The token has expired; ask for a new one."
        case MissingClaimError():
            return f"The token lacks the claim {error.claim}."
        case ClaimError(claim="nbf" | "iat"):
            return "The token is not valid yet."
        case ClaimError(claim="iss" | "aud"):
            return f"The token's {error.claim} must be {ISSUER if error.claim == 'iss' else AUDIENCE}."
        case ClaimError():
            return f"The token's claim {error.claim} has no valid value."
        case UnsupportedAlgorithmError():
            return f"The token must be signed with {ALGORITHM} (Ed25519)."
        case BadSignatureError():
            return "The token's signature does not fit; the token was changed or signed with another key."
    return "This is not a signed JSON Web Token (RFC 7519)."


def _holder(claims: Mapping[str, Any]) -> Holder:
    roles, partner = claims.get("roles", []), claims.get("partner")
    if not _NAME.fullmatch(claims["sub"]):
        raise TokenRefused("The token's claim sub is no role holder's id (lower case letters, digits, hyphens).")
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise TokenRefused("The token's claim roles must be a list of texts.")
    if partner is not None and not (isinstance(partner, str) and _NAME.fullmatch(partner)):
        raise TokenRefused("The token's claim partner is no company's name (lower case letters, digits, hyphens).")
    if "partner" in roles and partner is None:
        raise TokenRefused("The token has the role partner and names no company (claim partner).")
    return Holder(claims["sub"], frozenset(roles), partner)
