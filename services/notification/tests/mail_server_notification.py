"""A real SMTP server for the tests of notification."""

from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from oker_testkit.bus import eventually


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
        self.arrived.extend((address, message) for address in envelope.rcpt_tos)
        return "250 accepted"

    async def has(self, count: int) -> list[tuple[str, EmailMessage]]:
        """Wait until that many mails have arrived; returns them by address."""

        async def enough() -> bool:
            return len(self.arrived) >= count

        await eventually(enough, f"{count} mails arrive")
        assert len(self.arrived) == count
        return sorted(self.arrived, key=lambda mail: mail[0])
