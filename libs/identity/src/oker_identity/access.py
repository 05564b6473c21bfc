"""The door of an HTTP route: ``Depends(require("cdo", "unit"))``."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from oker_identity.holder import ROLES, Holder
from oker_identity.tokens import TokenRefused, Verifier

bearer = HTTPBearer(
    bearerFormat="JWT",
    auto_error=False,
    scheme_name="token",
    description="A token of a role holder, signed with Ed25519.",
)
Said = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


@dataclass(frozen=True, slots=True)
class Door:
    """Lets in whoever holds one of the roles; without roles, every valid token."""

    roles: tuple[str, ...]

    async def __call__(self, request: Request, said: Said) -> Holder:
        """The holder of the token."""
        holder = _holder(request.app.state.verifier, said)
        if self.roles and not holder.roles.intersection(self.roles):
            raise _refusal(403, f"This needs the role {' or '.join(self.roles)}.", 'error="insufficient_scope"')
        return holder


def require(*roles: str) -> Door:
    """A dependency that lets in whoever holds one of the roles; without roles, every valid token.

    The app's ``state.verifier`` checks the token. Answers 401 without a valid token and 403 without a role.

    Raises:
        ValueError: at once, if there is no such role.
    """
    if unknown := set(roles) - ROLES:
        raise ValueError(f"no such role: {', '.join(sorted(unknown))}; there are {', '.join(sorted(ROLES))}")
    return Door(roles)


def _holder(verifier: Verifier, said: HTTPAuthorizationCredentials | None) -> Holder:
    if said is None:
        raise _refusal(401, "Send a token in the header: Authorization: Bearer ….")
    try:
        return verifier.holder(said.credentials)
    except TokenRefused as refused:
        raise _refusal(401, str(refused), 'error="invalid_token"') from None


def _refusal(status: int, sentence: str, error: str = "") -> HTTPException:
    """With the header that RFC 6750, section 3, asks for."""
    challenge = ", ".join(part for part in ('Bearer realm="oker"', error) if part)
    return HTTPException(status, sentence, {"WWW-Authenticate": challenge})
