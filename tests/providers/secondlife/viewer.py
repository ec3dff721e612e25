"""What a viewer makes of the dialect's answers: its rules for reading them, as the contract lists them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MAPS = {"items", "links", "categories"}


@dataclass
class Folder:
    """A folder as the viewer has it."""

    parent: str
    version: int


@dataclass
class Viewer:
    """An inventory as a viewer believes it to be; `faults` are the answers that would have misled or crashed it."""

    folders: dict[str, Folder] = field(default_factory=dict[str, Folder])
    things: dict[str, str] = field(default_factory=dict[str, str])
    faults: list[str] = field(default_factory=list[str])

    def expect(self, holds: bool, fault: str) -> None:
        """Note a fault where something does not hold."""
        if not holds:
            self.faults.append(fault)

    def fetch(self, document: Any) -> None:
        """Take in a whole tree."""
        for folder in self._expanded(document):
            self.folders[folder["category_id"]] = Folder(folder["parent_id"], folder["version"])
            for name in ("items", "links"):
                for key, thing in folder["_embedded"][name].items():
                    self.expect(thing["item_id"] == key, "a map's key is not the id in it")
                    self.expect((thing["type"] in (24, 25)) is (name == "links"), "a link among the items, or reverse")
                    self.things[key] = thing["parent_id"]

    def _expanded(self, folder: Any) -> list[Any]:
        # A version counts only with all three maps; what has none would be fetched for ever.
        self.expect({*folder.get("_embedded", {})} == MAPS, "a version without all three maps")
        found = [folder]
        for key, child in folder["_embedded"]["categories"].items():
            self.expect(child["category_id"] == key, "a map's key is not the id in it")
            self.expect(child["parent_id"] == folder["category_id"], "a child of another parent")
            found += self._expanded(child)
        return found

    def fail(self, document: Any) -> None:
        """Take in the body of an error: it must not look like an object, or like a report."""
        self.expect("parent_id" not in document, "an error that looks like an object")
        self.expect(not [name for name in document if name.startswith("_")], "an error with a report")

    def change(self, method: str, document: Any) -> list[str]:
        """Take in the answer of a mutation; give the things of which it does not say where they are now."""
        created = {*document.get("_created_items", ())}
        made = {*document.get("_created_categories", ())}
        updated = {*document.get("_updated_items", ()), *document.get("_updated_categories", ())}
        removed = {
            *document.get("_category_items_removed", ()),
            *document.get("_broken_links_removed", ()),
            *document.get("_removed_items", ()),
        }
        gone = {*document.get("_categories_removed", ())}
        self.expect(not created & removed, "both created and removed")
        self.expect(not gone & made, "both created and removed")
        self.expect(removed <= {*self.things}, "removed what was never there")
        self.expect(gone <= {*self.folders}, "removed what was never there")
        # Removals come first, then versions, then what is new.
        for key in removed:
            self.things.pop(key, None)
        for key in gone:
            self.folders.pop(key, None)
        self._versions(document.get("_updated_category_versions"), made)
        self._embedded(document, created, made, updated)
        if method in ("PATCH", "MOVE") and "item_id" in document:
            self.things[document["item_id"]] = document["parent_id"]
        if method in ("PATCH", "MOVE") and "category_id" in document and document["category_id"] in self.folders:
            self.folders[document["category_id"]].parent = document["parent_id"]
        # Listed, whether or not they are embedded: replaced content is told by its folder.
        missing = (created - {*self.things}) | (made - {*self.folders})
        self.expect(not missing or "item_id" in document, "listed as created, and not shown")
        if "item_id" in document and created:
            self.things[document["item_id"]] = document["parent_id"]
        return [*document.get("_moved_items", ())]

    def _versions(self, versions: Any, made: set[str]) -> None:
        self.expect(isinstance(versions, dict), "versions that are no map")
        for key, number in versions.items():
            self.expect(key not in made, "the version of a folder that was just made")
            known = self.folders.get(key)
            # A viewer dereferences it without looking.
            self.expect(known is not None, "the version of a folder that is not there")
            if known is not None:
                self.expect(number - known.version in (0, 1), f"a version that went from {known.version} to {number}")
                known.version = max(number, known.version)

    def _embedded(self, document: Any, created: set[str], made: set[str], updated: set[str]) -> None:
        for name, entries in document.get("_embedded", {}).items():
            if name not in MAPS:
                continue  # What a link points at, whole.
            for key, entry in entries.items():
                at = entry["category_id" if name == "categories" else "item_id"]
                self.expect(at == key, "a map's key is not the id in it")
                listed = key in (made if name == "categories" else created)
                self.expect(listed or key in updated, "embedded, and not listed")
                if name != "categories":
                    self.things[key] = entry["parent_id"]
                    continue
                if not listed:
                    self.folders[key].parent = entry["parent_id"]
                    continue
                self.expect({*entry.get("_embedded", {})} == MAPS, "a version without all three maps")
                self.folders[key] = Folder(entry["parent_id"], entry["version"])
                self._embedded(entry, created, made, updated)
        top = document.get("category_id")
        if top in made and top not in self.folders:
            self.folders[top] = Folder(document["parent_id"], document["version"])
