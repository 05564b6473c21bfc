"""A real SMTP server for the tests of notification, and the settings to reach it."""

import asyncio
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from notification.settings import Settings
from oker_testkit.bus import eventually


def the_settings(port: int = 25, **said: Any) -> Settings:
    """Settings of a gateway that needs no other servers."""
    common = ("nats_url", "nats_user", "nats_password", "database_url", "http_host", "identity_keys")
    return Settings.model_validate(
        {
            **dict.fromkeys(common, ""),
            "http_port": 0,
            "smtp_host": "127.0.0.1",
            "smtp_port": port,
            "smtp_starttls": True,
            "smtp_timeout": 5.0,
            "mail_from": "oker@braunschweig.example",
            "mail_domain": "mail.braunschweig.example",
            **said,
        }
    )


@dataclass
class MailServer:
    """A real SMTP server that keeps what it accepts, and says beforehand arranged replies to RCPT."""

    port: int
    arrived: list[tuple[str, EmailMessage]] = field(default_factory=list)
    replies: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    """address: the reply to every RCPT."""
    options: dict[str, Any] = field(default_factory=dict)
    controller: Controller | None = None
    holds: bool = False
    """Keep the answer to a message back until told otherwise."""
    held: bool = False

    def start(self) -> None:
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port, **self.options)
        self.controller.start()

    def stop(self) -> None:
        if self.controller is not None:
            self.controller.stop()
            self.controller = None

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        if self.replies:
            return self.replies.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        while self.holds:
            self.held = True
            await asyncio.sleep(0.01)
        self.arrived.extend((address, message) for address in envelope.rcpt_tos)
        return "250 accepted"

    async def has(self, count: int) -> list[tuple[str, EmailMessage]]:
        """Wait until that many mails have arrived; returns them by address."""

        async def enough() -> bool:
            return len(self.arrived) >= count

        await eventually(enough, f"{count} mails arrive")
        assert len(self.arrived) == count
        return sorted(self.arrived, key=lambda mail: mail[0])

    async def is_held(self) -> None:
        """Wait until a message is being kept back."""

        async def waits() -> bool:
            return self.held

        await eventually(waits, "a message is held back")
