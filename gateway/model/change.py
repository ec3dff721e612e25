"""What a write answers: the change set, and the errors that are data."""

from __future__ import annotations

from typing import Any

import strawberry

from gateway.model.arguments import PageArguments
from gateway.model.errors import ErrorCode, PreconditionFailed, Refusal
from gateway.model.ids import CONTAINER, ContainerRef, NodeIds, encode_id
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
