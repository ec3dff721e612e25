"""What the suite must know of each provider's samples; everything else it finds out by asking."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class World:
    """An owner of a provider's bundled samples, and keys to ask for."""

    owner: str
    unknown_owner: str
    other_owner: str
    """An owner that the samples do not hold; `other_documents`, in the provider's format, are its account."""
    other_documents: dict[str, object]
    malformed_owners: tuple[str, ...]
    unknown_container: str
    malformed_containers: tuple[str, ...]
    slotted: str
    """A container with slots, some of them empty."""
    nested: str
    """A container with child containers."""
    definition: str
    """A definition that the owner holds."""
    unheld: str
    """A definition that the owner does not hold."""
    unknown_definition: str
    malformed_definitions: tuple[str, ...]
    text: str
    """Text in the name of some but not all items."""
    gaps: dict[str, str] = field(default_factory=dict[str, str])
    """Tests that fail strictly, with the reason; by name and backend, such as `test_x[sqlite]`."""


WORLDS = {
    "guildwars2": World(
        owner="Tester.1234",
        unknown_owner="Nobody.9999",
        other_owner="Other.5678",
        other_documents={"/v2/account": {"id": "00000000-0000-0000-0000-000000000002", "name": "Other.5678"}},
        malformed_owners=("Tester", "", "a/b.1234", "x" * 300 + ".1234"),
        unknown_container="character:Nobody",
        malformed_containers=("", "nowhere", "character:", "character:a/b/c", "materials/x"),
        slotted="character:Test Nâme/0",
        nested="character:Test Nâme",
        definition="item:46735",
        unheld="item:37131",
        unknown_definition="item:999999999",
        malformed_definitions=("", "46735", "item:x", "item:-1", "what:1", "item:01"),
        text="blood",
    ),
}
