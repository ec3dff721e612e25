"""What Second Life allows: the form of keys, whose capability may do what, protected folders, types and permissions."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from gateway.model.arguments import ContainerKind
from gateway.model.errors import Forbidden, InvalidInput, LimitExceeded, Refusal
from gateway.model.ids import ME
from gateway.model.manifest import Capability
from gateway.model.ports import Holder, Minted, Wanted
from gateway.model.scalars import BigInt
from gateway.providers.secondlife.keys import (
    ALSO_FIT,
    ASSETS,
    CALLCARD,
    DEFAULT_KINDS,
    DETAILS,
    INVENTORY_KINDS,
    INVENTORY_PART,
    LANDMARK,
    LIBRARY,
    LIBRARY_PART,
    LINKS,
    PURPOSES,
    SEED_PART,
    SPECIAL,
    STOCK_VERSION,
    UNPROTECTED,
    UUID,
    ZERO,
)
from gateway.providers.secondlife.refusals import invalid
from gateway.providers.secondlife.types import (
    COPY,
    MODIFY,
    MOVE,
    TRANSFER,
    SecondLifeCapability,
    SecondLifeItem,
    SecondLifePermissions,
)

# --- keys -------------------------------------------------------------------------------------------------------------


def check_owner(key: str) -> None:
    """Raise InvalidInput unless this is an agent's id, or the library."""
    if key != LIBRARY and (not UUID.match(key) or key == ZERO):
        raise InvalidInput("This is not a key of an owner: it is an agent's id in lower case, or `library`.")


def check_container(key: str) -> None:
    """Raise InvalidInput unless this is a folder's id, or one of the names of special folders."""
    if key not in SPECIAL and not UUID.match(key):
        raise InvalidInput("This is not a key of a folder: it is an id in lower case, or a special folder's name.")


def check_item(key: str) -> None:
    """Raise InvalidInput unless this is an item's id."""
    if not UUID.match(key):
        raise InvalidInput("This is not a key of an item: it is an id in lower case.")


def check_definition(key: str) -> None:
    """Raise InvalidInput: things of Second Life have no catalogue."""
    del key
    raise InvalidInput("Things of Second Life have no definitions.")


# --- who --------------------------------------------------------------------------------------------------------------

TOP_LEVEL = (ContainerKind.FOLDER,)
"""The kinds that an inventory's top level lists."""

RENEWED: Mapping[str, Collection[str]] = {SEED_PART: (INVENTORY_PART, LIBRARY_PART)}
"""A seed capability is exchanged for the two that it leads to."""

COPIES = frozenset({Capability.COPY_CONTAINERS, Capability.COPY_ITEMS, Capability.COPY_CONTENTS})
"""The verbs that take things out of the library."""

_LIVES = timedelta(days=1)
"""How long capabilities last that were got for a seed; at the service, for as long as an agent is in a region."""


def scopes_for(read: str, kind: str) -> tuple[str, ...]:
    """Tell that a capability may read all that it is for."""
    del read, kind
    return ()


def shown(fact: object, scopes: Collection[str]) -> object:
    """Show documents whole."""
    del scopes
    return fact


def lacking(scopes: Sequence[str]) -> Forbidden:
    """Refuse for want of scopes, of which there are none."""
    return Forbidden("The capability may not do this.", scopes=tuple(scopes))


def unknown(definition: str) -> Refusal | None:
    """Tell that what is in no catalogue may exist."""
    del definition
    return None


def own_key(holder: Holder, key: str) -> str:
    """Give the agent whose capability it is; of one of the library's, the library."""
    if key != ME:
        check_owner(key)
    return LIBRARY if holder.part == LIBRARY_PART else holder.owner


def may_read(holder: Holder, owner: str) -> bool:
    """Say whether it is the agent's own inventory, or the library, which every agent may read."""
    if holder.part == LIBRARY_PART:
        return owner == LIBRARY
    return owner in (holder.owner, LIBRARY)


def may_write(holder: Holder, owner: str, verb: Capability) -> bool:
    """Say whether it is the agent's own inventory; the library's capability only copies into it."""
    return owner == holder.owner != LIBRARY and (holder.part != LIBRARY_PART or verb in COPIES)


def secret(part: str, sent: str) -> str:
    """Give the capability's own id, which is the last step of its address."""
    del part
    return sent.rstrip("/").rpartition("/")[2]


def fault_code(part: str | None, *, expired: bool) -> str | None:
    """Tell that the service has no words of its own for capabilities that are no good."""
    del part, expired
    return None


def shared_by(owner: str) -> str | None:
    """Tell that inventories lie over nothing else."""
    del owner
    return None


def mint(wanted: Wanted) -> Minted:
    """Make a capability: an id that nobody can guess, which is put behind the dialect's address."""
    if wanted.limits:
        raise InvalidInput("The capabilities of Second Life know no limits.")
    if wanted.owner == LIBRARY and wanted.part != LIBRARY_PART:
        raise InvalidInput("A capability is an agent's; of the library there is only the one to read it.")
    expires_at = wanted.expires_at
    if wanted.name == "renewed" and expires_at is None:
        expires_at = wanted.issued_at + _LIVES
    facts = SecondLifeCapability(name=wanted.name, part=wanted.part, agent=wanted.owner)
    return Minted(secret=str(uuid.uuid4()), label=uuid.uuid4().hex[:16], facts=facts, expires_at=expires_at)


# --- folders ----------------------------------------------------------------------------------------------------------


def is_protected(type_number: int) -> bool:
    """Say whether folders of a type may not be renamed, retyped, moved or deleted; unknown types may not either."""
    return type_number not in UNPROTECTED


def check_type(type_number: int) -> None:
    """Raise InvalidInput for a folder type that there is not, or that is never stored."""
    if type_number != -1 and (type_number not in PURPOSES or type_number == STOCK_VERSION):
        raise invalid("There is no such type of folder.")


MOST_AT_ONCE = 200
"""How many objects one request may make, unless told otherwise."""


def check_count(count: int, most: int) -> None:
    """Raise LimitExceeded for too many new objects."""
    if count > most:
        raise LimitExceeded(f"One request makes at most {most} objects; these are {count}.")


# --- names ------------------------------------------------------------------------------------------------------------

_NAME_BYTES, _DESCRIPTION_BYTES = 63, 127
# No form of a document has room for control characters and for what is no character.
_UNSEEN = dict.fromkeys([*range(32), 127, *range(128, 160), 0xFFFE, 0xFFFF, *range(0xD800, 0xE000)], " ")


def name_of(name: str) -> str:
    """Give a name as it is stored: one line of at most 63 bytes, cut between characters; InvalidInput for none."""
    stored = _cut(name, _NAME_BYTES)
    if not stored.strip():
        raise invalid("A name is not empty.").at("name")
    return stored


def description_of(description: str) -> str:
    """Give a description as it is stored: at most 127 bytes."""
    return _cut(description, _DESCRIPTION_BYTES)


def _cut(text: str, most: int) -> str:
    return text.translate(_UNSEEN).encode()[:most].decode(errors="ignore")


# --- types ------------------------------------------------------------------------------------------------------------


def word_of(asset_type: int) -> str:
    """Give the word of an asset type; of an unknown one its number."""
    return ASSETS.get(asset_type, str(asset_type))


def check_kinds(asset_type: int, inventory_type: int) -> None:
    """Raise InvalidInput for types of a thing that do not go together, or of which no thing can be."""
    if asset_type not in DEFAULT_KINDS or asset_type in LINKS:
        raise invalid("There is no such type of item.").at(*DETAILS, "assetType")
    fitting = DEFAULT_KINDS[asset_type] == inventory_type or asset_type in ALSO_FIT.get(inventory_type, ())
    if inventory_type not in INVENTORY_KINDS or not fitting:
        raise invalid("The inventory type does not go with the asset type.").at(*DETAILS, "inventoryType")


# --- permissions ------------------------------------------------------------------------------------------------------

ALL = 0x7FFFFFFF
"""Every bit of a mask; the one above them is reserved."""

OVERWRITES = 0x100 | 0x1000 | 0x1F0000
"""The flags that say which permissions a change of the asset overwrites; they end with it."""


def fixed(given: SecondLifePermissions, asset_type: int) -> SecondLifePermissions:
    """Give permissions as they must be: what contradicts another mask is cut, what always holds is added."""
    base, owner, group, everyone, after = (
        mask & ALL
        for mask in (given.base_mask, given.owner_mask, given.group_mask, given.everyone_mask, given.next_owner_mask)
    )
    if asset_type in (CALLCARD, LANDMARK):
        base = owner = ALL
    owner &= base
    group &= owner
    everyone &= owner & ~MODIFY
    after &= base
    if not base & TRANSFER and not given.is_group_owned:
        group &= ~COPY
        everyone &= ~COPY
    base |= MOVE
    if not base & COPY:
        base |= TRANSFER
    if after:
        after |= MOVE
    return replace(
        given,
        base_mask=BigInt(base),
        owner_mask=BigInt(owner),
        group_mask=BigInt(group),
        everyone_mask=BigInt(everyone),
        next_owner_mask=BigInt(after),
    )


def permissions_for(agent: str, masks: Mapping[str, int], asset_type: int) -> SecondLifePermissions:
    """Give the permissions of a new thing, which its agent has made."""
    base = masks.get("base_mask", ALL) & ALL
    return fixed(
        SecondLifePermissions(
            base_mask=BigInt(base),
            owner_mask=BigInt(masks.get("owner_mask", base)),
            group_mask=BigInt(masks.get("group_mask", 0)),
            everyone_mask=BigInt(masks.get("everyone_mask", 0)),
            next_owner_mask=BigInt(masks.get("next_owner_mask", base)),
            creator_id=agent,
            owner_id=agent,
            last_owner_id=agent,
            group_id=None,
        ),
        asset_type,
    )


def may_copy(item: SecondLifeItem) -> bool:
    """Say whether its owner may copy an item."""
    return bool(item.permissions.owner_mask & COPY)


def permitted(given: SecondLifePermissions, masks: Mapping[str, int], asset_type: int) -> SecondLifePermissions:
    """Give permissions with other masks, cut by what the thing allows at all, which never grows."""
    base = given.base_mask
    wanted = {name: BigInt(mask & base) for name, mask in masks.items() if name != "base_mask"}
    return fixed(replace(given, **wanted), asset_type)
