"""TLS and login at the mail server: nothing goes out in clear where STARTTLS is asked for."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from mail_server_notification import MailServer, the_settings
from pydantic import ValidationError

from notification import domain, gateway
from notification.domain import Reply
from oker_testkit.servers import free_port

ALEX = "m-1@braunschweig.example"


def a_message() -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = "Hallo"
    return message


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 that signs itself, with its key, in one file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    path = tmp_path / "server.pem"
    path.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + signed.public_bytes(pem))
    return path


@pytest.fixture
def tls_server(certificate: Path) -> Iterator[MailServer]:
    """A server that offers STARTTLS and knows the user oker with the password right."""

    def login(_server: SMTP, _session: Session, _envelope: Envelope, _kind: str, said: object) -> AuthResult:
        assert isinstance(said, LoginPassword)
        return AuthResult(success=(said.login, said.password) == (b"oker", b"right"), handled=False)

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    options = {"tls_context": context, "authenticator": login, "auth_required": True}
    server = MailServer(free_port(), options=options)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate is among those that this machine trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


async def test_nothing_goes_out_in_clear_if_the_server_offers_no_tls() -> None:
    server = MailServer(free_port())
    server.start()

    reply = await gateway.deliver(a_message(), ALEX, the_settings(server.port))
    server.stop()

    assert reply == Reply(None)
    assert server.arrived == []


@pytest.mark.usefixtures("trusted")
async def test_a_mail_goes_out_over_tls_with_the_login(tls_server: MailServer) -> None:
    settings = the_settings(tls_server.port, smtp_user="oker", smtp_password="right")

    assert await gateway.deliver(a_message(), ALEX, settings) == Reply(250)
    assert [address for address, _ in tls_server.arrived] == [ALEX]


async def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tls_server: MailServer) -> None:
    settings = the_settings(tls_server.port, smtp_user="oker", smtp_password="right")

    assert await gateway.deliver(a_message(), ALEX, settings) == Reply(None)
    assert tls_server.arrived == []


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("login", "reply"),
    [
        ({"smtp_user": "oker", "smtp_password": "wrong"}, Reply(535, to_the_mail=False)),
        ({}, Reply(530)),
    ],
)
async def test_a_wrong_login_is_no_fault_of_the_mail(
    tls_server: MailServer, login: dict[str, str], reply: Reply
) -> None:
    seen = await gateway.deliver(a_message(), ALEX, the_settings(tls_server.port, **login))

    assert seen == reply
    now = datetime.now(UTC)
    assert domain.after(seen, 1, now, now).state == "queued"


@pytest.mark.parametrize(
    "wrong",
    [
        {"mail_from": "oker"},
        {"mail_from": "a@b.example\r\nBcc: c@d.example"},
        {"mail_domain": "a b"},
        {"mail_domain": "a>\r\nX: y"},
        {"smtp_port": 0},
    ],
)
def test_settings_that_make_no_mail_are_refused_at_start(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        the_settings(**wrong)


def test_the_password_is_not_shown() -> None:
    assert "right" not in repr(the_settings(smtp_user="oker", smtp_password="right"))
