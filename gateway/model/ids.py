"""Which thing: the references that loaders and backends are asked by, and the opaque ids that clients see."""

from __future__ import annotations

import binascii
import functools
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NamedTuple, TypeAlias, cast

import orjson

from gateway.model.errors import InvalidInput


class OwnerRef(NamedTuple):
    """An owner, and the inventory that it holds."""

    provider: str
    owner: str


class ContainerRef(NamedTuple):
    """A container of an owner."""

    provider: str
    owner: str
    key: str


class SlotRef(NamedTuple):
    """A position in a container of an owner."""

    provider: str
    owner: str
    container: str
    key: str


class ItemRef(NamedTuple):
    """A holding of an owner."""

    provider: str
    owner: str
    key: str


class DefinitionRef(NamedTuple):
    """A catalogue entry of a provider."""

    provider: str
    key: str


class OwnershipRef(NamedTuple):
    """Whether an owner holds a definition."""

    provider: str
    owner: str
    definition: str


class FactRef(NamedTuple):
    """A document of the provider's own about an owner: which kind, and which one of that kind (`""` if only one).

    An empty owner means the catalogue, which is nobody's.
    """

    provider: str
    owner: str
    kind: str
    key: str


class PlaceRef(NamedTuple):
    """Where in a container an item lies."""

    provider: str
    owner: str
    container: str
    item: str


class TargetRef(NamedTuple):
    """What a link points at: of which kind, ITEM or CONTAINER, and its key."""

    provider: str
    owner: str
    kind: str
    key: str


class NodeIds(NamedTuple):
    """Some things by their opaque ids; the provider is that of the change that they came from."""

    provider: str
    ids: tuple[str, ...]


ME = "me"
"""What stands in an owner's key for the account of the credential in use: alone, or behind the last slash."""


def is_me(key: str) -> bool:
    """Say whether an owner's key means the caller's own account."""
    return key.rpartition("/")[2] == ME


@functools.lru_cache(100_000)
def definition_ref(provider: str, key: str) -> DefinitionRef:
    """Give the reference of a definition; thousands of holdings refer to the same hundreds, which are made once."""
    return DefinitionRef(provider, key)


NodeRef: TypeAlias = OwnerRef | ContainerRef | SlotRef | ItemRef | DefinitionRef

OWNER, INVENTORY, CONTAINER, SLOT, ITEM, DEFINITION = "owner", "inventory", "container", "slot", "item", "definition"

_REFS: dict[str, type[NodeRef]] = {
    OWNER: OwnerRef,
    INVENTORY: OwnerRef,
    CONTAINER: ContainerRef,
    SLOT: SlotRef,
    ITEM: ItemRef,
    DEFINITION: DefinitionRef,
}

_MAX_ID = 2_048


def encode_id(kind: str, ref: NodeRef) -> str:
    """Make the opaque id: unpadded URL-safe base64 of the JSON array of kind, provider and native keys."""
    return urlsafe_b64encode(orjson.dumps((kind, *ref))).rstrip(b"=").decode()


def decode_id(node_id: str) -> tuple[str, NodeRef]:
    """Read an opaque id back as its kind and reference; InvalidInput for anything that `encode_id` does not make."""
    refused = InvalidInput("This is not an id of this graph.")
    if len(node_id) > _MAX_ID or not node_id.isascii():
        raise refused
    try:
        decoded: object = orjson.loads(urlsafe_b64decode(node_id + "=" * (-len(node_id) % 4)))
    except (binascii.Error, ValueError):
        raise refused from None
    if not isinstance(decoded, list) or not decoded:
        raise refused
    kind, *parts = cast("list[object]", decoded)
    ref_type = _REFS.get(kind) if isinstance(kind, str) else None
    if ref_type is None or len(parts) != len(ref_type._fields) or not all(isinstance(part, str) for part in parts):
        raise refused
    ref = ref_type(*cast("list[str]", parts))
    # One thing has one id: other spellings of the same base64 or JSON are not ids.
    if encode_id(cast("str", kind), ref) != node_id:
        raise refused
    return cast("str", kind), ref
