"""`oker topology apply`: idempotent, shows a diff, never narrows."""

import asyncio
from typing import Any

import pytest
from nats.js.api import PubAck
from nats.js.errors import NotFoundError

from oker_bus import topology
from oker_bus.accounts import render, users
from oker_bus.partners import PartnersInvalid, read_partners
from oker_testkit.plugin import PARTNERS


async def changes(js: Any, **options: Any) -> list[topology.Change]:
    return [change async for change in topology.apply(js, None, PARTNERS, **options)]


async def test_applying_again_changes_nothing(jetstream: Any) -> None:
    assert {change.kind for change in await changes(jetstream)} == {"same"}


async def test_a_dry_run_shows_the_diff_and_changes_nothing(jetstream: Any) -> None:
    await jetstream.delete_stream("NOTIFICATION")

    shown = [str(change) for change in await changes(jetstream, dry_run=True) if change.kind != "same"]

    assert shown == ["+ stream NOTIFICATION  notification.>"]
    with pytest.raises(NotFoundError):
        await jetstream.stream_info("NOTIFICATION")


async def test_a_wider_limit_is_kept_and_named(jetstream: Any) -> None:
    config = (await jetstream.stream_info("SENSOR")).config
    wider = (config.max_bytes or 0) * 2
    await jetstream.update_stream(config.evolve(max_bytes=wider))

    kept = [change for change in await changes(jetstream) if change.kind == "kept"]

    assert [change.what for change in kept] == ["stream SENSOR"]
    assert "would narrow max_bytes" in kept[0].detail
    assert (await jetstream.stream_info("SENSOR")).config.max_bytes == wider


async def test_a_narrower_limit_is_widened(jetstream: Any) -> None:
    config = (await jetstream.stream_info("SENSOR")).config
    await jetstream.update_stream(config.evolve(max_bytes=1_000_000, max_age=600.0))

    updated = [change.what for change in await changes(jetstream) if change.kind == "update"]

    assert updated == ["stream SENSOR"]
    assert (await jetstream.stream_info("SENSOR")).config.max_bytes > 1_000_000


async def test_a_full_intake_stream_refuses_and_drops_nothing(jetstream: Any) -> None:
    config = (await jetstream.stream_info("IN_verkehr")).config
    await jetstream.update_stream(config.evolve(max_bytes=2_000))
    acks = [jetstream.publish("ingest.verkehr.sensor.x", b"x" * 100) for _ in range(50)]
    answers = await asyncio.gather(*acks, return_exceptions=True)
    accepted = [answer for answer in answers if isinstance(answer, PubAck)]

    state = (await jetstream.stream_info("IN_verkehr")).state
    assert 0 < len(accepted) == state.messages
    assert {str(answer) for answer in answers if "maximum bytes" in str(answer)}


def test_accounts_show_no_password_and_do_not_change_when_rendered_again() -> None:
    passwords = {user: f"secret-of-{user}" for user in users(PARTNERS)}

    rendered = render(PARTNERS, passwords)

    assert "secret-of" not in rendered
    assert rendered == render(PARTNERS, passwords)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("partners = 3", "partners: Input should be a valid dictionary"),
        ("[partners.Groß]\nname = 'x'", "at the end of a table"),
        ("[partners.platform]\nname = 'x'", "are taken"),
        ("[partners.a", "Expected"),
    ],
)
def test_a_wrong_partners_file_is_named_with_the_place(tmp_path: Any, text: str, said: str) -> None:
    path = tmp_path / "partners.toml"
    path.write_text(text)

    with pytest.raises(PartnersInvalid, match=said) as caught:
        read_partners(path)
    assert str(path) in str(caught.value)
