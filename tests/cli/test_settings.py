"""Settings: what is wrong is told with its place, without a trace and without a secret; variables win."""

from __future__ import annotations

import socket
from pathlib import Path

import httpx
import pytest

from gateway.registry import PROVIDERS
from gateway.settings import ProviderSettings
from tests.cli.conftest import PROVIDER, Run
from tests.gateways import running, settings

SECRET = "geheim-geheim-geheim"


def test_no_settings_are_good_settings(run: Run) -> None:
    ran = run("check")
    assert (ran.code, ran.err) == (0, "")
    assert ran.lines == [*(f"{key}: local" for key in PROVIDERS), "The settings are good."]


def test_what_is_set_is_told_without_its_secrets(run: Run, folder: Path) -> None:
    (folder / "gateway.toml").write_text(
        f'[providers.guildwars2]\nbackend = "upstream"\n[providers.guildwars2.credentials]\nkey = "{SECRET}"\n'
        '[providers.community]\nbackend = "off"\n[providers.secondlife]\nbackend = "off"\n'
        '[providers.roblox]\nbackend = "off"\n'
    )
    ran = run("check")
    told = ["guildwars2: upstream, its own key", "community: off", "secondlife: off", "roblox: off"]
    assert ran.lines == [*told, "The settings are good."]
    # No provider is served from it.
    assert not (folder / "gateway.db").exists()


@pytest.mark.parametrize(
    ("settings", "place", "word"),
    [
        pytest.param("[server\n", "gateway.toml", "line 1", id="syntax"),
        pytest.param("[server]\nport = 1\nport = 2\n", "gateway.toml", "line 3", id="twice"),
        pytest.param("[server]\nprot = 1", "server.prot", "no such setting", id="unknown-key"),
        pytest.param("[servers]\nport = 1", "servers", "no such setting", id="unknown-table"),
        pytest.param("server = 5", "server", "", id="no-table"),
        pytest.param(f'[server]\nport = "{SECRET}"', "server.port", "integer", id="wrong-type"),
        pytest.param("[server]\nport = 70000", "server.port", "65535", id="out-of-range"),
        pytest.param(f'[server]\ntoken = "{SECRET[:5]}"', "server.token", "16", id="short-token"),
        pytest.param('[server]\nhost = ""', "server.host", "at least 1", id="no-host"),
        pytest.param("[server]\ntimeout = 0", "server.timeout", "greater than 0", id="no-time"),
        pytest.param('[log]\nlevel = "loud"', "log.level", "'debug'", id="log-level"),
        pytest.param("[providers.nobody]", "providers.nobody", "guildwars2", id="unknown-provider"),
        pytest.param('[providers.guildwars2]\nbackend = "up"', "providers.guildwars2.backend", "'local'", id="backend"),
        pytest.param("[providers.guildwars2]\ntimeout = -1", "providers.guildwars2.timeout", "0", id="timeout"),
        pytest.param(
            f'[providers.guildwars2.credentials]\ntoken = "{SECRET}"',
            "providers.guildwars2.credentials.token",
            "there are: key",
            id="unknown-part",
        ),
        pytest.param(
            '[providers.guildwars2.base_urls]\nother = "https://example.com"',
            "providers.guildwars2.base_urls.other",
            "there are: default",
            id="unknown-host",
        ),
        *(
            pytest.param(
                f'[providers.guildwars2]\nbase_url = "{address}"', "providers.guildwars2.base_url", word, id=address
            )
            for address, word in (
                ("", "no http or https address"),
                ("example.com", "no http or https address"),
                (f"ftp://{SECRET}@example.com", "no http or https address"),
                ("https://", "no http or https address"),
                ("https://example.com:port", "no http or https address"),
                ("https://exa mple.com", "no http or https address"),
                (f"https://user:{SECRET}@example.com", "no user"),
                (f"https://example.com/?key={SECRET}", "no user, query"),
            )
        ),
        pytest.param(
            f'[providers.guildwars2.base_urls]\ndefault = "{SECRET}"',
            "providers.guildwars2.base_urls.default",
            "no http or https address",
            id="host-address",
        ),
    ],
)
def test_a_wrong_setting_is_told_with_its_place(run: Run, folder: Path, settings: str, place: str, word: str) -> None:
    (folder / "gateway.toml").write_text(settings)
    ran = run("check")
    assert ran.code == 2
    assert ran.out == ""
    first, *lines = ran.err.splitlines()
    assert first == "gateway: the settings are wrong"
    assert any(line.startswith(f"  {place}: ") and word in line for line in lines), ran.err
    assert SECRET[:5] not in ran.err
    assert "pydantic" not in ran.err


def test_every_wrong_setting_is_told_at_once(run: Run, folder: Path) -> None:
    (folder / "gateway.toml").write_text('[server]\nport = "x"\nprot = 1\n[log]\nlevel = "loud"')
    assert len(run("check").err.splitlines()) == 4


def test_a_file_that_is_not_utf_8_is_told(run: Run, folder: Path) -> None:
    (folder / "gateway.toml").write_bytes(b'[server]\nhost = "\xff"')
    ran = run("check")
    assert (ran.code, "gateway.toml: not UTF-8" in ran.err) == (2, True)


def test_another_file_may_be_named(run: Run, folder: Path) -> None:
    (folder / "gateway.toml").write_text("[server]\nprot = 1")
    (folder / "other.toml").write_text('[providers.guildwars2]\nbackend = "upstream"')
    assert run("check", "--config", "other.toml").lines[0] == "guildwars2: upstream"
    missing = run("check", "--config", "missing.toml")
    assert (missing.code, missing.err) == (2, "gateway: missing.toml: no such file\n")


def test_variables_win_over_the_file(run: Run, folder: Path) -> None:
    (folder / "gateway.toml").write_text('[providers.guildwars2]\nbackend = "local"\ntimeout = 3\n[log]\nlevel = "x"')
    ran = run("check", GATEWAY_PROVIDERS__GUILDWARS2__BACKEND="upstream", GATEWAY_LOG__LEVEL="error")
    assert (ran.code, ran.lines[0]) == (0, "guildwars2: upstream")


@pytest.mark.parametrize(
    ("variable", "value", "place"),
    [
        ("GATEWAY_SERVER__PORT", SECRET, "server.port"),
        ("GATEWAY_SERVER__TOKEN", SECRET[:5], "server.token"),
        ("GATEWAY_SERVER__PROT", "1", "server.prot"),
        ("GATEWAY_SERVER", '{"prot": 1}', "server.prot"),
        ("GATEWAY_PROVIDERS__NOBODY__BACKEND", "local", "providers.nobody"),
    ],
)
def test_a_wrong_variable_is_told_by_its_name(run: Run, variable: str, value: str, place: str) -> None:
    ran = run("check", **{variable: value})
    assert ran.code == 2
    assert f"  {place}: " in ran.err
    if place != "providers.nobody":
        assert f"(from the variable {variable})" in ran.err
    assert SECRET[:5] not in ran.err


def test_a_variable_that_should_be_json_is_told(run: Run) -> None:
    ran = run("check", GATEWAY_SERVER=SECRET)
    assert (ran.code, '"server"' in ran.err, SECRET in ran.err) == (2, True, False)


@pytest.mark.parametrize("command", [["check"], ["migrate"], ["export", "guildwars2", "--owner", "Tester.1234"]])
@pytest.mark.parametrize(
    "url",
    [
        "geheim",
        "mysql://user:geheim@localhost/x",
        "postgresql://user:geheim@127.0.0.1:1/x",
        "sqlite:///missing/folder/geheim/../gateway.db",
        "sqlite://geheim/x",
    ],
)
def test_a_store_that_cannot_be_opened_is_told_without_its_password(run: Run, command: list[str], url: str) -> None:
    ran = run(*command, GATEWAY_STORE__URL=url)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("gateway: ")
    assert "tore" in ran.err
    assert len(ran.err.splitlines()) == 1
    assert ":geheim" not in ran.err


def test_a_file_that_is_no_store_is_told(run: Run, folder: Path) -> None:
    (folder / "gateway.db").write_bytes(b"no database " * 100)
    ran = run("check")
    assert (ran.code, ran.out) == (1, "")
    assert "gateway.db" in ran.err


def test_an_address_in_use_is_told(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = run("serve", "--port", str(port))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"gateway: cannot listen on 127.0.0.1:{port}: Address already in use\n"


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "::ffff"])
def test_an_address_that_is_not_of_this_machine_is_told(run: Run, host: str) -> None:
    ran = run("serve", "--host", host, "--port", "0")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("gateway: cannot listen on ")


def test_no_address_is_not_taken_for_every_address(run: Run) -> None:
    ran = run("serve", "--host", "", "--port", "0")
    assert (ran.code, ran.out, ran.err) == (2, "", "gateway: the address to listen on is empty\n")
    assert run("serve", GATEWAY_SERVER__HOST="").code == 2


@pytest.mark.parametrize(("rate", "codes"), [(None, []), (2, []), (1, ["RATE_LIMITED"])])
async def test_how_often_a_service_is_called_may_be_set(rate: int | None, codes: list[str]) -> None:
    own = ProviderSettings(backend="upstream", requests_per_minute=rate)
    knows_nothing = httpx.MockTransport(lambda request: httpx.Response(200, json=[]))
    async with running(settings("sqlite://", providers={PROVIDER.key: own}), pool=knows_nothing) as asked:
        found = [
            await asked.ask(f'{{ itemDefinitions(provider: GUILD_WARS_2, keys: ["item:{number}"]) {{ key }} }}')
            for number in (1, 2)
        ]
    assert [answer.codes for answer in found] == [[], codes]
