"""What a write answers: the change set, and the errors that are data."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Any, cast

import orjson
import strawberry

from gateway.model.arguments import PageArguments
from gateway.model.errors import ErrorCode, InvalidInput, PreconditionFailed, Refusal
from gateway.model.ids import CONTAINER, ContainerRef, NodeIds, OwnerRef, encode_id
from gateway.model.manifest import ProviderKey
from gateway.model.node import NodeConnection
from gateway.model.relations import attribute, graph_interface, graph_type, hidden, loaded


@graph_type
class ContainerVersion:
    """The version of a container."""

    container: strawberry.ID = attribute("The container's id.")
    version: str = attribute("Its version.")


@graph_interface
class ChangeSet:
    """What a write did, or, simulated, would do."""

    created_ids: list[strawberry.ID] = attribute("What came to be.")
    updated_ids: list[strawberry.ID] = attribute("What was changed in place.")
    moved_ids: list[strawberry.ID] = attribute("What lies elsewhere now.")
    removed_ids: list[strawberry.ID] = attribute("What is no more.")
    versions: list[ContainerVersion] = attribute("The new versions of the containers whose content changed.")
    created: NodeConnection | None = loaded(
        "nodes_by_ids", "What came to be, whole.", key="created_key", arguments=PageArguments
    )
    is_simulated: bool = attribute("Whether nothing was written, as asked.")
    is_replayed: bool = attribute("Whether this is the answer to an earlier write with the same transaction id.")
    provider: strawberry.Private[str] = hidden()

    @property
    def created_key(self) -> NodeIds:
        """The key to load what came to be."""
        return NodeIds(self.provider, tuple(self.created_ids))


@graph_type
class PlainChangeSet(ChangeSet):
    """A change set without reports of a provider's own."""


def no_changes(owner: OwnerRef) -> ChangeSet:
    """Make a change set that tells of nothing."""
    return PlainChangeSet(
        created_ids=[],
        updated_ids=[],
        moved_ids=[],
        removed_ids=[],
        versions=[],
        is_simulated=False,
        is_replayed=False,
        provider=owner.provider,
    )


@graph_type
class InventoryChange:
    """What has changed in an inventory since the change before."""

    cursor: str = attribute("The place of this change, for `since`.")
    at: datetime = attribute("When it was made, or, where a service does not tell, seen.")
    changes: ChangeSet = attribute("What it was.")
    is_reset: bool = attribute(
        "Whether more may have changed than `changes` tells, so that what was read before is to be read anew: after "
        "an import, or where what came after `since` is no longer known."
    )


def change_cursor(owner: OwnerRef, place: str) -> str:
    """Make the cursor of a change: `place` is where it stands among those of its owner."""
    return urlsafe_b64encode(orjson.dumps((*owner, place))).rstrip(b"=").decode()


def change_place(cursor: str, owner: OwnerRef) -> str:
    """Read the place that a cursor holds; InvalidInput for one that is malformed, or of another owner's changes."""
    refused = InvalidInput("`since` is no cursor of this inventory's changes.")
    try:
        found: object = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        raise refused from None
    place = cast("list[object]", found)[-1] if isinstance(found, list) and found else None
    if not isinstance(place, str) or change_cursor(owner, place) != cursor:
        raise refused
    return place


@graph_interface
class ChangeError:
    """Why a write, or one entry of it, was refused."""

    code: ErrorCode = attribute("What went wrong.")
    message: str = attribute("What went wrong, for people.")
    path: list[str] | None = attribute("Where in the input the fault lies.")
    provider: ProviderKey = attribute("The provider.")
    provider_code: str | None = attribute("The service's own number or name for it.")
    retryable: bool = attribute("Whether the same request may do well another time.")


@graph_type
class RefusedError(ChangeError):
    """A refusal with nothing more to tell than its code."""


@graph_type
class PreconditionFailedError(ChangeError):
    """A container was not at the version that `ifMatch` names."""

    current_versions: list[ContainerVersion] = attribute("The versions that the containers are at.")


def change_error(error: Refusal, provider: ProviderKey, *, owner: str | None = None) -> ChangeError:
    """Turn a refusal into the data that a payload shows."""
    common: dict[str, Any] = {
        "code": error.code,
        "message": error.message,
        "path": None if error.path is None else list(error.path),
        "provider": provider,
        "provider_code": error.provider_code,
        "retryable": error.retryable,
    }
    if isinstance(error, PreconditionFailed) and owner is not None:
        versions = [
            ContainerVersion(
                container=strawberry.ID(encode_id(CONTAINER, ContainerRef(provider.value, owner, key))), version=version
            )
            for key, version in error.versions.items()
        ]
        return PreconditionFailedError(**common, current_versions=versions)
    return RefusedError(**common)


@graph_interface
class ChangePayload:
    """What every mutation answers."""

    changes: ChangeSet | None = attribute("What was done; null when nothing was.", default=None)
    errors: list[ChangeError] = attribute("Why it, or parts of it, were refused.")
    client_mutation_id: str | None = attribute("The caller's own mark, given back.", default=None)
