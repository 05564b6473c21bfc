"""Nothing that stands in a mail adds a header, a recipient or a second message."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from uuid import UUID

from builders_notification import NOON
from hypothesis import example, given
from hypothesis import strategies as st
from mail_server_notification import the_settings

from notification import gateway
from notification.domain import Letter
from notification.store import Contact, Mail, Origin

HEADERS = {
    *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"),
    *("Content-Type", "Content-Transfer-Encoding", "Content-Language", "MIME-Version"),
}
printable = st.text(min_size=1, max_size=100).filter(str.isprintable)
encoded = st.builds(
    "{}=?{}?{}?{}?={}".format,
    *(st.text(max_size=9), st.sampled_from(["utf-8", "latin1", "x"]), st.sampled_from("qQbB")),
    *(st.sampled_from(["=0D=0ABcc:_a=40b.example", "DQpCY2M6IGFAYi5leGFtcGxl", "=0A=0Abody"]), st.text(max_size=9)),
)


@given(st.text() | encoded, printable | encoded.filter(str.isprintable))
@example("Ja" * 500, "=?utf-8?q?=0D=0ABcc:_a=40b.example?=")
def test_no_title_and_no_name_adds_a_header(subject: str, name: str) -> None:
    letter = Letter(subject, f"{subject.encode('utf-8', 'replace').decode()}\n")
    mail = Mail(UUID(int=1), "m-1", "de", letter, 0, NOON, Origin("event-1", None, None))

    sent = gateway.to_message(mail, Contact("m-1@b.example", name), the_settings()).as_bytes()

    read = message_from_bytes(sent, policy=policy.default)
    assert isinstance(read, EmailMessage)
    assert set(read.keys()) == HEADERS
    assert len(read.keys()) == len(HEADERS)
    assert [address.addr_spec for address in read["To"].addresses] == ["m-1@b.example"]
    assert read["Message-ID"] == f"<{UUID(int=1)}@mail.braunschweig.example>"
    assert b"\n" not in sent.replace(b"\r\n", b"")
