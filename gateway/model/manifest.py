"""What a provider declares of itself: capabilities, limits, credential parts, base URLs; no value has a default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import strawberry

from gateway.model.relations import enum_word


@strawberry.enum(description="The services whose inventories the gateway knows.")
class ProviderKey(Enum):
    """The services whose inventories the gateway knows; a value is the key in settings, commands and paths."""

    COMMUNITY = enum_word("community", description="Avatar slots and owned items of a community.")
    GUILD_WARS_2 = enum_word("guildwars2", description="Characters, bags, bank and materials.")
    ROBLOX = enum_word("roblox", description="Assets, badges, passes and collectibles.")
    SECOND_LIFE = enum_word("secondlife", description="Nested folders, items and links.")


@strawberry.enum(description="Where a provider's inventories come from.")
class BackendKind(Enum):
    """Where a provider's inventories come from."""

    LOCAL = enum_word("local", description="This gateway's own store.")
    UPSTREAM = enum_word("upstream", description="The provider's own service, over HTTP.")


def _verb(name: str) -> str:
    return enum_word(name, description=f"The mutation `{name}`.")


@strawberry.enum(description="One thing that a provider's backend can do.")
class Capability(Enum):
    """One thing that a backend can do; those up to MINT_AVATAR are the verbs, their values the mutations' names."""

    CREATE_CONTENTS = _verb("createContents")
    ENSURE_SPECIAL_CONTAINER = _verb("ensureSpecialContainer")
    UPDATE_CONTAINERS = _verb("updateContainers")
    UPDATE_ITEMS = _verb("updateItems")
    MOVE_CONTAINERS = _verb("moveContainers")
    MOVE_ITEMS = _verb("moveItems")
    COPY_CONTAINERS = _verb("copyContainers")
    COPY_ITEMS = _verb("copyItems")
    DELETE_CONTAINERS = _verb("deleteContainers")
    DELETE_ITEMS = _verb("deleteItems")
    CLEAR_CONTAINER = _verb("clearContainer")
    COPY_CONTENTS = _verb("copyContents")
    MOVE_CONTENTS = _verb("moveContents")
    REPLACE_CONTENTS = _verb("replaceContents")
    ADD_TO_COLLECTION = _verb("addToCollection")
    REMOVE_FROM_COLLECTION = _verb("removeFromCollection")
    ALLOCATE_SLOTS = _verb("allocateSlots")
    MINT_AVATAR = _verb("mintAvatar")

    TRANSACTIONS = enum_word("transactions", description="`transactionId`: a repeat answers the first result.")
    CONDITIONAL_WRITES = enum_word("conditionalWrites", description="`ifMatch` on container versions.")
    SIMULATE = enum_word("simulate", description="`simulate`: tells what a write would do, without doing it.")
    ATOMIC_LISTS = enum_word("atomicLists", description="A list of entries is done whole or not at all.")
    SLOTS = enum_word("slots", description="Containers have numbered positions.")
    COLLECTIBLES = enum_word("collectibles", description="Copies with serial numbers or tokens.")
    CATALOGUE = enum_word("catalogue", description="A bounded catalogue of what could be held.")
    OWNERSHIP_CHECK = enum_word("ownershipCheck", description="Whether an owner holds one definition.")
    NESTED_CONTAINERS = enum_word("nestedContainers", description="Containers within containers.")


VERBS = tuple(Capability)[: tuple(Capability).index(Capability.MINT_AVATAR) + 1]
"""The capabilities that are mutations, in the order of the schema."""


class BudgetScope(Enum):
    """Who shares one budget of calls at the service."""

    ADDRESS = "address"
    CREDENTIAL = "credential"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBudget:
    """A token bucket: `burst` calls deep, refilled with `per_minute` calls each minute, shared within `scope`."""

    burst: int
    per_minute: int
    scope: BudgetScope


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The provider's own sizes; None means that it states none.

    `page_size`: most entries of one page of its own; `batch_size`: most ids of one bulk call;
    `stack_size`: most units in one holding; `budget`: how often it may be called. `watch_interval` is our own: seconds
    between two looks at an inventory that is followed, as the service tells nobody what changes.
    """

    page_size: int | None
    batch_size: int | None
    stack_size: int | None
    budget: CallBudget | None
    watch_interval: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialPart:
    """One secret of a credential, such as an API key; it travels to us as `X-Credential-<provider>-<key>`."""

    key: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A word that `Item.kind` may show, and how people call it."""

    key: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """All that is declared of one provider; `Guarded` alone enforces it, the schema and the docs show it.

    `base_urls` maps a host's name (`default` where there is one) to the service's public address.
    `credential_hosts` are the hosts that a credential which is an address may lie on, each with those below it.
    `scopes` are the permissions that a credential made for our own dialect may carry.
    """

    provider: ProviderKey
    title: str
    capabilities: Mapping[BackendKind, frozenset[Capability]]
    limits: Limits
    credential_parts: tuple[CredentialPart, ...]
    scopes: tuple[str, ...]
    base_urls: Mapping[str, str]
    credential_hosts: tuple[str, ...]
    kinds: tuple[Kind, ...]

    @property
    def key(self) -> str:
        """The provider's key in settings, commands and paths."""
        return self.provider.value
