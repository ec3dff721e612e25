"""Forest: the containers of an inventory that are all in memory, found and listed as the store does it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.model.arguments import ContainerArguments, ContainerKind, DescendantArguments, PageArguments
from gateway.model.container import Container
from gateway.model.listing import list_containers
from gateway.model.paging import Part


class Forest:
    """All containers of one inventory."""

    def __init__(self, containers: Iterable[Container]) -> None:
        self._by_key: dict[str, Container] = {one.key: one for one in containers}
        self._children: dict[str | None, list[Container]] = {}
        for one in self._by_key.values():
            self._children.setdefault(one.parent_key, []).append(one)

    def get(self, key: str) -> Container | None:
        """Give a container."""
        return self._by_key.get(key)

    def top(self, asked: ContainerArguments) -> Part[Container]:
        """List the top level: of one kind, else all but views."""
        kinds = {asked.kind} if asked.kind is not None else {*ContainerKind} - {ContainerKind.VIEW}
        return list_containers([one for one in self._below(None) if one.kind in kinds], asked.window)

    def children(self, key: str, asked: PageArguments) -> Part[Container]:
        """List what lies directly in a container."""
        return list_containers(self._below(key), asked.window)

    def _below(self, key: str | None) -> Sequence[Container]:
        return self._children.get(key, ())

    def below(self, key: str, asked: DescendantArguments) -> Part[Container]:
        """List the tree below a container, level by level."""
        levels: dict[str, int] = {}
        found: list[Container] = []
        level, parents = 0, [key]
        while parents and (asked.max_depth is None or level < asked.max_depth):
            # Each once, so that a circle ends.
            fresh = [one for parent in parents for one in self._below(parent) if one.key not in levels]
            levels.update(dict.fromkeys((one.key for one in fresh), level))
            found += fresh
            level, parents = level + 1, [one.key for one in fresh]
        return list_containers(found, asked.window, lambda one: levels[one.key])
