"""JSON web tokens: taken only as the issuer signed them, for this audience, in their time; keys may be replaced."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from pydantic import ValidationError

from gateway.http.access import Access, BadAccess
from gateway.http.body import Refused
from gateway.model.principal import Principal
from gateway.registry import is_owner
from gateway.settings import AccessSettings, JwtSettings, ServerSettings
from tests.gateways import running, settings
from tests.http.doors import SUBSCRIPTION, Door, Live
from tests.sockets import socket

ISSUER, AUDIENCE = "https://issuer.example", "inventories"
KEY = RSAKey.generate_key(2048, {"kid": "one"})
OTHER = RSAKey.generate_key(2048, {"kid": "one"})


def write(folder: Path, *keys: Any) -> Path:
    file = folder / "jwks.json"
    file.write_bytes(orjson.dumps({"keys": [key.as_dict(private=False) for key in keys]}))
    return file


def access(file: Path, **changes: Any) -> Access:
    given = {"issuer": ISSUER, "audience": AUDIENCE, "jwks_file": file, **changes}
    settings = JwtSettings.model_validate(given)
    return Access(ServerSettings(), AccessSettings(jwt=settings), is_owner)


def signed(key: Any = KEY, algorithm: str = "RS256", *, drop: str = "", **changes: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ann",
        "exp": now + 60,
        "inventory_reads": ["roblox/*"],
        "inventory_writes": "roblox/1 roblox/2",
        **changes,
    }
    claims.pop(drop, None)
    return jwt.encode({"alg": algorithm, "kid": "one"}, claims, key, algorithms=[algorithm])


def refused(known: Access, token: str) -> bool:
    try:
        known.principal(token)
    except Refused as refused:
        assert refused.status == 401  # noqa: PT017 -- beside what is returned
        return True
    return False


@pytest.mark.parametrize("audience", [AUDIENCE, [AUDIENCE, "others"]])
def test_a_good_token_stands_for_its_claims(tmp_path: Path, audience: Any) -> None:
    found = access(write(tmp_path, KEY)).principal(signed(aud=audience))
    assert found == Principal.of("ann", ["roblox/*"], ["roblox/1", "roblox/2"], subject=found.subject)
    assert found.subject is not None
    assert found.may_link


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (ECKey.generate_key("P-256", {"kid": "one"}), "ES256"),
        (OKPKey.generate_key("Ed25519", {"kid": "one"}), "Ed25519"),
    ],
)
def test_other_kinds_of_keys_are_taken(tmp_path: Path, key: Any, algorithm: str) -> None:
    assert access(write(tmp_path, key)).principal(signed(key, algorithm)).name == "ann"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.example"},
        {"aud": "others"},
        {"aud": []},
        {"exp": 1},
        {"exp": "soon"},
        {"nbf": 2**40},
        {"drop": "iss"},
        {"drop": "aud"},
        {"drop": "exp"},
        {"inventory_reads": 5},
        {"inventory_reads": ["nobody"]},
        {"inventory_reads": {"a": 1}},
        {"inventory_writes": [None]},
        {"inventory_writes": "roblox/1 *"},
    ],
    ids=str,
)
def test_a_token_for_somebody_else_or_another_time_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert refused(access(write(tmp_path, KEY)), signed(**changes))


def test_no_two_principals_have_one_subject(tmp_path: Path) -> None:
    known = access(write(tmp_path, KEY))
    other = access(write(tmp_path, KEY), issuer=f"{ISSUER}/other")
    tokens = [signed(sub="ann"), signed(sub="bob"), signed(sub='ann"]'), signed(sub="key")]
    subjects = [known.principal(token).subject for token in tokens]
    subjects.append(other.principal(signed(iss=f"{ISSUER}/other", sub="ann")).subject)
    assert len({*subjects}) == len(subjects)


@pytest.mark.parametrize("changes", [{"drop": "sub"}, {"sub": ""}], ids=str)
def test_a_token_without_a_subject_is_nobody_in_particular(tmp_path: Path, changes: dict[str, Any]) -> None:
    found = access(write(tmp_path, KEY)).principal(signed(**changes))
    assert found.subject is None
    assert not found.may_link


@pytest.mark.parametrize(
    ("scope", "good_for"),
    [
        ("openid inventory:read", ["read"]),
        (["inventory:write", "inventory:link"], ["write", "link"]),
        ("read write", []),
        (None, []),
        ("openid api:*", []),
    ],
)
def test_a_token_is_good_for_what_its_scopes_say(tmp_path: Path, scope: Any, good_for: list[str]) -> None:
    found = access(write(tmp_path, KEY), scope_claim="scope").principal(signed(scope=scope))
    assert found.scopes == {*good_for}
    assert found.may_read("roblox", "1") == bool({"read", "write"} & {*good_for})
    assert found.may_write("roblox", "1") == ("write" in good_for)
    assert found.may_link == ("link" in good_for)
    # A credential of its own is good for no more than the token.
    assert found.with_own().may_write("roblox", "5") == ("write" in good_for)


def test_a_token_without_claims_of_owners_may_do_nothing(tmp_path: Path) -> None:
    known = access(write(tmp_path, KEY), reads_claim="other", writes_claim="another")
    found = known.principal(signed())
    assert not found.may_read("roblox", "1")
    assert not found.is_everyone


def test_what_the_issuer_did_not_sign_is_refused(tmp_path: Path) -> None:
    known = access(write(tmp_path, KEY))
    good = signed()
    head, body, signature = good.split(".")
    assert refused(known, signed(OTHER))
    assert refused(known, f"{head}.{body}.")
    assert refused(known, f"{head}.{body}.{signature[:-4]}AAAA")
    assert refused(known, f"{head}.{body[:-4]}AAAA.{signature}")
    # The public key as a shared secret, which whoever reads it could sign with.
    shared = urlsafe_b64encode(b'{"alg":"HS256","kid":"one"}').rstrip(b"=").decode()
    digest = hmac.digest(KEY.as_pem(private=False), f"{shared}.{body}".encode(), "sha256")
    assert refused(known, f"{shared}.{body}.{urlsafe_b64encode(digest).rstrip(b'=').decode()}")
    none = "eyJhbGciOiJub25lIn0"
    assert refused(known, f"{none}.{body}.")
    for bad in ("..", "a.b.c", f"{head}.{body}", "x" * 9_000 + ".a.b", good + "x" * 9_000):
        assert refused(known, bad)


def test_what_is_not_served_here_is_left_out(tmp_path: Path) -> None:
    token = signed(inventory_reads=["nosuch/*", "roblox/abc", "roblox/7"], inventory_writes=[])
    found = access(write(tmp_path, KEY)).principal(token)
    assert found.named("roblox") == ["7"]
    assert not found.may_read("nosuch", "x")


def test_keys_may_be_replaced_and_a_bad_file_leaves_those_before_in_force_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.http.jwks._LOOK", 0.0)
    file = write(tmp_path, KEY)
    known = access(file)
    assert known.principal(signed())
    file.write_text("{")
    assert known.principal(signed())
    write(tmp_path, OTHER)
    assert refused(known, signed())
    assert known.principal(signed(OTHER))
    file.unlink()
    assert known.principal(signed(OTHER))
    monkeypatch.setattr("gateway.http.jwks._GRACE", 0.0)
    assert refused(known, signed(OTHER))


def test_no_keys_at_all_trust_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.http.jwks._LOOK", 0.0)
    known = access(write(tmp_path, KEY))
    write(tmp_path)
    assert refused(known, signed())


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"keys": 5}', b'{"keys": [{"kty": "none"}]}'])
def test_keys_that_are_none_are_refused_at_the_start(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "jwks.json"
    with pytest.raises(BadAccess, match="No such file"):
        access(file)
    file.write_bytes(content)
    with pytest.raises(BadAccess, match="no JWK set"):
        access(file)


# --- keys that are published ------------------------------------------------------------------------------------------

URL = "https://issuer.example/keys"


class Issuer(httpx.AsyncBaseTransport):
    """Publishes keys, or fails."""

    def __init__(self, *keys: Any) -> None:
        self.keys = keys
        self.status = 200
        self.asked: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if self.status == 0:
            raise httpx.ConnectError("nobody is there", request=request)
        content = orjson.dumps({"keys": [key.as_dict(private=False) for key in self.keys]})
        return httpx.Response(self.status, content=content if self.status == 200 else b"?")


@contextlib.asynccontextmanager
async def published(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Any]:
    """Run a gateway that takes the tokens of an issuer who publishes keys."""
    monkeypatch.setattr("gateway.http.jwks._LEAST", 0.01)
    jwt_settings = JwtSettings(issuer=ISSUER, audience=AUDIENCE, jwks_url=URL)
    async with running(settings("sqlite://", access=AccessSettings(open=False, jwt=jwt_settings)), pool=issuer) as up:

        async def status(token: str) -> int:
            return (await up.ask("{ __typename }", headers={"Authorization": f"Bearer {token}"})).status

        yield status


async def until_it_is(status: int, asked: Any, token: str) -> None:
    for _ in range(500):
        if await asked(token) == status:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never was")


async def test_keys_that_are_published_are_fetched_and_fetched_again_for_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    issuer = Issuer(KEY)
    async with published(issuer, monkeypatch) as asked:
        await until_it_is(200, asked, signed())
        assert len(issuer.asked) <= 3
        issuer.keys = (OTHER,)
        # Nothing is looked up while nothing is missing.
        seen = len(issuer.asked)
        await asyncio.sleep(0.05)
        assert (await asked(signed()), len(issuer.asked)) == (200, seen)
        await until_it_is(200, asked, signed(OTHER))
        assert await asked(signed()) == 401
    assert {(str(one.url), one.headers.get("authorization")) for one in issuer.asked} == {(URL, None)}


@pytest.mark.parametrize("status", [0, 404, 302, 200])
async def test_an_issuer_that_cannot_be_asked_is_asked_again(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = Issuer()
    issuer.status = status
    async with published(issuer, monkeypatch) as asked:
        assert await asked(signed()) == 401
        issuer.status, issuer.keys = 200, (KEY,)
        await until_it_is(200, asked, signed())
        # What is known stays so while it cannot be asked, and not for ever.
        issuer.status = 500
        await asked(signed(OTHER))
        await asyncio.sleep(0.05)
        assert await asked(signed()) == 200
        monkeypatch.setattr("gateway.http.jwks._FETCHED_GRACE", 0.0)
        assert await asked(signed()) == 401


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"jwks_url": "http://issuer.example/keys"},
        {"jwks_url": "file:///etc/keys"},
        {"jwks_url": "https://user:geheim@issuer.example"},
        {"jwks_url": URL, "jwks_file": "keys.json"},
    ],
    ids=str,
)
def test_where_keys_are_is_told_once_and_safely(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        JwtSettings.model_validate({"issuer": ISSUER, "audience": AUDIENCE, **changes})
    assert "geheim" not in str(refused.value.errors(include_input=False))


async def test_what_a_token_opened_ends_with_it(tmp_path: Path) -> None:
    settings = JwtSettings(issuer=ISSUER, audience=AUDIENCE, jwks_file=write(tmp_path, KEY), leeway=0)
    door = Door(Live(), access=AccessSettings(open=False, jwt=settings))
    bearer = f"Bearer {signed(exp=int(time.time()) + 2)}"
    response, code = await asyncio.gather(
        door.post({"query": SUBSCRIPTION}, accept="text/event-stream", authorization=bearer), _closed(door, bearer)
    )
    assert "UNAUTHENTICATED" in response.text
    assert code == 4403
    assert (await door.post({"query": "{ __typename }"}, authorization=bearer)).status_code == 401


async def _closed(door: Door, bearer: str) -> int:
    async with socket(door.app) as end:
        await end.begin({"Authorization": bearer})
        await end.subscribe("1", SUBSCRIPTION)
        return await end.closed()


@pytest.mark.parametrize("scheme", ["Token", "Basic", "Bearer:", "x"])
async def test_another_scheme_is_no_way_past_where_tokens_are_known(tmp_path: Path, scheme: str) -> None:
    settings = JwtSettings(issuer=ISSUER, audience=AUDIENCE, jwks_file=write(tmp_path, KEY))
    door = Door(access=AccessSettings(jwt=settings))
    assert (await door.post({"query": "{ __typename }"}, authorization=f"{scheme} {signed()}")).status_code == 401
    assert await door.serves()
