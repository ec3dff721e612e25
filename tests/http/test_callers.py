"""Callers: this machine and the bearer of the token come in, nobody else; and whose credential is used."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.datastructures import Headers

from gateway.http.access import Access
from gateway.http.body import Refused
from gateway.http.callers import Credentials
from gateway.http.callers import Door as Entrance
from gateway.model.credentials import Credential
from gateway.model.principal import EVERYONE
from gateway.registry import PROVIDERS, is_owner
from gateway.settings import AccessSettings, ServerSettings
from tests.gateways import header
from tests.http.doors import OWNER, PROVIDER, TYPENAME, Door, Told

TOKEN = "correct-horse-battery-staple"
PART = PROVIDER.manifest.credential_parts[0].key
HEADER = header(PROVIDER)


def admitted(client: str | None, authorization: str | None = None, token: str | None = TOKEN) -> bool:
    headers = Headers({} if authorization is None else {"authorization": authorization})
    settings = ServerSettings(token=None if token is None else SecretStr(token))
    door = Entrance(settings, Access(settings, AccessSettings(), is_owner), Credentials((), {}))
    try:
        door.principal(None if client is None else (client, 50_000), headers)
    except Refused as refused:
        assert refused.status == 401  # noqa: PT017 -- beside what is returned
        assert refused.headers["WWW-Authenticate"].startswith("Bearer")  # noqa: PT017 -- as above
        return False
    return True


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "0:0:0:0:0:ffff:7f00:1"])
def test_callers_of_this_machine_come_in(address: str) -> None:
    assert admitted(address)
    assert admitted(address, token=None)


@pytest.mark.parametrize(
    "address",
    [
        "192.0.2.1",
        "10.0.0.1",
        "0.0.0.0",
        "2001:db8::1",
        "::ffff:192.0.2.1",
        "::127.0.0.1",
        "fe80::1%eth0",
        "localhost",
        "127.0.0.1.example.com",
        "",
        None,
    ],
)
def test_callers_from_elsewhere_need_the_token(address: str | None) -> None:
    assert not admitted(address)
    assert not admitted(address, token=None)
    assert admitted(address, f"Bearer {TOKEN}")
    assert admitted(address, f"bearer  {TOKEN} ")


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Bearer, {TOKEN}"],
)
def test_a_wrong_token_is_refused(authorization: str) -> None:
    assert not admitted("192.0.2.1", authorization)


@pytest.mark.parametrize("authorization", ["Bearer ", "Bearer None", "Bearer null"])
def test_without_a_token_in_the_settings_nobody_from_elsewhere_comes_in(authorization: str) -> None:
    assert not admitted("192.0.2.1", authorization, token=None)


def test_tokens_beyond_ascii_are_compared_by_their_bytes() -> None:
    token = "schlüssel-schlüssel"
    assert admitted("192.0.2.1", "Bearer " + token.encode().decode("latin-1"), token=token)
    assert not admitted("192.0.2.1", "Bearer schl\xfcssel-schl\xfcssel", token=token)


def test_the_token_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(given: bytes, wanted: bytes) -> bool:
        compared.append((given, wanted))
        return False

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert not admitted("192.0.2.1", f"Bearer {TOKEN}")
    assert compared == [(TOKEN.encode(), TOKEN.encode())]


async def test_a_refused_caller_is_told_to_bring_a_token_and_nothing_is_read() -> None:
    door = Door(client="192.0.2.1", token=TOKEN)
    response = await door.post(b"[" * 100_000)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json() == {
        "errors": [{"message": "A bearer token is needed.", "extensions": {"code": "UNAUTHENTICATED"}}]
    }
    assert (await door.client.get("/graphql", params=TYPENAME)).status_code == 401
    assert (await door.post(TYPENAME, authorization=f"Bearer {TOKEN}")).status_code == 200
    assert TOKEN not in (await door.post(TYPENAME, authorization=f"Bearer {TOKEN}x")).text


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8000",
        "127.0.0.1:8000",
        "[::1]:8000",
        "[::1]",
        "app.localhost:8000",
        "inventory.lan:8000",
    ],
)
async def test_callers_of_this_machine_ask_it_by_its_names(host: str) -> None:
    assert (await Door(host="inventory.lan").post(TYPENAME, host=host)).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "192.0.2.1",
        "[::2]:80",
        "x@localhost",
    ],
)
async def test_a_page_that_gives_its_name_this_machines_address_reads_nothing(host: str) -> None:
    door = Door(token=TOKEN)
    response = await door.post(TYPENAME, host=host)
    assert response.status_code == 403
    assert response.json()["errors"][0]["extensions"] == {"code": "FORBIDDEN"}
    assert (await door.client.get("/graphql", params=TYPENAME, headers={"host": host})).status_code == 403
    # With the token it may be reached by any name: no page knows it.
    assert (await door.post(TYPENAME, host=host, authorization=f"Bearer {TOKEN}")).status_code == 200


# --- credentials ------------------------------------------------------------------------------------------------------


def read(headers: dict[str, str] | list[tuple[bytes, bytes]], own: str | None = None) -> Mapping[str, Credential]:
    manifests = [provider.manifest for provider in PROVIDERS.values()]
    mine = {} if own is None else {PROVIDER.key: Credential(PROVIDER.key, {PART: own})}
    given = headers if isinstance(headers, list) else Headers(headers).raw
    brought, lent = Credentials(manifests, mine).read(given, EVERYONE)
    return {**lent, **brought}


def secret(found: Mapping[str, Credential]) -> str | None:
    return found[PROVIDER.key].part(PART)


def test_without_one_of_the_callers_the_gateways_own_credential_is_used() -> None:
    assert {**read({})} == {key: Credential(key) for key in PROVIDERS}
    assert secret(read({}, own="mine")) == "mine"
    assert secret(read({HEADER: ""}, own="mine")) == "mine"


def test_the_callers_credential_wins() -> None:
    assert secret(read({HEADER: "yours"}, own="mine")) == "yours"
    assert secret(read({HEADER.lower(): "yours"})) == "yours"


@pytest.mark.parametrize("name", ["X-Credential-Nobody-Key", f"X-Credential-{PROVIDER.key}-nothing", "X-Credential-"])
async def test_a_credential_for_nobody_is_refused_by_name(name: str) -> None:
    response = await Door().client.post("/graphql", json=TYPENAME, headers={name: "geheim"})
    assert response.status_code == 400
    assert name.lower() in response.json()["errors"][0]["message"]
    assert "geheim" not in response.text


@pytest.mark.parametrize(
    "value", [b"\xff", b"gehei\tm", b"geheim\x7f", b"geheim" * 1_000, "gehéim".encode()], ids=lambda value: value[:9]
)
async def test_a_malformed_credential_is_refused_without_being_shown(value: bytes) -> None:
    response = await Door().client.post("/graphql", json=TYPENAME, headers=[(HEADER.encode(), value)])
    assert response.status_code == 400
    assert HEADER.lower() in response.text
    assert "gehei" not in response.text


async def test_two_credentials_for_one_provider_are_refused() -> None:
    headers: Any = [(HEADER, "one"), (HEADER, "two")]
    response = await Door().client.post("/graphql", json=TYPENAME, headers=headers)
    assert response.status_code == 400
    assert "twice" in response.text


async def test_the_backend_gets_the_credential_of_the_one_who_asks() -> None:
    own = {PROVIDER.key: Credential(PROVIDER.key, {PART: "mine"})}
    door = Door(backend := Told(), own=own)
    await door.ask(OWNER, **{HEADER: "yours"})
    await door.ask(OWNER)
    assert [credential.part(PART) for credential in backend.credentials] == ["yours", "mine"]


def test_what_a_caller_brings_is_never_filled_up_with_the_gateways_own() -> None:
    provider = next(one for one in PROVIDERS.values() if len(one.manifest.credential_parts) > 1)
    first, second, *_ = (part.key for part in provider.manifest.credential_parts)
    own = {provider.key: Credential(provider.key, {first: "mine-first", second: "mine-second"})}
    manifests = [one.manifest for one in PROVIDERS.values()]
    raw = Headers({f"X-Credential-{provider.key}-{second}": "yours-second"}).raw
    brought, lent = Credentials(manifests, own).read(raw, EVERYONE)
    assert brought[provider.key].reveal() == {second: "yours-second"}
    assert lent[provider.key].reveal() == {first: "mine-first", second: "mine-second"}
