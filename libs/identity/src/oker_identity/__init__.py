"""Who asks over HTTP: bearer tokens of role holders, checked offline with public keys."""

from oker_identity.access import Door, require
from oker_identity.holder import ROLES, Holder
from oker_identity.keys import KeysUnusable, new_key, public_keys
from oker_identity.tokens import TokenRefused, Verifier, sign

__all__ = [
    "ROLES",
    "Door",
    "Holder",
    "KeysUnusable",
    "TokenRefused",
    "Verifier",
    "new_key",
    "public_keys",
    "require",
    "sign",
]
