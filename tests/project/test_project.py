"""The project keeps its own promises: layers, names, folders, generated files, documented settings."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import cast, get_args

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    build_schema,
)
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from pydantic import BaseModel

from gateway import app, docs, registry
from gateway.api.loaders import DERIVED
from gateway.model.ports import Session
from gateway.model.relations import Relation
from gateway.settings import Settings

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "gateway"
SCHEMA = app.schema(Settings.model_construct())
# Federation defines its directives itself.
GRAPH = build_schema(SCHEMA.as_str(), assume_valid_sdl=True)

PROVIDER_FILES = {
    "__init__.py",
    "README.md",
    "archive.py",
    "demo.json",
    "examples.graphql",
    "manifest.py",
    "rest.py",
    "rules.py",
    "types.py",
    "upstream.py",
    "wire.py",
}
"""What every provider's folder has; it may have more."""


def modules() -> list[Path]:
    # Not those of npm's packages, which are many.
    folders = [path for path in PACKAGE.iterdir() if path.is_dir() and path.name != "web"]
    return sorted([*PACKAGE.glob("*.py"), *(path for folder in folders for path in folder.rglob("*.py"))])


def test_imports_only_go_down() -> None:
    """The layers are in pyproject.toml; breaking one fails here as in `make check`."""
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("key", registry.PROVIDERS)
def test_every_provider_folder_is_complete(key: str) -> None:
    present = {path.name for path in (PACKAGE / "providers" / key).iterdir()}
    assert present >= PROVIDER_FILES
    samples = [path for path in (ROOT / "tests" / "providers" / key / "samples").iterdir() if path.suffix == ".json"]
    assert samples, "a provider without samples in the true format of its service is not done"


def test_every_provider_folder_is_registered() -> None:
    folders = {path.name for path in (PACKAGE / "providers").iterdir() if (path / "manifest.py").exists()}
    assert folders == set(registry.PROVIDERS)


def test_every_provider_is_held_apart_by_the_linter() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    for key in registry.PROVIDERS:
        assert text.count(f'"gateway.providers.{key}') >= 2, f"{key} is missing in a contract of import-linter"


def test_no_provider_is_named_outside_its_folder() -> None:
    allowed = {PACKAGE / "registry.py", PACKAGE / "model" / "manifest.py"}
    words = "|".join(
        re.escape(word)
        for key, provider in registry.PROVIDERS.items()
        for word in (key, provider.manifest.title, provider.manifest.provider.name)
    )
    for path in modules():
        key = path.relative_to(PACKAGE / "providers").parts[0] if path.is_relative_to(PACKAGE / "providers") else ""
        if path not in allowed and key not in registry.PROVIDERS:
            found = re.search(words, path.read_text(), re.IGNORECASE)
            assert found is None, f"{path.relative_to(ROOT)} names {found and found[0]}"


def test_shared_tests_name_capabilities_and_no_provider() -> None:
    for path in (ROOT / "tests" / "conformance").glob("test_*.py"):
        for key in registry.PROVIDERS:
            assert key not in path.read_text(), path.name


def test_every_module_says_in_one_sentence_what_is_found_in_it() -> None:
    for path in modules():
        if "migrations/versions" not in path.as_posix():
            told = ast.get_docstring(ast.parse(path.read_text())) or ""
            assert told, path
            assert told.splitlines()[0].endswith("."), path


def test_no_module_has_a_name_that_says_nothing() -> None:
    names = {path.stem for path in modules()} | {path.parent.name for path in modules()}
    assert not names & {"utils", "util", "helpers", "common", "manager", "base", "misc"}


def test_the_composition_root_stays_small() -> None:
    assert len((PACKAGE / "app.py").read_text().splitlines()) < 150


def test_the_schema_file_is_fresh() -> None:
    assert (ROOT / "schema.graphql").read_text() == SCHEMA.as_str() + "\n", "run `make schema`"


@pytest.mark.parametrize("name", docs.pages())
def test_generated_pages_are_fresh(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == docs.pages()[name], "run `make docs`"


def test_every_setting_is_described_and_documented() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()

    def sections() -> Iterator[type[BaseModel]]:
        for field in Settings.model_fields.values():
            # A table, or a table of tables.
            yield cast("type[BaseModel]", (get_args(field.annotation) or (field.annotation,))[-1])

    for section in sections():
        for name, field in section.model_fields.items():
            assert field.description, f"{section.__name__}.{name}"
            assert f"`{name}`" in page


def test_every_part_of_the_schema_is_described() -> None:
    for name, kind in GRAPH.type_map.items():
        if name.startswith("__") or name in ("String", "Int", "Float", "Boolean", "ID"):
            continue
        assert kind.description, name
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            for field_name, field in kind.fields.items():
                assert field.description, f"{name}.{field_name}"
                for argument_name, argument in field.args.items():
                    assert argument.description, f"{name}.{field_name}({argument_name})"
        elif isinstance(kind, GraphQLInputObjectType):
            for field_name, field in kind.fields.items():
                assert field.description, f"{name}.{field_name}"
        elif isinstance(kind, GraphQLEnumType):
            for value_name, value in kind.values.items():
                assert value.description, f"{name}.{value_name}"


def relations() -> Iterator[tuple[str, Relation]]:
    for name, kind in SCHEMA.schema_converter.type_map.items():
        for field in getattr(kind.definition, "fields", ()):
            if isinstance(field, Relation):
                yield f"{name}.{field.python_name}", field


def test_every_relation_names_a_loader() -> None:
    found = list(relations())
    assert len(found) > 50
    for place, relation in found:
        assert relation.loader in DERIVED or hasattr(Session, relation.loader), place


def test_every_relation_is_nullable_below_the_root() -> None:
    """What may call a backend may fail, and a null must not climb; lists at the root hold their own nulls."""
    for place, _ in relations():
        type_name, field_name = place.split(".")
        if type_name in ("Query", "NodeQuery", "InventoryViewer"):
            continue
        shown = cast("GraphQLObjectType", GRAPH.type_map[type_name]).fields
        name = "".join(part.title() if place else part for place, part in enumerate(field_name.split("_")))
        assert not str(shown[name].type).endswith("!"), place


def test_no_field_has_a_resolver_that_awaits() -> None:
    """A field is an attribute, computed, or a declared relation; only what is done or followed does more."""
    for name, kind in SCHEMA.schema_converter.type_map.items():
        if name not in ("Mutation", "Subscription"):
            for field in getattr(kind.definition, "fields", ()):
                resolver = getattr(field, "base_resolver", None)
                assert resolver is None or not resolver.is_async, f"{name}.{field.python_name}"


def test_docs_link_to_what_exists() -> None:
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")):
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", text):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_readme_has_two_setup_commands_and_names_every_provider() -> None:
    text = (ROOT / "README.md").read_text()
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    setup = [block.strip() for block in blocks if "venv" in block]
    assert len(setup) == 2
    assert all("\n" not in command for command in setup)
    for provider in registry.PROVIDERS.values():
        assert provider.manifest.title in text


def test_what_is_locked_is_all_that_is_needed_and_within_its_ranges() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    locked = dict(line.split("==") for line in lines)
    names = {canonicalize_name(name): Version(version) for name, version in locked.items()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for text in (*project["dependencies"], *project["optional-dependencies"]["dev"]):
        needed = Requirement(text)
        found = names.get(canonicalize_name(needed.name))
        assert found is not None, needed.name
        assert needed.specifier.contains(found), f"{needed.name} {found}"
        # A range has an end: what comes after it was never tried.
        assert any(one.operator in ("<", "~=", "==") for one in needed.specifier), text
