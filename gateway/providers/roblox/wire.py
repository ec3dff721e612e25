"""Roblox's payloads, of v1 and of the cloud: strict in what is written, forgiving in what is read.

What cannot be read is UpstreamInvalid, which tells the place and never a value.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar, cast

from gateway.model.collectible import SALE, Collectible
from gateway.model.errors import UpstreamInvalid
from gateway.model.ids import FactRef, OwnerRef
from gateway.model.item import Item
from gateway.model.manifest import ProviderKey
from gateway.model.scalars import BigInt, render_time
from gateway.providers.leftovers import leftover, merged
from gateway.providers.roblox import vocabulary as words
from gateway.providers.roblox.keys import (
    ASSET,
    BADGE,
    BUNDLE,
    LONGEST,
    PASS,
    SERVER,
    key_of,
    parsed,
    place_key,
    sort_text,
)
from gateway.providers.roblox.types import (
    RobloxAsset,
    RobloxBadge,
    RobloxBundle,
    RobloxCategories,
    RobloxCategoryEntry,
    RobloxCategoryGroup,
    RobloxCreator,
    RobloxDefinition,
    RobloxEntries,
    RobloxEntry,
    RobloxGamePass,
    RobloxPlace,
    RobloxPrivacy,
    RobloxPrivateServer,
    RobloxSale,
    RobloxUser,
)

T = TypeVar("T")
Document = Mapping[str, Any]

# --- reading ----------------------------------------------------------------------------------------------------------

_DIGITS = re.compile(r"[0-9]{1,19}\Z")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)\Z", re.IGNORECASE)
_LONGEST_TEXT = 10_000


def _wrong(place: str, wanted: str) -> UpstreamInvalid:
    return UpstreamInvalid(f"The service's answer is not in its format: `{place}` is not {wanted}.")


def _object(value: object, place: str) -> Document:
    if not isinstance(value, dict):
        raise _wrong(place, "an object")
    return cast("Document", value)


def _list(value: object, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise _wrong(place, "a list")
    return cast("list[Any]", value)


def _number(value: object, place: str, *, least: int = 0) -> int:
    """Read a whole number of up to 64 bits; one in a text is one too, as the cloud writes all ids."""
    if isinstance(value, str) and _DIGITS.match(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= LONGEST:
        raise _wrong(place, "a whole number")
    return value


def _id(value: object, place: str) -> int:
    return _number(value, place, least=1)


def _amount(value: object, place: str) -> BigInt | None:
    """Read a number that may be missing."""
    return None if value is None else BigInt(_number(value, place))


def _text(value: object, place: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise _wrong(place, "a text")
    return value


def _word(value: object, place: str, names: Sequence[str] | Mapping[int, str]) -> str:
    """Read a word of an enum, which some write as its number; one that is not known stays as it is."""
    if isinstance(value, int) and not isinstance(value, bool):
        known = names.get(value) if isinstance(names, Mapping) else names[value] if 0 <= value < len(names) else None
        return str(value) if known is None else known
    found = _text(value, place)
    if not found:
        raise _wrong(place, "a word")
    return found


def parse_time(value: object, place: str) -> datetime | None:
    """Read a moment of RFC 3339; digits past the microseconds are cut."""
    text = _text(value, place)
    if not text:
        return None
    found = _TIME.match(text)
    if found is None:
        raise _wrong(place, "a moment")
    whole, fraction, zone = found.groups()
    try:
        moment = datetime.fromisoformat(f"{whole}.{(fraction or '0')[:6].ljust(6, '0')}{zone.upper()}")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _wrong(place, "a moment") from None


def each(value: object, place: str, read: Callable[[object, str], T]) -> list[T]:
    """Read every entry of a list."""
    return [read(entry, f"{place}[{at}]") for at, entry in enumerate(_list(value, place))]


# --- pages ------------------------------------------------------------------------------------------------------------


class Page(NamedTuple):
    """A page of v1, or of the cloud: its entries, and the cursor or token of the next; None at the end."""

    entries: list[Any]
    next: str | None


def parse_page(payload: object) -> Page:
    """Read a page of v1."""
    document = _object(payload, "the page")
    return Page(_list(document.get("data"), "data"), _text(document.get("nextPageCursor"), "nextPageCursor") or None)


def render_page(rows: Sequence[object], previous: str | None, following: str | None) -> dict[str, Any]:
    """Write a page of v1: all three keys, null where there is no further page."""
    return {"previousPageCursor": previous, "nextPageCursor": following, "data": list(rows)}


def parse_cloud_page(payload: object) -> Page:
    """Read a page of the cloud; a token that is missing, null or empty is the end."""
    document = _object(payload, "the page")
    items = document.get("inventoryItems")
    return Page(
        [] if items is None else _list(items, "inventoryItems"),
        _text(document.get("nextPageToken"), "nextPageToken") or None,
    )


def render_cloud_page(items: Sequence[object], token: str | None) -> dict[str, Any]:
    """Write a page of the cloud; the end is an empty token, as some clients' models want the key."""
    return {"inventoryItems": list(items), "nextPageToken": token or ""}


# --- items of the cloud -----------------------------------------------------------------------------------------------

_PATHS = {ASSET: "USER_ASSET_ID", PASS: "GAME_PASS_ID", BADGE: "BADGE_ID", SERVER: "PRIVATE_SERVER_ID"}


def resource_path(owner: str, key: str) -> str:
    """Write the cloud's path of an item: opaque, and the same for ever."""
    kind, number = parsed(key)
    item = b64encode(f"{_PATHS[kind]}={number}".encode()).rstrip(b"=").decode()
    return f"users/{owner}/inventory-items/{item}"


def parse_item(payload: object, owner: OwnerRef) -> Item | None:
    """Read an item of the cloud; None for one of a kind that did not exist when this was written."""
    document = _object(payload, "the item")
    added = parse_time(document.get("addTime"), "addTime")
    found: Item | None = None
    if document.get("assetDetails") is not None:
        found = _parse_asset(_object(document["assetDetails"], "assetDetails"), owner, added)
    elif document.get("badgeDetails") is not None:
        details = _object(document["badgeDetails"], "badgeDetails")
        found = badge(owner, _id(details.get("badgeId"), "badgeId"), added)
    elif document.get("gamePassDetails") is not None:
        details = _object(document["gamePassDetails"], "gamePassDetails")
        # Of passes the service tells no time.
        found = game_pass(owner, _id(details.get("gamePassId"), "gamePassId"))
    elif document.get("privateServerDetails") is not None:
        details = _object(document["privateServerDetails"], "privateServerDetails")
        found = server(owner, _id(details.get("privateServerId"), "privateServerId"), added)
    if isinstance(found, RobloxAsset | RobloxBadge | RobloxGamePass | RobloxPrivateServer):
        # The path is made anew, and digits past the microseconds are none that the store has.
        known = {**document, "path": None, "addTime": None}
        written = {**render_item(found), "path": None, "addTime": None}
        found.extra = leftover(known, written)
    return found


def _parse_asset(details: Document, owner: OwnerRef, added: datetime | None) -> RobloxAsset:
    cloud = _text(details.get("inventoryItemAssetType"), "inventoryItemAssetType")
    limited = details.get("collectibleDetails")
    instance = _id(details.get("instanceId"), "instanceId")
    return asset(
        owner,
        asset_id=_id(details.get("assetId"), "assetId"),
        instance=instance,
        cloud=cloud,
        added=added,
        collectible=None
        if limited is None
        else _parse_collectible(_object(limited, "collectibleDetails"), owner, instance),
    )


def _parse_collectible(details: Document, owner: OwnerRef, instance: int) -> Collectible:
    state = _text(details.get("instanceState"), "instanceState")
    return collectible(
        owner,
        instance,
        serial=_amount(details.get("serialNumber"), "serialNumber"),
        item_id=_text(details.get("itemId"), "itemId"),
        instance_id=_text(details.get("instanceId"), "instanceId"),
        state=state,
        on_hold={words.HOLD: True, words.AVAILABLE: False}.get(state or ""),
    )


def collectible(
    owner: OwnerRef,
    instance: int,
    *,
    serial: BigInt | None,
    item_id: str | None = None,
    instance_id: str | None = None,
    state: str | None = None,
    on_hold: bool | None = None,
) -> Collectible:
    """Make the facts of a limited copy; what it was sold for is told apart."""
    return Collectible(
        serial_number=serial,
        collectible_item_id=item_id,
        collectible_instance_id=instance_id,
        asset_instance_id=BigInt(instance),
        state=state,
        is_on_hold=on_hold,
        sold_as="\n".join(FactRef(*owner, SALE, key_of(ASSET, instance))),
    )


def asset(
    owner: OwnerRef,
    *,
    asset_id: int,
    instance: int,
    cloud: str | None = None,
    kind: words.AssetType | None = None,
    added: datetime | None = None,
    collectible: Collectible | None = None,
) -> RobloxAsset:
    """Make a copy of an asset; an asset type that is not known keeps the cloud's name."""
    kind = words.BY_CLOUD_NAME.get(cloud or "") or kind
    shelf = words.asset_shelf(kind and kind.number, cloud or (kind and kind.cloud))
    return RobloxAsset(
        owner=owner,
        key=key_of(ASSET, instance),
        kind="Asset",
        asset_id=BigInt(asset_id),
        instance_id=BigInt(instance),
        asset_type=kind.name if kind else cloud,
        inventory_item_asset_type=cloud or (kind.cloud if kind else None),
        collectible=collectible,
        acquired_at=added,
        container_key=shelf,
        definition_key=key_of(ASSET, asset_id),
        sort=sort_text(words.RANKS[shelf], added, instance),
    )


def typed(item: RobloxAsset, number: int | None) -> None:
    """Give a copy of which only v1 has told the type of its asset, by its number."""
    kind = words.BY_NUMBER.get(number or 0)
    if kind is None:
        return
    item.asset_type, item.inventory_item_asset_type = kind.name, kind.cloud
    item.container_key = words.asset_shelf(kind.number, kind.cloud)
    item.sort = sort_text(words.RANKS[item.container_key], item.acquired_at, int(item.instance_id))


def bundled(item: RobloxBundle, number: int | None) -> None:
    """Give a bundle its type, by its number."""
    item.bundle_type = words.BUNDLE_TYPES.get(number or 0)
    item.container_key = words.bundle_shelf(number)
    item.sort = sort_text(words.RANKS[item.container_key], item.acquired_at, int(item.bundle_id))


def badge(owner: OwnerRef, number: int, added: datetime | None = None) -> RobloxBadge:
    """Make a badge."""
    return RobloxBadge(badge_id=BigInt(number), **_single(owner, BADGE, "Badge", BADGE, number, added))


def game_pass(owner: OwnerRef, number: int) -> RobloxGamePass:
    """Make a game pass."""
    return RobloxGamePass(game_pass_id=BigInt(number), **_single(owner, PASS, "GamePass", PASS, number, None))


def bundle(owner: OwnerRef, number: int, bundle_type: int | None) -> RobloxBundle:
    """Make a bundle."""
    shelf = words.bundle_shelf(None)
    made = RobloxBundle(bundle_id=BigInt(number), **_single(owner, BUNDLE, "Bundle", shelf, number, None))
    if bundle_type is not None:
        bundled(made, bundle_type)
    return made


def server(owner: OwnerRef, number: int, added: datetime | None = None) -> RobloxPrivateServer:
    """Make a private server, which is of no definition."""
    made = _single(owner, SERVER, "PrivateServer", SERVER, number, added)
    made["definition_key"] = None
    return RobloxPrivateServer(private_server_id=BigInt(number), **made)


def _single(owner: OwnerRef, kind: str, word: str, shelf: str, number: int, added: datetime | None) -> dict[str, Any]:
    """Give what is the same of all things that are held once, under the number that they have for everyone."""
    return {
        "owner": owner,
        "key": key_of(kind, number),
        "kind": word,
        "acquired_at": added,
        "container_key": shelf,
        "definition_key": key_of(kind, number),
        "sort": sort_text(words.RANKS[shelf], added, number),
    }


Listed = RobloxAsset | RobloxBadge | RobloxGamePass | RobloxPrivateServer
"""What the cloud lists."""


def render_item(item: Listed, *, whole: bool = False) -> dict[str, Any]:
    """Write an item for the cloud; `whole`, with what the contract does not know."""
    written: dict[str, Any] = {"path": resource_path(item.owner.owner, item.key)}
    match item:
        case RobloxAsset():
            details: dict[str, Any] = {
                "assetId": str(item.asset_id),
                "inventoryItemAssetType": item.inventory_item_asset_type or words.UNSPECIFIED,
                "instanceId": str(item.instance_id),
            }
            if item.collectible is not None:
                details["collectibleDetails"] = _render_collectible(item.collectible)
            written["assetDetails"] = details
        case RobloxBadge():
            written["badgeDetails"] = {"badgeId": str(item.badge_id)}
        case RobloxGamePass():
            written["gamePassDetails"] = {"gamePassId": str(item.game_pass_id)}
        case RobloxPrivateServer():
            written["privateServerDetails"] = {"privateServerId": str(item.private_server_id)}
    if item.acquired_at is not None:
        written["addTime"] = render_time(item.acquired_at)
    return merged(written, item.extra) if whole else written


def _render_collectible(found: Collectible) -> dict[str, Any]:
    state = found.state or {True: words.HOLD, False: words.AVAILABLE}.get(cast("bool", found.is_on_hold))
    details: dict[str, Any] = {
        "itemId": found.collectible_item_id or _NO_UUID,
        "instanceId": found.collectible_instance_id or _NO_UUID,
        "instanceState": state or words.STATELESS,
    }
    if found.serial_number is not None:
        details["serialNumber"] = int(found.serial_number)
    return details


_NO_UUID = "00000000-0000-0000-0000-000000000000"
"""For a copy of which only v1 has told: some clients' models want the keys."""

# --- rows of v1 -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCollectible:
    """A row of collectibles: the copy as far as it is told, what it is a copy of, and what is told of its sale."""

    asset: RobloxAsset
    definition: RobloxDefinition
    sale: RobloxSale
    membership: str | None


def parse_collectible(payload: object, owner: OwnerRef) -> ReadCollectible:
    """Read a row of collectibles."""
    row = _object(payload, "the collectible")
    instance = _id(row.get("userAssetId"), "userAssetId")
    asset_id = _id(row.get("assetId"), "assetId")
    on_hold = row.get("isOnHold")
    if on_hold is not None and not isinstance(on_hold, bool):
        raise _wrong("isOnHold", "true or false")
    facts = collectible(
        owner,
        instance,
        serial=_amount(row.get("serialNumber"), "serialNumber"),
        state=None if on_hold is None else words.HOLD if on_hold else words.AVAILABLE,
        on_hold=on_hold,
    )
    membership = row.get("buildersClubMembershipType")
    sale = RobloxSale(
        stock=_amount(row.get("assetStock"), "assetStock"),
        original_price=_amount(row.get("originalPrice"), "originalPrice"),
        recent_average_price=_amount(row.get("recentAveragePrice"), "recentAveragePrice"),
        extra={name: value for name, value in row.items() if name not in _COLLECTIBLE and value is not None} or None,
    )
    return ReadCollectible(
        asset=asset(owner, asset_id=asset_id, instance=instance, collectible=facts),
        definition=definition(ASSET, asset_id, _text(row.get("name"), "name")),
        sale=sale,
        membership=None if membership is None else _word(membership, "buildersClubMembershipType", words.MEMBERSHIPS),
    )


_COLLECTIBLE = frozenset(
    {
        "userAssetId",
        "serialNumber",
        "assetId",
        "name",
        "recentAveragePrice",
        "originalPrice",
        "assetStock",
        "buildersClubMembershipType",
        "isOnHold",
    }
)


def render_collectible(
    item: RobloxAsset, name: str | None, sale: RobloxSale | None, membership: str | None, *, whole: bool = False
) -> dict[str, Any]:
    """Write a row of collectibles."""
    facts = item.collectible
    told = sale or RobloxSale()
    row: dict[str, Any] = {
        "userAssetId": int(item.instance_id),
        "serialNumber": _plain(facts and facts.serial_number),
        "assetId": int(item.asset_id),
        "name": name or "",
        "recentAveragePrice": int(told.recent_average_price or 0),
        "originalPrice": _plain(told.original_price),
        "assetStock": _plain(told.stock),
        "buildersClubMembershipType": membership or words.MEMBERSHIPS[0],
        "isOnHold": bool(facts and facts.is_on_hold),
    }
    return {**row, **(told.extra or {})} if whole else row


def _plain(number: BigInt | None) -> int | None:
    return None if number is None else int(number)


class ReadItem(NamedTuple):
    """A row of owned copies: of which kind, the id of what it is a copy of, its name, and the copy's number."""

    kind: str
    target: int
    name: str | None
    instance: int | None


def parse_owned(payload: object) -> ReadItem:
    """Read a row of owned copies."""
    row = _object(payload, "the item")
    kind = words.ITEM_KINDS.get(words.item_type(_word(row.get("type"), "type", words.ITEM_TYPES)) or "")
    if kind is None:
        raise _wrong("type", "an item type")
    return ReadItem(
        kind,
        _id(row.get("id"), "id"),
        _text(row.get("name"), "name"),
        None if row.get("instanceId") is None else _id(row.get("instanceId"), "instanceId"),
    )


def owned_item(read: ReadItem, owner: OwnerRef, known: RobloxDefinition | None = None) -> Item | None:
    """Make the item of a row; None for an asset whose copy is not told."""
    match read.kind:
        case "asset":
            if read.instance is None:
                return None
            kind = None if known is None else words.BY_NUMBER.get(known.asset_type_id or 0)
            return asset(owner, asset_id=read.target, instance=read.instance, kind=kind)
        case "badge":
            return badge(owner, read.target)
        case "pass":
            return game_pass(owner, read.target)
        case _:
            return bundle(owner, read.target, known.bundle_type_id if known else None)


def render_owned(item_type: str, target: int, name: str | None, instance: int | None) -> dict[str, Any]:
    """Write a row of owned copies; the instance's key is there for what has none, too."""
    return {"id": target, "name": name or "", "type": item_type, "instanceId": instance}


def parse_flag(payload: object) -> bool:
    """Read a bare truth value, or one under `canView`."""
    value = cast("Document", payload).get("canView") if isinstance(payload, dict) else payload
    if not isinstance(value, bool):
        raise _wrong("the answer", "true or false")
    return value


def parse_assets(payload: object) -> list[int]:
    """Read what a package is made of."""
    return each(_object(payload, "the package").get("assetIds"), "assetIds", _id)


def parse_categories(payload: object) -> RobloxCategories:
    """Read categories."""
    return RobloxCategories(
        groups=each(_object(payload, "the categories").get("categories"), "categories", _parse_group)
    )


def _parse_group(value: object, place: str) -> RobloxCategoryGroup:
    row = _object(value, place)
    name = _text(row.get("name"), f"{place}.name") or ""
    return RobloxCategoryGroup(
        name=name,
        display_name=_text(row.get("displayName"), f"{place}.displayName") or name,
        category_type=_text(row.get("categoryType"), f"{place}.categoryType") or "",
        items=each(row.get("items") or [], f"{place}.items", _parse_entry),
    )


def _parse_entry(value: object, place: str) -> RobloxCategoryEntry:
    row = _object(value, place)
    name = _text(row.get("name"), f"{place}.name") or ""
    return RobloxCategoryEntry(
        name=name,
        display_name=_text(row.get("displayName"), f"{place}.displayName") or name,
        filter=_text(row.get("filter"), f"{place}.filter"),
        id=_number(row.get("id", 0), f"{place}.id"),
        type=_word(row.get("type", 0), f"{place}.type", words.ENTRY_TYPES),
        category_type=_text(row.get("categoryType"), f"{place}.categoryType") or "",
    )


def render_categories(categories: RobloxCategories) -> dict[str, Any]:
    """Write categories."""
    return {
        "categories": [
            {
                "name": group.name,
                "displayName": group.display_name,
                "categoryType": group.category_type,
                "items": [
                    {
                        "name": entry.name,
                        "displayName": entry.display_name,
                        "filter": entry.filter,
                        "id": entry.id,
                        "type": entry.type,
                        "categoryType": entry.category_type,
                    }
                    for entry in group.items
                ],
            }
            for group in categories.groups
        ]
    }


def parse_place(payload: object, owner: OwnerRef, tab: str) -> RobloxPlace:
    """Read a place of a tab."""
    row = _object(payload, "the place")
    number = _id(row.get("placeId"), "placeId")
    shelf = words.place_shelf(tab)
    place = RobloxPlace(
        owner=owner,
        key=place_key(number, tab, words.MIRRORS),
        kind="Place",
        name=_text(row.get("name"), "name"),
        place_id=BigInt(number),
        universe_id=_amount(row.get("universeId"), "universeId"),
        tab=tab,
        creator=parse_creator(row.get("creator")),
        price=_amount(row.get("priceInRobux"), "priceInRobux"),
        container_key=shelf,
        sort=sort_text(words.RANKS[shelf], None, number),
    )
    place.extra = leftover(row, render_place(place))
    return place


def render_place(place: RobloxPlace, *, whole: bool = False) -> dict[str, Any]:
    """Write a place."""
    row: dict[str, Any] = {
        "universeId": int(place.universe_id or 0),
        "placeId": int(place.place_id),
        "name": place.name or "",
        "creator": None if place.creator is None else render_creator(place.creator),
        "priceInRobux": _plain(place.price),
    }
    return merged(row, place.extra) if whole else row


def parse_creator(value: object) -> RobloxCreator | None:
    """Read who made something."""
    if value is None:
        return None
    row = _object(value, "creator")
    return RobloxCreator(
        id=BigInt(_number(row.get("id"), "creator.id")),
        name=_text(row.get("name"), "creator.name"),
        type=_word(row.get("type"), "creator.type", words.CREATORS),
    )


def render_creator(creator: RobloxCreator) -> dict[str, Any]:
    """Write who made something."""
    return {"id": int(creator.id), "name": creator.name or "", "type": creator.type}


# --- users ------------------------------------------------------------------------------------------------------------


def parse_user(payload: object) -> RobloxUser:
    """Read a user, as the users' own service tells of one."""
    row = _object(payload, "the user")
    membership = row.get("buildersClubMembershipType")
    user = RobloxUser(
        id=BigInt(_id(row.get("id"), "id")),
        name=_text(row.get("name"), "name"),
        display_name=_text(row.get("displayName"), "displayName"),
        membership=None if membership is None else _word(membership, "buildersClubMembershipType", words.MEMBERSHIPS),
    )
    user.extra = leftover(row, render_user(user))
    return user


def render_user(user: RobloxUser, *, whole: bool = False) -> dict[str, Any]:
    """Write a user."""
    row: dict[str, Any] = {"id": int(user.id), "name": user.name or "", "displayName": user.display_name or ""}
    if user.membership is not None and whole:
        row["buildersClubMembershipType"] = user.membership
    return merged(row, user.extra) if whole else row


def parse_privacy(payload: object) -> RobloxPrivacy:
    """Read who may see an inventory: the level, as the account's settings have it, and the user's relations."""
    row = _object(payload, "the settings")
    level = row.get("whoCanSeeMyInventory", row.get("inventoryPrivacy"))
    named = _word(level, "whoCanSeeMyInventory", dict(enumerate(words.LEVELS[:6], 1)))
    if named not in words.LEVELS:
        raise _wrong("whoCanSeeMyInventory", "a level")

    def ids(name: str) -> list[int]:
        return each(row.get(name) or [], name, _id)

    return RobloxPrivacy(
        level=named,
        friends=ids("friends"),
        trusted_friends=ids("trustedFriends"),
        followings=ids("followings"),
        followers=ids("followers"),
    )


def render_privacy(privacy: RobloxPrivacy) -> dict[str, Any]:
    """Write who may see an inventory."""
    return {
        "whoCanSeeMyInventory": privacy.level,
        "friends": privacy.friends,
        "trustedFriends": privacy.trusted_friends,
        "followings": privacy.followings,
        "followers": privacy.followers,
    }


# --- the catalogue and the collection ---------------------------------------------------------------------------------


def definition(kind: str, number: int, name: str | None = None) -> RobloxDefinition:
    """Make a catalogue entry of which no more than its name is known."""
    word = next(word for word, found in words.ITEM_KINDS.items() if found == kind)
    return RobloxDefinition(provider=ProviderKey.ROBLOX, key=key_of(kind, number), kind=word, name=name)


def parse_definition(payload: object) -> RobloxDefinition:
    """Read a catalogue entry: `id` and `itemType`, and what is known of `name`, `description`, `assetType`, ..."""
    row = _object(payload, "the entry")
    kind = words.ITEM_KINDS.get(words.item_type(_word(row.get("itemType"), "itemType", words.ITEM_TYPES)) or "")
    if kind is None:
        raise _wrong("itemType", "an item type")
    made = definition(kind, _id(row.get("id"), "id"), _text(row.get("name"), "name"))
    if kind == ASSET and row.get("assetType") is not None:
        told = _word(row["assetType"], "assetType", {})
        found = words.asset_type(told)
        made.asset_type = found.name if found else told
        made.asset_type_id = found.number if found else None
    if kind == BUNDLE and row.get("bundleType") is not None:
        number = row["bundleType"]
        numbers = {name: at for at, name in words.BUNDLE_TYPES.items()}
        made.bundle_type_id = numbers.get(number) if isinstance(number, str) else _number(number, "bundleType")
        made.bundle_type = words.BUNDLE_TYPES.get(made.bundle_type_id or 0)
    made.description = _text(row.get("description"), "description")
    made.icon = _text(row.get("iconUrl"), "iconUrl")
    made.rarity = _text(row.get("restriction"), "restriction")
    made.creator = parse_creator(row.get("creator"))
    if row.get("assetIds") is not None:
        made.member_ids = each(row["assetIds"], "assetIds", _id)
    written = {**render_definition(made), "assetType": row.get("assetType"), "bundleType": row.get("bundleType")}
    made.extra = leftover(row, {**written, "itemType": row["itemType"]})
    return made


def render_definition(made: RobloxDefinition, *, whole: bool = False) -> dict[str, Any]:
    """Write a catalogue entry."""
    row: dict[str, Any] = {
        "id": parsed(made.key).number,
        "itemType": made.kind,
        "name": made.name,
        "description": made.description,
        "assetType": made.asset_type,
        "bundleType": made.bundle_type_id,
        "iconUrl": made.icon,
        "restriction": made.rarity,
        "creator": None if made.creator is None else render_creator(made.creator),
        "assetIds": made.member_ids,
    }
    row = {name: value for name, value in row.items() if value is not None}
    return merged(row, made.extra) if whole else row


def parse_entries(payload: object) -> RobloxEntries:
    """Read a collection."""
    entries = each(_object(payload, "the collection").get("data"), "data", _parse_entry_of_collection)
    if len({entry.key for entry in entries}) < len(entries):
        raise _wrong("data", "a list of things that are each named once")
    return RobloxEntries(number=1, entries=entries)


def _parse_entry_of_collection(value: object, place: str) -> RobloxEntry:
    row = _object(value, place)
    kind = words.ITEM_KINDS.get(words.item_type(_word(row.get("type"), f"{place}.type", words.ITEM_TYPES)) or "")
    if kind not in (ASSET, BUNDLE):
        raise _wrong(f"{place}.type", "`Asset` or `Bundle`")
    number = _id(row.get("id"), f"{place}.id")
    return RobloxEntry(key=key_of(kind, number), added_at=parse_time(row.get("addedAt"), f"{place}.addedAt"))


def render_entries(entries: RobloxEntries) -> dict[str, Any]:
    """Write a collection."""
    rows: list[dict[str, Any]] = []
    for entry in entries.entries:
        kind, number = parsed(entry.key)
        row: dict[str, Any] = {"id": number, "type": "Asset" if kind == ASSET else "Bundle"}
        if entry.added_at is not None:
            row["addedAt"] = render_time(entry.added_at)
        rows.append(row)
    return {"data": rows}


def parse_subject(payload: object) -> int:
    """Read whose access token it is."""
    return _id(_object(payload, "the user").get("sub"), "sub")


def parse_introspection(payload: object) -> int:
    """Read whose API key it is."""
    return _id(_object(payload, "the key").get("authorizedUserId"), "authorizedUserId")


# --- errors -----------------------------------------------------------------------------------------------------------


def parse_fault(payload: object) -> str | None:
    """Read the service's number or name of an error, in any of its envelopes; None where it is none of them."""
    if not isinstance(payload, dict):
        return None
    document = cast("Document", payload)
    errors = document.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        code = cast("Document", errors[0]).get("code")
    else:
        code = document.get("code")
    return str(code) if isinstance(code, int | str) and not isinstance(code, bool) else None
