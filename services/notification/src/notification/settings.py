"""What notification is told from outside, beyond what every service is told."""

from email.headerregistry import Address
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from oker_bus.settings import ServiceSettings


def mailbox(said: str) -> str:
    """A bare address, ``oker@braunschweig.example``.

    Raises:
        ValueError: it is none.
    """
    if not Address(addr_spec=said).domain:
        raise ValueError("must be an address, name@domain")
    return said


class Settings(ServiceSettings):
    """The mail server, and who speaks; see :class:`oker_bus.settings.ServiceSettings`."""

    smtp_host: str
    smtp_port: int = Field(ge=1, le=65535)
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_starttls: bool
    """Only a sink on loopback does without."""
    smtp_timeout: float = Field(default=20.0, gt=0)
    """Seconds for one mail, from connecting to the server's last word."""
    mail_from: Annotated[str, AfterValidator(mailbox)]
    mail_domain: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$")]
    """The right side of every Message-ID, and the name we greet the server with."""
