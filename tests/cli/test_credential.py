"""Credentials: made in the service's form, shown once, stored hashed, listed without secrets, revoked at once."""

from __future__ import annotations

import re
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import OWNER, PROVIDER, Run

FORM = re.compile(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{20}(-[0-9A-F]{4}){3}-[0-9A-F]{12}\n")


def create(run: Run, *options: str) -> str:
    ran = run("credential", "create", PROVIDER.key, "--owner", OWNER, *options)
    assert (ran.code, ran.err) == (0, "")
    return ran.out.strip()


def listed(run: Run) -> list[list[str]]:
    ran = run("credential", "list", PROVIDER.key)
    assert (ran.code, ran.err) == (0, "")
    return [line.split("  ") for line in ran.lines]


@pytest.mark.usefixtures("store")
def test_a_credential_has_the_services_form_and_is_another_each_time(run: Run) -> None:
    made = [run("credential", "create", PROVIDER.key, "--owner", OWNER).out for _ in range(3)]
    assert all(FORM.fullmatch(secret) for secret in made)
    assert len(set(made)) == 3


def test_the_secret_is_in_no_list_and_not_in_the_store(run: Run, store: Path) -> None:
    secret = create(run, "--name", "seen-in-the-store")
    assert secret not in run("credential", "list", PROVIDER.key).out
    connection = sqlite3.connect(store)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    files = [file.read_bytes() for file in store.parent.iterdir()]
    assert any(b"seen-in-the-store" in data for data in files)
    for written in (secret, secret.lower(), secret.replace("-", "")):
        assert not any(written.encode() in data for data in files)
        assert not any(written.encode("utf-16-le") in data for data in files)


@pytest.mark.usefixtures("store")
def test_without_a_scope_it_has_all(run: Run) -> None:
    create(run)
    create(run, "--scope", "account")
    create(run, "--scope", "account,inventories", "--scope", "characters")
    assert sorted(scopes for _, _, scopes, _ in listed(run)) == sorted(
        [",".join(PROVIDER.manifest.scopes), "account", "account,inventories,characters"]
    )


@pytest.mark.usefixtures("store")
def test_an_unknown_scope_is_told(run: Run) -> None:
    ran = run("credential", "create", PROVIDER.key, "--owner", OWNER, "--scope", "account,everything")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("gateway: everything: no such scope; there are: account, ")
    assert listed(run) == []


@pytest.mark.usefixtures("store")
def test_an_unknown_owner_is_told(run: Run) -> None:
    ran = run("credential", "create", PROVIDER.key, "--owner", "Nobody.9999")
    assert (ran.code, ran.out, ran.err) == (1, "", "gateway: Nobody.9999: no such owner in the store\n")
    for command in (["create", "nobody", "--owner", OWNER], ["list", "nobody"], ["revoke", "nobody", "x"]):
        assert run("credential", *command).code == 2


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("ttl", "life"),
    [
        ("1s", timedelta(seconds=1)),
        ("90m", timedelta(minutes=90)),
        ("12h", timedelta(hours=12)),
        ("30d", timedelta(days=30)),
        ("999999d", timedelta(days=999_999)),
    ],
)
def test_a_credential_lasts_as_long_as_it_was_told(run: Run, ttl: str, life: timedelta) -> None:
    before = datetime.now(UTC)
    create(run, "--ttl", ttl)
    ((_, owner, _, state),) = listed(run)
    assert owner == OWNER
    word, _, moment = state.partition(" ")
    assert word in ("until", "expired")
    assert abs(datetime.fromisoformat(moment) - before - life) < timedelta(seconds=30)


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("ttl", ["", "30", "d", "0d", "-1d", "1.5h", "30 d", "1w", "1000000d", "x"])
def test_a_time_that_is_none_is_told(run: Run, ttl: str) -> None:
    ran = run("credential", "create", PROVIDER.key, "--owner", OWNER, "--ttl", ttl)
    assert (ran.code, ran.out) == (2, "")
    assert "30d, 12h, 90m" in ran.err


@pytest.mark.usefixtures("store")
def test_an_expired_credential_is_shown_as_such(run: Run) -> None:
    create(run, "--ttl", "1s")
    create(run)
    time.sleep(1.1)
    assert sorted(state.partition(" ")[0] for _, _, _, state in listed(run)) == ["expired", "no"]


@pytest.mark.usefixtures("store")
def test_a_revoked_credential_stays_revoked(run: Run) -> None:
    create(run)
    create(run)
    (label, *_), (other, *_) = listed(run)
    assert run("credential", "revoke", PROVIDER.key, label).out == "Revoked.\n"
    again = run("credential", "revoke", PROVIDER.key, label)
    assert (again.code, again.out, again.err) == (1, "", f"gateway: {label}: no such credential in force\n")
    assert {found: state for found, _, _, state in listed(run)} == {label: "revoked", other: "no end"}


@pytest.mark.usefixtures("store")
def test_an_unknown_credential_cannot_be_revoked(run: Run) -> None:
    assert run("credential", "revoke", PROVIDER.key, "nothing").code == 1
