"""Linked accounts: a credential that is left in the vault is its principal's alone, as if it were sent along."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from cryptography.fernet import Fernet

from gateway.http import operations
from gateway.model.ids import CONTAINER, ContainerRef, encode_id
from gateway.model.manifest import Capability
from gateway.registry import PROVIDERS
from gateway.settings import AccessSettings, ApiKeySettings, Settings, VaultSettings
from tests.conformance.conftest import Subject, matrix, needs
from tests.conformance.test_changes import FOLLOW, Following
from tests.gateways import Answer, Asked, Counting, mint, running
from tests.http.doors import until
from tests.sockets import socket

FIRST = next(iter(PROVIDERS))
KEY = Fernet.generate_key().decode()
LINK = """mutation($owner: OwnerInput!) { linkAccount(input: { owner: $owner, clientMutationId: "mine" }) {
  account { linkedAt owner { provider key } } errors { code message path provider } clientMutationId } }"""
UNLINK = """mutation($provider: ProviderKey!) { unlinkAccount(input: { provider: $provider }) {
  account { owner { key } } errors { code path provider } } }"""
ITEMS = "query($owner: OwnerInput!) { inventory(owner: $owner) { id items(first: 3) { nodes { id key } } } }"
LINKED = "{ inventoryViewer { linkedAccounts { linkedAt owner { provider key } } owners { provider key } } }"
RENAME = "mutation($i: UpdateContainersInput!) { updateContainers(input: $i) { errors { code } } }"


SCOPES = {"ann": ["read", "link"], "bob": ["read", "write", "link"], "eve": ["read"], "dan": ["link"]}
"""The people of the tests, and what their tokens are good for."""


def one(*backends: str) -> pytest.MarkDecorator:
    """Run a test with one provider, since it is about none."""
    cells = [next(cell for cell in matrix() if str(cell.id).endswith(backend)) for backend in backends]
    return pytest.mark.parametrize("subject", cells, indirect=True)


def secret(name: str) -> str:
    return f"a-key-of-{name}-that-nobody-guesses"


def subject_of(name: str) -> str:
    return hashlib.sha256(orjson.dumps(["key", name])).hexdigest()


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret(name)}"}


def guarded(subject: Subject, *keys: str) -> Settings:
    """Give a subject's settings, with people of no rights, and a vault."""
    known = [
        ApiKeySettings.model_validate(
            {
                "name": name,
                "hash": hashlib.sha256(secret(name).encode()).hexdigest(),
                "scopes": scopes,
            }
        )
        for name, scopes in SCOPES.items()
    ]
    changes = {"access": AccessSettings(keys=tuple(known)), "vault": VaultSettings.model_validate({"keys": keys})}
    return subject.asked.gateway.settings.model_copy(update=changes)


def pool(subject: Subject) -> Any:
    return cast("Counting", subject.asked.gateway.pool).inner


@pytest.fixture
async def vaulted(subject: Subject) -> AsyncGenerator[Asked]:
    """Run another gateway in front of what a subject is in front of."""
    async with running(guarded(subject, KEY), pool=pool(subject)) as asked:
        yield asked


async def link(asked: Asked, subject: Subject, name: str, **headers: str) -> dict[str, Any]:
    me = subject.to(subject.world.me)
    sent = {**bearer(name), **(headers or subject.asked.headers)}
    return (await asked.ask(LINK, headers=sent, owner=me)).whole()["linkAccount"]


async def unlink(asked: Asked, subject: Subject, name: str) -> dict[str, Any]:
    return (await asked.ask(UNLINK, headers=bearer(name), provider=subject.name)).whole()["unlinkAccount"]


async def items(asked: Asked, subject: Subject, headers: dict[str, str], key: str | None = None) -> Answer:
    return await asked.ask(ITEMS, headers=headers, owner=subject.to(key or subject.world.me))


async def linked(asked: Asked, name: str) -> tuple[list[Any], list[Any]]:
    viewer = (await asked.ask(LINKED, headers=bearer(name))).whole()["inventoryViewer"]
    return [account["owner"] for account in viewer["linkedAccounts"]], viewer["owners"]


async def test_what_is_linked_is_used_as_if_it_were_sent(subject: Subject, vaulted: Asked) -> None:
    sent = await items(vaulted, subject, {**bearer("ann"), **subject.asked.headers})
    before = await items(vaulted, subject, bearer("ann"))
    assert sent.whole()["inventory"]["items"]["nodes"]
    assert before.data["inventory"] is None
    assert "UNAUTHENTICATED" in before.codes
    made = await link(vaulted, subject, "ann")
    assert (made["errors"], made["clientMutationId"]) == ([], "mine")
    assert made["account"] == {"linkedAt": "2026-01-02T03:04:05Z", "owner": subject.owner}
    for key in (subject.world.me, subject.world.owner):
        assert (await items(vaulted, subject, bearer("ann"), key)).whole() == sent.data
    assert await linked(vaulted, "ann") == ([subject.owner], [subject.owner])


async def test_what_is_linked_is_nobody_elses(subject: Subject, vaulted: Asked) -> None:
    await link(vaulted, subject, "ann")
    for headers in (bearer("bob"), {}):
        answer = await items(vaulted, subject, headers)
        assert answer.data["inventory"] is None
        assert "UNAUTHENTICATED" in answer.codes
    named = await items(vaulted, subject, bearer("bob"), subject.world.owner)
    assert named.data["inventory"] is None
    assert await linked(vaulted, "bob") == ([], [])
    assert (await unlink(vaulted, subject, "bob"))["errors"][0]["code"] == "NOT_FOUND"
    assert (await items(vaulted, subject, bearer("ann"))).whole()["inventory"]


async def test_what_is_unlinked_is_gone_at_once(subject: Subject, vaulted: Asked) -> None:
    await link(vaulted, subject, "ann")
    assert (await items(vaulted, subject, bearer("ann"))).whole()["inventory"]
    ended = await unlink(vaulted, subject, "ann")
    assert ended == {"account": {"owner": {"key": subject.world.owner}}, "errors": []}
    assert (await items(vaulted, subject, bearer("ann"))).data["inventory"] is None
    again = await unlink(vaulted, subject, "ann")
    refused = {"code": "NOT_FOUND", "path": ["provider"], "provider": subject.name}
    assert again == {"account": None, "errors": [refused]}
    assert await linked(vaulted, "ann") == ([], [])


async def test_a_credential_that_is_not_accepted_is_not_kept(subject: Subject, vaulted: Asked) -> None:
    wrong = {name: _spoiled(value) for name, value in subject.asked.headers.items()}
    answer = await vaulted.ask(LINK, headers={**bearer("ann"), **wrong}, owner=subject.to(subject.world.me))
    made = answer.whole()["linkAccount"]
    assert made["account"] is None
    assert made["errors"][0]["code"] in ("UNAUTHENTICATED", "INVALID_INPUT", "UNSUPPORTED")
    assert await linked(vaulted, "ann") == ([], [])
    assert not any(value in str(answer.body) for value in wrong.values())


def _spoiled(value: str) -> str:
    # A capability stays an address; all others end in something that they were not made with.
    return value[:-6] + ("000000" if not value.endswith("000000") else "111111")


async def test_the_vault_holds_no_credential_that_can_be_read(subject: Subject, vaulted: Asked, tmp_path: Path) -> None:
    await link(vaulted, subject, "ann")
    (kept,) = await vaulted.gateway.store.accounts_of(subject_of("ann"))
    assert kept.owner.owner == subject.world.owner
    for value in subject.asked.headers.values():
        assert value not in kept.sealed
    if vaulted.gateway.settings.store.url.startswith("sqlite"):
        files = list(Path(vaulted.gateway.settings.store.url.removeprefix("sqlite:///")).parent.glob("*.db*"))
        assert files
        written = b"".join(file.read_bytes() for file in files)
        assert kept.sealed.encode() in written
        assert not any(value.encode() in written for value in subject.asked.headers.values())


# --- what does not depend on the provider -----------------------------------------------------------------------------


@one("sqlite")
async def test_what_is_brought_wins_and_a_later_link_replaces_an_earlier(subject: Subject, vaulted: Asked) -> None:
    other = await mint(subject.dialect.gateway, subject.provider, subject.world.owner)
    ((name, value),) = subject.asked.headers.items()
    await link(vaulted, subject, "ann")
    assert "UNAUTHENTICATED" in (await items(vaulted, subject, {**bearer("ann"), name: _spoiled(value)})).codes
    (before,) = await vaulted.gateway.store.accounts_of(subject_of("ann"))
    await link(vaulted, subject, "ann", **{name: other})
    (after,) = await vaulted.gateway.store.accounts_of(subject_of("ann"))
    assert before.sealed != after.sealed
    assert (await items(vaulted, subject, bearer("ann"))).whole()["inventory"]
    assert (await linked(vaulted, "ann"))[0] == [subject.owner]


@one("sqlite")
@pytest.mark.parametrize(
    ("name", "key", "sends", "code", "path"),
    [
        ("ann", "me", False, "INVALID_INPUT", ["owner", "provider"]),
        ("ann", None, True, "INVALID_INPUT", ["owner"]),
        ("eve", "me", True, "FORBIDDEN", None),
        ("", "me", True, "FORBIDDEN", None),
    ],
)
async def test_what_cannot_be_linked_is_refused(
    subject: Subject, vaulted: Asked, name: str, key: str | None, sends: bool, code: str, path: Any
) -> None:
    headers = {**(bearer(name) if name else {}), **(subject.asked.headers if sends else {})}
    made = (await vaulted.ask(LINK, headers=headers, owner=subject.to(key or subject.world.owner))).whole()[
        "linkAccount"
    ]
    assert made["account"] is None
    (error,) = made["errors"]
    assert (error["code"], error["path"], error["provider"]) == (code, path, subject.name)


@one("sqlite")
async def test_without_keys_nothing_is_kept(subject: Subject) -> None:
    async with running(guarded(subject), pool=pool(subject)) as asked:
        made = await link(asked, subject, "ann")
        assert made["errors"][0]["code"] == "UNSUPPORTED"
        assert await linked(asked, "ann") == ([], [])


@needs(Capability.UPDATE_CONTAINERS)
async def test_what_was_read_only_stays_so_with_an_account(subject: Subject, vaulted: Asked) -> None:
    folders = subject.world.folders
    assert folders is not None
    folder = encode_id(CONTAINER, ContainerRef(subject.provider.key, subject.world.owner, folders.folder))
    codes: dict[str, list[str]] = {}
    for name in ("ann", "bob"):
        await link(vaulted, subject, name)
        answer = await vaulted.ask(RENAME, headers=bearer(name), i={"containers": [{"id": folder, "name": name}]})
        codes[name] = [error["code"] for error in answer.whole()["updateContainers"]["errors"]]
    assert codes == {"ann": ["FORBIDDEN"], "bob": []}


@one("sqlite")
async def test_whose_accounts_those_are_costs_one_statement_where_somebody_in_particular_asks(
    subject: Subject, vaulted: Asked
) -> None:
    await link(vaulted, subject, "ann")
    query = "{ __typename }"
    for headers, statements in ((bearer("ann"), 1), (bearer("bob"), 1), ({}, 0)):
        await vaulted.ask(query, headers=headers)
        assert len(vaulted.statements) == statements
    await subject.asked.ask(query)
    assert not subject.asked.statements


@one("upstream")
async def test_an_account_that_was_moved_in_the_store_is_no_good(subject: Subject, vaulted: Asked) -> None:
    await link(vaulted, subject, "ann")
    store = vaulted.gateway.store
    (kept,) = await store.accounts_of(subject_of("ann"))
    await store.put_account(subject_of("bob"), *kept[:1], kept.sealed, kept.linked_at)
    answer = await items(vaulted, subject, bearer("bob"))
    assert answer.data["inventory"] is None
    assert "UNAUTHENTICATED" in answer.codes


@one("sqlite", "upstream")
async def test_one_that_cannot_be_opened_is_not_replaced_by_the_gateways_own(subject: Subject, vaulted: Asked) -> None:
    await link(vaulted, subject, "ann")
    provider = subject.asked.gateway.settings.provider(subject.provider.key)
    (value,) = subject.asked.headers.values()
    own = {subject.provider.manifest.credential_parts[0].key: value}
    found = guarded(subject, Fernet.generate_key().decode()).model_copy(
        update={
            "store": vaulted.gateway.settings.store,
            "providers": {subject.provider.key: provider.model_validate({**provider.model_dump(), "credentials": own})},
        }
    )
    async with running(found, pool=pool(subject)) as asked:
        answer = await items(asked, subject, bearer("ann"))
        assert answer.data["inventory"] is None
        assert "UNAUTHENTICATED" in answer.codes
        # It can be linked anew, or forgotten.
        assert (await unlink(asked, subject, "ann"))["errors"] == []


@one("sqlite")
async def test_keys_are_replaced_one_by_one(subject: Subject, vaulted: Asked) -> None:
    await link(vaulted, subject, "ann")
    new = Fernet.generate_key().decode()
    store = vaulted.gateway.settings.store
    async with running(guarded(subject, new, KEY).model_copy(update={"store": store})) as both:
        assert (await items(both, subject, bearer("ann"))).whole()["inventory"]
        vault = both.gateway.vault
        assert vault is not None
        assert await vault.rotate() == 1
    assert "UNAUTHENTICATED" in (await items(vaulted, subject, bearer("ann"))).codes
    async with running(guarded(subject, new).model_copy(update={"store": store})) as only:
        assert (await items(only, subject, bearer("ann"))).whole()["inventory"]


@pytest.mark.parametrize(
    ("subject", "seconds"),
    [
        pytest.param((FIRST, "sqlite"), 60.0, id="by-a-change"),
        pytest.param((FIRST, "sqlite"), 0.05, id="after-a-while"),
        pytest.param((FIRST, "upstream"), 0.05, id="after-a-while-upstream"),
    ],
    indirect=["subject"],
)
async def test_who_follows_with_an_account_follows_no_longer_than_it_is_linked(
    subject: Subject, vaulted: Asked, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "_LOOK", seconds)
    await link(vaulted, subject, "ann")
    found = (await items(vaulted, subject, bearer("ann"))).whole()["inventory"]["items"]["nodes"]
    async with socket(vaulted.gateway.app()) as end:
        await end.begin(bearer("ann"))
        following = Following(subject, end)
        if seconds < 1:
            await end.subscribe("1", FOLLOW, owner=subject.owner)
        else:
            await following.follow()
            await until(lambda: vaulted.gateway.operations.live)
        await unlink(vaulted, subject, "ann")
        if seconds > 1:
            await following.lose(found[0]["key"])
        message = await end.hear()
    assert message["type"] == "error", message
    assert message["payload"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_one_that_cannot_be_opened_shows_no_more_than_none(subject: Subject, vaulted: Asked) -> None:
    await link(vaulted, subject, "ann")
    store = vaulted.gateway.settings.store
    found = guarded(subject, Fernet.generate_key().decode()).model_copy(update={"store": store})
    async with running(found, pool=pool(subject)) as asked:
        for key in (subject.world.me, subject.world.owner):
            answers = [await items(asked, subject, bearer(name), key) for name in ("ann", "bob")]
            assert [answer.data["inventory"] for answer in answers] == [None, None]
        assert (await linked(asked, "ann"))[1] == []


@one("sqlite")
async def test_who_follows_with_a_credential_of_their_own_goes_on_when_another_account_is_unlinked(
    subject: Subject, vaulted: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "_LOOK", 0.02)
    await link(vaulted, subject, "ann")
    async with socket(vaulted.gateway.app()) as end:
        await end.begin({**bearer("ann"), **subject.asked.headers})
        following = Following(subject, end)
        await following.follow()
        await until(lambda: vaulted.gateway.operations.live)
        await unlink(vaulted, subject, "ann")
        found = (await items(subject.asked, subject, subject.asked.headers)).whole()["inventory"]["items"]["nodes"]
        await following.lose(found[0]["key"])
        assert (await following.removal())["changes"]["removedIds"]


async def test_a_token_that_is_good_for_linking_alone_links_and_reads_nothing(subject: Subject, vaulted: Asked) -> None:
    made = await link(vaulted, subject, "dan")
    assert made["account"]["owner"] == subject.owner
    assert (await items(vaulted, subject, bearer("dan"))).data["inventory"] is None
    assert await linked(vaulted, "dan") == ([subject.owner], [])
    assert (await unlink(vaulted, subject, "dan"))["account"]


@one("sqlite")
async def test_who_has_no_scope_is_told_of_no_account(subject: Subject, vaulted: Asked) -> None:
    await link(vaulted, subject, "ann")
    found = guarded(subject, KEY)
    keys = [key.model_copy(update={"scopes": ()}) for key in found.access.keys]
    bare = found.model_copy(
        update={
            "store": vaulted.gateway.settings.store,
            "access": found.access.model_copy(update={"keys": tuple(keys)}),
        }
    )
    async with running(bare) as asked:
        assert await linked(asked, "ann") == ([], [])


@one("upstream")
async def test_who_may_know_of_nobody_has_no_one_asked_whose_the_gateways_own_credential_is(subject: Subject) -> None:
    found = guarded(subject, KEY)
    (value,) = subject.asked.headers.values()
    provider = found.provider(subject.provider.key)
    own = {subject.provider.manifest.credential_parts[0].key: value}
    lending = provider.model_validate({**provider.model_dump(), "credentials": own})
    found = found.model_copy(update={"providers": {subject.provider.key: lending}})
    async with running(found, pool=pool(subject)) as asked:
        answer = await items(asked, subject, bearer("ann"))
        assert (answer.data["inventory"], {*answer.codes}) == (None, {"UNAUTHENTICATED"})
        assert not asked.calls
        # Whom it is lent to finds it good.
        assert (await items(asked, subject, {})).whole()["inventory"]
