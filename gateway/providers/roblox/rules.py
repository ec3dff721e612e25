"""What Roblox allows: keys, who may see what, what a collection takes, credentials; pure."""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import strawberry

from gateway.model.arguments import ContainerKind, ItemFilter
from gateway.model.change import ContainerVersion, PlainChangeSet
from gateway.model.container import Container
from gateway.model.errors import Conflict, Forbidden, InvalidInput, LimitExceeded, NotFound, Refusal, refuse
from gateway.model.ids import ME, OwnerRef
from gateway.model.item import Item
from gateway.model.manifest import Capability
from gateway.model.ports import OPEN, Access, Grant, Holder, Minted, Wanted
from gateway.model.scalars import BigInt
from gateway.providers.roblox import vocabulary as words
from gateway.providers.roblox.keys import (
    ASSET,
    BADGE,
    BUNDLE,
    COLLECTION,
    FAVORITES,
    LONGEST,
    PASS,
    PLACE,
    PROVIDER,
    SERVER,
    VIEW,
    escaped,
    parsed,
    view_key,
)
from gateway.providers.roblox.manifest import COOKIE, READ, TOKEN
from gateway.providers.roblox.types import (
    RobloxCategories,
    RobloxCategory,
    RobloxCollection,
    RobloxCredential,
    RobloxDefinition,
    RobloxEntries,
    RobloxEntry,
    RobloxPrivacy,
)

# --- keys -------------------------------------------------------------------------------------------------------------

_NUMBER = "[1-9][0-9]{0,18}"
_OWNER = re.compile(rf"{_NUMBER}\Z")
_ITEM = re.compile(rf"({'|'.join((ASSET, BADGE, PASS, BUNDLE, SERVER, PLACE))}):({_NUMBER})\Z")
_MIRROR = re.compile(rf"({PLACE}):({_NUMBER})/(?:{'|'.join(words.MIRRORS)})\Z")
_DEFINITION = re.compile(rf"({'|'.join((ASSET, BADGE, PASS, BUNDLE))}):({_NUMBER})\Z")
_NAME = r"[^/\x00-\x1f\x7f]{1,500}"
_CONTAINER = re.compile(rf"(?:{COLLECTION}|{FAVORITES}|(?:{VIEW}|{FAVORITES}):{_NAME}(?:/{_NAME})?)\Z")


def check_owner(key: str) -> None:
    """Raise InvalidInput unless this is a user's id."""
    if not _OWNER.match(key) or int(key) > LONGEST:
        raise InvalidInput("This is not a user's id: it is a whole number from 1.")


def check_container(key: str) -> None:
    """Raise InvalidInput unless this can be a container's key."""
    if not _CONTAINER.match(key):
        raise InvalidInput(
            "This is not a container's key: it is `collection`, `favorites`, `view:<name>`, `favorites:<name>`, or one "
            "of the last two with `/<item>`."
        )


def check_item(key: str) -> None:
    """Raise InvalidInput unless this is an item's key."""
    if _MIRROR.match(key):
        key = key.partition("/")[0]
    _check(_ITEM, key, "`asset:<instance id>`, `badge:<id>`, `pass:<id>`, `bundle:<id>`, `server:<id>` or `place:<id>`")


def check_definition(key: str) -> None:
    """Raise InvalidInput unless this is a definition's key."""
    _check(_DEFINITION, key, "`asset:<id>`, `badge:<id>`, `pass:<id>` or `bundle:<id>`")


def _check(form: re.Pattern[str], key: str, wanted: str) -> None:
    found = form.match(key)
    if found is None or int(found[2]) > LONGEST:
        raise InvalidInput(f"This is not a key of Roblox: it has the form {wanted}.")


# --- who --------------------------------------------------------------------------------------------------------------

TOP_LEVEL = (ContainerKind.COLLECTION,)
"""The kinds that an inventory's top level lists."""

RENEWED: Mapping[str, Collection[str]] = {}
"""Nothing is exchanged for anything."""

HIDDEN = "The specified user's inventory is hidden."

_TOKEN_LIVES = timedelta(minutes=15)
_WARNING = (
    "_|WARNING:-DO-NOT-SHARE-THIS.--Sharing-this-will-allow-someone-to-log-in-as-you-and-to-steal-your-ROBUX-and-"
    "items.|_"
)
_GROUP = re.compile(rf"group:({_NUMBER})\Z")


def scopes_for(read: str, kind: str) -> tuple[str, ...]:
    """Tell that no read needs a scope by itself: what an inventory's owner has set decides."""
    del read, kind
    return ()


def shown(fact: object, scopes: Collection[str]) -> object:
    """Show documents whole."""
    del scopes
    return fact


def lacking(scopes: Sequence[str]) -> Forbidden:
    """Refuse what only those whom the owner lets may see."""
    return Forbidden(HIDDEN, scopes=tuple(scopes))


def unknown(definition: str) -> Refusal | None:
    """Refuse what does not exist, in the service's words."""
    code, message = MISSING[parsed(definition).kind]
    return NotFound(message, provider_code=str(code))


MISSING: Mapping[str, tuple[int, str]] = {
    ASSET: (7, "The specified Asset does not exist!"),
    PASS: (5, "The specified game pass does not exist! Are you using the new game pass ID?"),
    BADGE: (10, "The specified asset is not a badge!"),
    BUNDLE: (12, "The specified bundle does not exist!"),
}
"""How the service says that there is no such thing, by kind."""


def own_key(holder: Holder, key: str) -> str:
    """Give the holder's own id for `me`."""
    if key != ME:
        check_owner(key)
        return key
    return holder.owner


def may_read(holder: Holder, owner: str) -> bool:
    """Say that of any user it may be known that there is one."""
    del holder, owner
    return True


def may_write(holder: Holder, owner: str, verb: Capability) -> bool:
    """Say whether it is the holder's own session."""
    del verb
    return holder == (owner, COOKIE)


def secret(part: str, sent: str) -> str:
    """Tell that what is sent is the secret itself."""
    del part
    return sent


def fault_code(part: str | None, *, expired: bool) -> str | None:
    """Give the service's code of a credential that is not accepted."""
    del part, expired
    return "0"


def shared_by(owner: str) -> str | None:
    """Tell that inventories are laid over nothing."""
    del owner
    return None


def mint(wanted: Wanted) -> Minted:
    """Make a session cookie, an API key or an access token; the limit `group:<id>` makes a key that group's."""
    groups = [found[1] for limit in wanted.limits if (found := _GROUP.match(limit)) is not None]
    if len(groups) < len(wanted.limits) or len(groups) > 1 or (groups and wanted.part == COOKIE):
        raise InvalidInput("The one limit that an API key or an access token may have is `group:<id>`.")
    label = secrets.token_hex(8)
    expires_at = wanted.expires_at
    if wanted.part == COOKIE:
        text = _WARNING + secrets.token_hex(64).upper()
    elif wanted.part == TOKEN:
        text = secrets.token_urlsafe(48)
        expires_at = expires_at or wanted.issued_at + _TOKEN_LIVES
    else:
        text = secrets.token_urlsafe(36)
    facts = RobloxCredential(
        name=wanted.name,
        part=wanted.part,
        owner=wanted.owner,
        scopes=list(wanted.scopes),
        group=groups[0] if groups else None,
    )
    return Minted(secret=text, label=label, facts=facts, expires_at=expires_at)


def consents(grant: Grant, owner: str) -> bool:
    """Say whether an inventory's owner has let the holder see everything: it is the owner's own credential."""
    facts = grant.facts
    if grant.holder.owner != owner or (isinstance(facts, RobloxCredential) and facts.group is not None):
        return False
    return grant.holder.part == COOKIE or READ in grant.scopes


def access(privacy: RobloxPrivacy, grant: Grant | None, owner: str) -> Access:
    """Tell what the holder of a grant may see of an owner's inventory; None is who is trusted.

    The cloud looks at nothing but "everyone" and the owner's consent; a session is judged by level and relation.
    """
    if grant is None or consents(grant, owner):
        return OPEN
    is_open = privacy.level == words.ALL_USERS
    if not is_open and grant.holder.part == COOKIE:
        is_open = _may_see(privacy, int(grant.holder.owner))
    return Access(is_open=is_open, hidden=words.OF_CONSENT)


def _may_see(privacy: RobloxPrivacy, reader: int) -> bool:
    circles: list[list[int]] = [privacy.friends, privacy.followings, privacy.followers]
    match privacy.level:
        case "Friends" | "FriendsAndFollowing" | "FriendsFollowingAndFollowers":
            wide = ("Friends", "FriendsAndFollowing", "FriendsFollowingAndFollowers").index(privacy.level) + 1
            return any(reader in circle for circle in circles[:wide])
        case "TrustedFriends":
            return reader in privacy.trusted_friends
        case "AllAuthenticatedUsers":
            return True
        case _:
            return False


# --- lists ------------------------------------------------------------------------------------------------------------


def narrowed(wanted: ItemFilter, access: Access) -> tuple[ItemFilter, bool]:
    """Narrow a list to the shelves that it is of, and that may be seen.

    And say whether some of what a view or the kinds asked for may not. What is asked for with all assets is left out in
    silence, as the cloud does it.
    """
    shelves = wanted.shelves if wanted.shelves is not None else listed(wanted)
    is_named = wanted.shelves is not None or wanted.kinds is not None
    withheld = is_named and any(shelf in access.hidden and shelf not in words.CLOUD_ASSETS for shelf in shelves)
    return replace(wanted, shelves=tuple(shelf for shelf in shelves if shelf not in access.hidden)), withheld


def listed(wanted: ItemFilter) -> tuple[str, ...]:
    """Give the shelves that a list of all holdings is of.

    Bundles and places are listed where they are asked for, as they show once more what is held as assets.
    """
    if wanted.kinds is not None:
        return tuple(shelf for kind in wanted.kinds for shelf in words.KINDS.get(kind, ()))
    return words.HOLDINGS if wanted.definition_keys is None else (*words.HOLDINGS, *words.BUNDLES)


# --- containers -------------------------------------------------------------------------------------------------------


def collection(owner: OwnerRef) -> RobloxCollection:
    """Make an inventory's collection."""
    return RobloxCollection(
        key=COLLECTION, name="Collection", kind=ContainerKind.COLLECTION, owner=owner, sort=f"0:{COLLECTION}"
    )


def containers(
    owner: OwnerRef, views: RobloxCategories, favorites: RobloxCategories, *, is_owner: bool
) -> list[Container]:
    """Make all containers of an inventory: the collection, and the categories as views."""
    made: list[Container] = [
        collection(owner),
        *_views(owner, VIEW, shown_to(views, is_owner=is_owner), None),
        RobloxCategory(
            key=FAVORITES,
            name="Favorites",
            kind=ContainerKind.VIEW,
            display_name="Favorites",
            category_type="Favorites",
            type=None,
            type_id=None,
            owner=owner,
            sort=f"2:{FAVORITES}",
        ),
        *_views(owner, FAVORITES, favorites, FAVORITES),
    ]
    return made


def shown_to(categories: RobloxCategories, *, is_owner: bool) -> RobloxCategories:
    """Give the categories that a caller is shown: private servers are for their owner."""
    if is_owner:
        return categories
    groups = [group for group in categories.groups if group.category_type != words.PRIVATE_SERVERS]
    return RobloxCategories(groups=groups)


def _views(owner: OwnerRef, prefix: str, categories: RobloxCategories, parent: str | None) -> Iterable[RobloxCategory]:
    knows = prefix == VIEW
    used: set[str] = set()

    def unique(key: str) -> str:
        """Two may have one name: the later one is told by a mark."""
        while key in used:
            key += "~"
        used.add(key)
        return key

    for at, group in enumerate(categories.groups):
        key = unique(view_key(prefix, group.name))
        yield RobloxCategory(
            key=key,
            name=group.name,
            kind=ContainerKind.VIEW,
            display_name=group.display_name,
            category_type=group.category_type,
            type=None,
            type_id=None,
            selected=words.shelves_of_group(group) if knows else None,
            owner=owner,
            parent_key=parent,
            sort=f"1:{at:03d}",
        )
        for place, entry in enumerate(group.items):
            yield RobloxCategory(
                key=unique(f"{key}/{escaped(entry.name)}"),
                name=entry.name,
                kind=ContainerKind.VIEW,
                display_name=entry.display_name,
                category_type=entry.category_type,
                filter=entry.filter,
                type=entry.type,
                type_id=BigInt(entry.id),
                selected=words.shelves_of(entry) if knows else None,
                owner=owner,
                parent_key=key,
                sort=f"1:{at:03d}:{place:03d}",
            )


# --- the collection ---------------------------------------------------------------------------------------------------

REFUSALS: Mapping[int, tuple[type[Refusal], str]] = {
    1: (InvalidInput, "The item type does not exist."),
    2: (NotFound, "The asset does not exist."),
    3: (NotFound, "The bundle does not exist."),
    4: (Forbidden, "You don't own the specified item."),
    5: (InvalidInput, "Assets of this type are not allowed in collections."),
    6: (InvalidInput, "Items of this type are not allowed in collections."),
    7: (Conflict, "The item is already in the collection."),
    8: (NotFound, "The item is not in the collection."),
    9: (LimitExceeded, "The collection is full."),
}
"""Why a collection is not changed, by the service's code, and what that is in the graph."""

MOST_KEYS = 250


def refusal(code: int, place: int) -> Refusal:
    """Make the error of an entry of a collection's input."""
    kind, message = REFUSALS[code]
    return kind(message, provider_code=str(code)).at("definitionKeys", str(place))


def check_keys(keys: Sequence[str]) -> None:
    """Raise Refusals for keys that cannot be a definition's, and for an empty list."""
    if not keys:
        raise InvalidInput("Nothing is named.").at("definitionKeys")
    faults: list[Refusal] = []
    for place, key in enumerate(keys):
        try:
            check_definition(key)
        except InvalidInput as fault:
            faults.append(fault.at("definitionKeys", str(place)))
            continue
        if parsed(key).kind not in (ASSET, BUNDLE):
            faults.append(refusal(6, place))
    refuse(faults)


def add(
    entries: RobloxEntries,
    keys: Sequence[str],
    known: Mapping[str, RobloxDefinition],
    owned: Collection[str],
    *,
    capacity: int,
    at: datetime,
) -> RobloxEntries:
    """Add to a collection; Refusals for every key that is at fault, together."""
    faults: list[Refusal] = []
    after = [*entries.entries]
    there = {entry.key for entry in after}
    for place, key in enumerate(keys):
        definition = known.get(key)
        is_asset = parsed(key).kind == ASSET
        if definition is None:
            faults.append(refusal(2 if is_asset else 3, place))
        elif key not in owned:
            faults.append(refusal(4, place))
        elif is_asset and definition.asset_type_id not in words.COLLECTIBLE_HERE:
            faults.append(refusal(5, place))
        elif key in there:
            faults.append(refusal(7, place))
        elif len(after) >= capacity:
            faults.append(refusal(9, place))
        else:
            after.append(RobloxEntry(key=key, added_at=at))
            there.add(key)
    refuse(faults)
    return RobloxEntries(number=entries.number + 1, entries=after)


def remove(entries: RobloxEntries, keys: Sequence[str], known: Mapping[str, RobloxDefinition]) -> RobloxEntries:
    """Take out of a collection, whether or not it is still owned; Refusals for every key at fault, together."""
    faults: list[Refusal] = []
    there = {entry.key for entry in entries.entries}
    for place, key in enumerate(keys):
        if key not in known and key not in there:
            faults.append(refusal(2 if parsed(key).kind == ASSET else 3, place))
        elif key not in there:
            faults.append(refusal(8, place))
        else:
            there.discard(key)
    refuse(faults)
    return RobloxEntries(number=entries.number + 1, entries=[entry for entry in entries.entries if entry.key in there])


def check_given_up(keys: Sequence[str]) -> None:
    """Raise Refusals for what cannot be given up, and for what is named twice."""
    faults: list[Refusal] = []
    seen: set[str] = set()
    for place, key in enumerate(keys):
        check_item(key)
        if parsed(key).kind != ASSET:
            faults.append(InvalidInput("Only assets can be given up.").at("ids", str(place)))
        elif key in seen:
            faults.append(InvalidInput("The item is named twice.").at("ids", str(place)))
        seen.add(key)
    refuse(faults)


def give_up(keys: Sequence[str], items: Mapping[str, Item], known: Mapping[str, object]) -> None:
    """Judge which copies are given up: those that are held, but for what Roblox itself made and what is limited."""
    faults: list[Refusal] = []
    for place, key in enumerate(keys):
        item = items.get(key)
        if item is None:
            faults.append(NotFound("You don't own the specified item.", provider_code="2").at("ids", str(place)))
            continue
        definition = known.get(item.definition_key or "")
        creator = definition.creator if isinstance(definition, RobloxDefinition) else None
        if item.collectible is not None or (creator is not None and (creator.id, creator.type) == (1, "User")):
            fault = Forbidden("The item is not allowed to be deleted.", provider_code="3")
            faults.append(fault.at("ids", str(place)))
    refuse(faults)


# --- what was done ----------------------------------------------------------------------------------------------------


def change_set(
    *, updated: Sequence[str] = (), removed: Sequence[str] = (), versions: Sequence[ContainerVersion] = ()
) -> PlainChangeSet:
    """Tell what a verb did, by opaque ids."""
    return PlainChangeSet(
        created_ids=[],
        updated_ids=[strawberry.ID(node_id) for node_id in updated],
        moved_ids=[],
        removed_ids=[strawberry.ID(node_id) for node_id in removed],
        versions=list(versions),
        is_simulated=False,
        is_replayed=False,
        provider=PROVIDER,
    )
