"""Public clients of Roblox, unmodified but for where they send: they list exactly what the store holds."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

from gateway.app import Gateway
from gateway.model.ids import OwnerRef
from gateway.providers.roblox import PROVIDER
from gateway.providers.roblox.types import RobloxAsset, RobloxBadge, RobloxGamePass, RobloxPrivateServer
from tests.e2e.conftest import SERVER, Server
from tests.gateways import NOW, mint, seed, settings
from tests.providers.roblox.test_web import limited_hats

# Neither has types that hold.
rblxopencloud: Any = import_module("rblxopencloud")
roblox: Any = import_module("roblox")
PageIterator: Any = import_module("roblox.utilities.iterators").PageIterator
exceptions: Any = import_module("roblox.utilities.exceptions")


@dataclass
class Up:
    """The dialects on a socket, with the credentials of the samples' owner."""

    address: str
    cookie: str
    key: str
    token: str
    stranger: str
    held: list[Any]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Generator[Up]:
    folder: Path = tmp_path_factory.mktemp("clients")
    gateway = Gateway(settings(f"sqlite:///{folder}/store.db", server=SERVER), clock=lambda: NOW)
    with Server(gateway.app()) as server:

        def secret(part: str, owner: str = "42") -> str:
            return server.do(lambda: mint(gateway, PROVIDER, owner, part=part))

        server.do(lambda: seed(gateway, PROVIDER))
        server.do(lambda: seed(gateway, PROVIDER, limited_hats(123)))
        owned: Any = server.do(lambda: gateway.store.owned(OwnerRef("roblox", "42")))
        yield Up(
            address=f"{server.address}/rest/{PROVIDER.key}",
            cookie=secret("cookie"),
            key=secret("key"),
            token=secret("token"),
            stranger=secret("key", "43"),
            held=owned.items,
        )


# --- rblx-open-cloud --------------------------------------------------------------------------------------------------


class Elsewhere(HTTPAdapter):
    """Sends what is for the service to another address."""

    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__()

    def send(self, request: PreparedRequest, *arguments: Any, **more: Any) -> Response:
        assert request.url is not None
        request.url = request.url.replace("https://apis.roblox.com", self.address)
        return super().send(request, *arguments, **{**more, "proxies": {}})


@contextmanager
def open_cloud(address: str) -> Generator[None]:
    """Let the library's own session send to the dialect."""
    session = rblxopencloud.http_session
    before = session.get_adapter("https://apis.roblox.com/")
    session.mount("https://apis.roblox.com/", Elsewhere(address))
    try:
        yield
    finally:
        session.mount("https://apis.roblox.com/", before)


def held_as(found: Any) -> tuple[Any, ...]:
    """Tell an item of the library by its type and ids."""
    instance = getattr(found, "instance_id", None)
    serial = getattr(found, "serial_number", None)
    return type(found).__name__, str(found.id), instance and str(instance), serial


def stored_as(item: Any) -> tuple[Any, ...] | None:
    """Tell an item of the store as the library does."""
    match item:
        case RobloxAsset():
            serial = item.collectible.serial_number if item.collectible else None
            return "InventoryAsset", str(item.asset_id), str(item.instance_id), serial
        case RobloxBadge():
            return "InventoryBadge", str(item.badge_id), None, None
        case RobloxGamePass():
            return "InventoryGamePass", str(item.game_pass_id), None, None
        case RobloxPrivateServer():
            return "InventoryPrivateServer", str(item.private_server_id), None, None
        case _:
            return None


def test_the_open_cloud_client_lists_what_the_store_holds(up: Up) -> None:
    """The whole of it, and by each of its filters, with a key and with a token."""
    with open_cloud(up.address):
        user = rblxopencloud.ApiKey(up.key).get_user(42)
        listed = [*user.list_inventory()]
        expected = [stored for item in up.held if (stored := stored_as(item)) is not None]
        assert sorted(map(held_as, listed), key=str) == sorted(expected, key=str)
        kinds = rblxopencloud.InventoryAssetType
        for arguments, names in (
            ({"assets": True}, {"InventoryAsset"}),
            ({"badges": True}, {"InventoryBadge"}),
            ({"game_passes": True}, {"InventoryGamePass"}),
            ({"private_servers": True}, {"InventoryPrivateServer"}),
            ({"badges": True, "game_passes": True}, {"InventoryBadge", "InventoryGamePass"}),
        ):
            found = [held_as(one) for one in user.list_inventory(**arguments)]
            assert sorted(found, key=str) == sorted((one for one in expected if one[0] in names), key=str)
        assert [held_as(one)[1:3] for one in user.list_inventory(assets=[7100, 7102, 1])] == [
            ("7100", "5001"),
            ("7100", "5002"),
            ("7102", "5101"),
        ]
        assert {one.type for one in user.list_inventory(assets=[kinds.Hat])} == {kinds.Hat}
        assert [str(one.instance_id) for one in user.list_inventory(only_collectibles=True)] == ["5001", "5002", "5104"]
        assert len([*user.list_inventory(limit=3)]) == 3
        times = {str(one.id): one.added_at for one in listed if held_as(one)[0] == "InventoryBadge"}
        assert times["501"] == NOW.replace(year=2024, month=1, day=1, hour=0, minute=0, second=0)
        by_token = [held_as(one) for one in rblxopencloud.User(42, f"Bearer {up.token}").list_inventory()]
        assert by_token == [held_as(one) for one in listed]


def test_the_open_cloud_client_pages_through_more_than_a_page_holds(up: Up) -> None:
    with open_cloud(up.address):
        found = [*rblxopencloud.ApiKey(up.stranger).get_user(42).list_inventory()]
        assert len(found) == len([item for item in up.held if stored_as(item)]) - 2
        many = [*rblxopencloud.ApiKey(up.key).get_user(77).list_inventory()]
        assert sorted(int(one.instance_id) for one in many) == [*range(1, 124)]
        with pytest.raises(rblxopencloud.exceptions.Forbidden):
            next(rblxopencloud.ApiKey(up.key).get_user(43).list_inventory())
        with pytest.raises(rblxopencloud.exceptions.HttpException) as refused:
            next(rblxopencloud.ApiKey("nothing").get_user(42).list_inventory())
        assert refused.value.status_code == 401


# --- ro.py ------------------------------------------------------------------------------------------------------------


class Rewritten(httpx.AsyncHTTPTransport):
    """Sends what is for the service's host to another address."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = httpx.URL(address)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert request.url.host.endswith(".roblox.com")
        url = self.address.copy_with(raw_path=self.address.raw_path + request.url.raw_path)
        headers = [(name, value) for name, value in request.headers.raw if name.lower() != b"host"]
        headers.append((b"Host", url.netloc))
        return await super().handle_async_request(
            httpx.Request(request.method, url, headers=headers, stream=request.stream, extensions=request.extensions)
        )


@pytest.fixture
async def client(up: Up) -> Any:
    """Give the library's client, with another session."""
    made = roblox.Client()
    before = made.requests.session
    made.requests.session = httpx.AsyncClient(transport=Rewritten(up.address), headers=before.headers, timeout=20)
    await before.aclose()
    made.set_token(up.cookie)
    yield made
    await made.requests.session.aclose()


async def test_the_web_client_lists_what_the_store_holds(up: Up, client: Any) -> None:
    url = client.url_generator.get_url
    limited = [item for item in up.held if isinstance(item, RobloxAsset) and item.collectible is not None]
    numbers = sorted(int(item.instance_id) for item in limited)
    rows = PageIterator(shared=client._shared, url=url("inventory", "v1/users/42/assets/collectibles"))
    assert [row["userAssetId"] for row in await rows.flatten()] == numbers
    for size in (10, 100):
        many = PageIterator(
            shared=client._shared, url=url("inventory", "v1/users/77/assets/collectibles"), page_size=size
        )
        assert [row["userAssetId"] async for row in many] == [*range(1, 124)]
    places = PageIterator(
        shared=client._shared,
        url=url("inventory", "v1/users/42/places/inventory"),
        extra_parameters={"placesTab": "Created", "itemsPerPage": 10},
    )
    assert [row["placeId"] for row in await places.flatten()] == [310]
    user = client.get_base_user(42)
    for item in up.held:
        match item:
            case RobloxAsset():
                copies = PageIterator(
                    shared=client._shared, url=url("inventory", f"v1/users/42/items/Asset/{item.asset_id}")
                )
                assert int(item.instance_id) in [row["instanceId"] for row in await copies.flatten()]
                found = await user.get_asset_instance(int(item.asset_id))
                assert found.asset.id == item.asset_id
            case RobloxGamePass():
                found = await user.get_gamepass_instance(int(item.game_pass_id))
                assert (found.gamepass.id, found.id) == (item.game_pass_id, None)
            case _:
                continue
    assert await user.get_asset_instance(7107) is None
    with pytest.raises(exceptions.BadRequest) as refused:
        await user.get_asset_instance(1)
    assert refused.value.errors[0].code == 7


async def test_the_web_client_writes_by_the_handshake(client: Any) -> None:
    path = client.url_generator.get_url("inventory", "v1/collections/items/Asset/7101")
    assert (await client.requests.post(path)).json() == {}
    with pytest.raises(exceptions.Forbidden) as refused:
        await client.requests.post(path)
    assert refused.value.errors[0].code == 7
    assert (await client.requests.delete(path)).json() == {}
    me = await client.requests.get(client.url_generator.get_url("users", "v1/users/authenticated"))
    assert me.json()["name"] == "mira"
