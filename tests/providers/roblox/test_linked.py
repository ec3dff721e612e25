"""A cookie that is linked goes with the times: what Roblox gives for it is kept in the vault once it was accepted."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet
from structlog.testing import capture_logs

from gateway.model.errors import Conflict, GatewayError, Internal
from gateway.providers.roblox import PROVIDER
from gateway.settings import AccessSettings, ApiKeySettings, ProviderSettings, VaultSettings
from gateway.store.store import Store
from tests.gateways import Asked, running, settings
from tests.providers.roblox.conftest import ROOT
from tests.providers.roblox.service import BASE, Services

TOKEN = "a-key-of-ann-that-nobody-guesses"
ANN = {"Authorization": f"Bearer {TOKEN}"}
VAULT = VaultSettings.model_validate({"keys": [Fernet.generate_key().decode()]})
ACCESS = AccessSettings(keys=(ApiKeySettings(name="ann", hash=hashlib.sha256(TOKEN.encode()).hexdigest()),))
OWNER = 'owner: { provider: ROBLOX, key: "me" }'
LINK = f"mutation {{ linkAccount(input: {{ {OWNER} }}) {{ account {{ owner {{ key }} }} errors {{ code }} }} }}"
UNLINK = "mutation { unlinkAccount(input: { provider: ROBLOX }) { errors { code } } }"
ASK = f"{{ inventoryOwner({OWNER}) {{ key details {{ __typename }} }} }}"


TWO_CALLS = """{ one: inventoryOwner(owner: { provider: ROBLOX, key: "43" }) { name }
  two: inventoryOwner(owner: { provider: ROBLOX, key: "44" }) { name } }"""


class Roblox:
    """Tells every cookie whose it is, and gives one that it knows a successor for the next."""

    def __init__(self) -> None:
        self.successors = {"first": "second"}
        self.refused: set[str] = set()
        self.sent: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        cookie = request.headers["cookie"].removeprefix(".ROBLOSECURITY=")
        self.sent.append(cookie)
        if cookie in self.refused:
            return httpx.Response(401)
        newer = self.successors.get(cookie)
        headers = {"set-cookie": f".ROBLOSECURITY={newer}; Domain=.roblox.com; HttpOnly"} if newer else {}
        body = {"id": 42, "name": "mira", "displayName": "Mira", "canView": True}
        return httpx.Response(200, json=body, headers=headers)


@pytest.fixture
def roblox() -> Roblox:
    return Roblox()


@pytest.fixture
async def url(tmp_path: Path) -> str:
    found = f"sqlite:///{tmp_path}/store.db"
    store = await Store.open(found)
    await store.migrate()
    await store.aclose()
    return found


@asynccontextmanager
async def started(url: str, roblox: Roblox) -> AsyncGenerator[Asked]:
    """Run a gateway that was not running before: what it knows is in the store."""
    backend = ProviderSettings(backend="upstream", base_url=f"{BASE}{ROOT}")
    found = settings(url, providers={PROVIDER.key: backend}, vault=VAULT, access=ACCESS)
    async with running(found, pool=Services(None, roblox)) as asked:
        asked.headers = ANN
        yield asked


async def link(asked: Asked, cookie: str) -> None:
    made = await asked.ask(LINK, headers={**ANN, "X-Credential-roblox-cookie": cookie})
    assert made.whole()["linkAccount"] == {"account": {"owner": {"key": "42"}}, "errors": []}


async def ask(asked: Asked) -> Any:
    return (await asked.ask(ASK)).whole()["inventoryOwner"]["key"]


async def test_a_newer_cookie_that_was_accepted_outlives_the_process(url: str, roblox: Roblox) -> None:
    async with started(url, roblox) as asked:
        await link(asked, "first")
        assert await ask(asked) == "42"
        assert {*roblox.sent} == {"first", "second"}
    roblox.sent.clear()
    async with started(url, roblox) as asked:
        assert await ask(asked) == "42"
        # It is a credential of its own now, with a successor of its own.
        roblox.successors["second"] = "third"
        assert await ask(asked) == "42"
        assert await ask(asked) == "42"
    assert {*roblox.sent} == {"second", "third"}
    roblox.sent.clear()
    async with started(url, roblox) as asked:
        assert await ask(asked) == "42"
    assert {*roblox.sent} == {"third"}


async def test_a_newer_cookie_that_was_not_accepted_is_not_kept(url: str, roblox: Roblox) -> None:
    roblox.refused.add("second")
    roblox.successors.clear()
    async with started(url, roblox) as asked:
        await link(asked, "first")
        roblox.successors["first"] = "second"
        roblox.sent.clear()
        # The answer to the one comes when there is a newer cookie already, of which it tells nothing.
        answer = await asked.ask(TWO_CALLS)
        assert (answer.codes, roblox.sent) == ([], ["first", "first"])
        assert "UNAUTHENTICATED" in (await asked.ask(ASK)).codes
        assert roblox.sent[2:] == ["second"]
    roblox.successors.clear()
    roblox.sent.clear()
    async with started(url, roblox) as asked:
        assert await ask(asked) == "42"
    assert {*roblox.sent} == {"first"}


async def test_what_is_unlinked_meanwhile_is_not_brought_back(
    url: str, roblox: Roblox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with started(url, roblox) as asked:
        await link(asked, "first")
        vault = asked.gateway.vault
        assert vault is not None
        renew = vault.renew

        renewed: list[bool] = []

        async def late(*arguments: Any) -> bool:
            monkeypatch.undo()
            assert (await asked.ask(UNLINK)).whole() == {"unlinkAccount": {"errors": []}}
            renewed.append(await renew(*arguments))
            return renewed[-1]

        monkeypatch.setattr(vault, "renew", late)
        assert await ask(asked) == "42"
        assert renewed == [False]
        assert (await asked.ask("{ inventoryViewer { linkedAccounts { owner { key } } } }")).whole() == {
            "inventoryViewer": {"linkedAccounts": []}
        }


@pytest.mark.parametrize("error", [Internal("The store is down."), Conflict("Another write is under way.")])
async def test_a_store_that_cannot_keep_it_spoils_no_answer(
    url: str, roblox: Roblox, error: GatewayError, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(*_: object) -> bool:
        raise error

    async with started(url, roblox) as asked:
        await link(asked, "first")
        with monkeypatch.context() as patch, capture_logs() as logs:
            patch.setattr(asked.gateway.store, "replace_seal", down)
            assert await ask(asked) == "42"
        assert "vault_failed" in [entry["event"] for entry in logs]
        # The next one keeps it.
        assert await ask(asked) == "42"
    roblox.sent.clear()
    async with started(url, roblox) as asked:
        assert await ask(asked) == "42"
    assert {*roblox.sent} == {"second"}
