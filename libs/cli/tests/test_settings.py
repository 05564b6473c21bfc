"""Where settings come from, and what is said when one is missing or wrong."""

from pathlib import Path
from typing import Any

import pytest

COMMANDS = {
    ("ledger",): "OKER_PARTNERS_FILE",
    ("trail", "r-1"): "OKER_NATS_URL",
    ("topology", "plan"): "OKER_PARTNERS_FILE",
}
ALL = {
    "OKER_PARTNERS_FILE": "partners.toml",
    "OKER_SERVICE_URLS": '{"sensor-ingest": "http://127.0.0.1:9", "project-registry": "http://127.0.0.1:9"}',
    "OKER_TOKEN": "t",
    "OKER_NATS_URL": "nats://127.0.0.1:9",
    "OKER_OPERATOR_PASSWORD": "hush-hush",
    "OKER_TOPOLOGY_PASSWORD": "hush-hush",
}


@pytest.fixture(autouse=True)
def _partners(tmp_path: Path) -> None:
    (tmp_path / "partners.toml").write_text('[partners.stadtwerke]\nname = "Stadtwerke"\n')


@pytest.mark.parametrize(("command", "name"), COMMANDS.items())
def test_a_missing_setting_is_named_with_where_to_set_it(oker: Any, command: tuple[str, ...], name: str) -> None:
    said = oker(*command)

    assert (said.code, said.out) == (2, "")
    assert said.err == (
        f"oker: {name} is not set; set it in the environment, or in .oker/up/env "
        "(another file: --env-file or OKER_ENV_FILE)\n"
    )


@pytest.mark.parametrize("name", sorted(set(ALL) - {"OKER_TOPOLOGY_PASSWORD"}))
def test_the_ledger_names_each_setting_that_it_lacks(oker: Any, name: str) -> None:
    said = oker("ledger", env={key: value for key, value in ALL.items() if key != name})

    assert said.code == 2
    assert f"{name} is not set" in said.err


def test_the_environment_wins_over_the_file_and_a_named_file_over_the_default(oker: Any, tmp_path: Path) -> None:
    (tmp_path / ".oker/up").mkdir(parents=True)
    for name, port in ((".oker/up/env", 1), ("other.env", 2)):
        (tmp_path / name).write_text(f"OKER_NATS_URL=nats://127.0.0.1:{port}\nOKER_OPERATOR_PASSWORD=hush-hush\n")

    assert "127.0.0.1:1 cannot" in oker("trail", "r-1").err
    assert "127.0.0.1:2 cannot" in oker("--env-file", "other.env", "trail", "r-1").err
    assert "127.0.0.1:2 cannot" in oker("trail", "r-1", env={"OKER_ENV_FILE": "other.env"}).err
    assert "127.0.0.1:3 cannot" in oker("trail", "r-1", env={"OKER_NATS_URL": "nats://127.0.0.1:3"}).err


def test_a_named_file_that_is_not_there_is_named(oker: Any) -> None:
    said = oker("--env-file", "nowhere", "trail", "r-1")

    assert said.code == 2
    assert "nowhere is not there" in said.err


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"OKER_SERVICE_URLS": "{"}, "OKER_SERVICE_URLS must be a JSON object"),
        ({"OKER_SERVICE_URLS": "[]"}, "OKER_SERVICE_URLS must be a JSON object"),
        ({"OKER_SERVICE_URLS": '{"sensor-ingest": "x"}'}, "OKER_SERVICE_URLS lacks project-registry"),
        ({"OKER_PARTNERS_FILE": "nowhere.toml"}, "nowhere.toml"),
        ({}, "nats://127.0.0.1:9 cannot be reached"),
    ],
)
def test_a_wrong_setting_is_a_sentence_without_secrets(oker: Any, changes: dict[str, str], sentence: str) -> None:
    said = oker("ledger", env=ALL | changes)

    assert said.code in (1, 2)
    assert sentence in said.err
    assert said.err.count("\n") == 1
    assert "hush-hush" not in said.err


@pytest.mark.parametrize(
    "command",
    ["", "accounts", "accounts render", "accounts secrets", "topology", "topology plan", "topology apply", "identity",
     "identity new-key", "identity public", "token", "ledger", "trail", "contracts", "contracts check"],
)  # fmt: skip
def test_every_command_explains_itself(oker: Any, command: str) -> None:
    said = oker(*command.split(), "--help")

    assert said.code == 0
    assert f"Usage: {' '.join(['oker', *command.split()])}" in said.out.replace("root", "oker")


def test_a_wrong_password_names_the_setting(oker: Any, broker: Any) -> None:
    said = oker("trail", "r-1", env={**broker.env, "OKER_OPERATOR_PASSWORD": "wrong-one"})

    assert said.code == 1
    assert "refuses the user operator; check OKER_OPERATOR_PASSWORD" in said.err
    assert "wrong-one" not in said.err
