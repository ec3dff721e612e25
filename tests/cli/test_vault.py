"""The vault's keys: made, replaced one by one, and never shown again."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from cryptography.fernet import Fernet

from gateway.backends.local import now
from gateway.backends.vault import Vault
from gateway.model.credentials import Credential
from gateway.model.ids import OwnerRef
from gateway.model.principal import Principal
from gateway.store.store import Store
from tests.cli.conftest import Ran, Run


def test_a_vaults_key_is_made_and_replaced(folder: Path, run: Run) -> None:
    made = run("vault", "key")
    assert Fernet(made.out.strip())
    url = f"sqlite:///{folder}/gateway.db"
    old, new = Fernet.generate_key().decode(), made.out.strip()

    async def keep() -> None:
        store = Store(url)
        await store.start()
        kept = Vault(store, [old], now)
        await kept.link(Principal.of("ann", (), (), subject="ann"), OwnerRef("roblox", "42"), Credential("roblox"))
        await store.aclose()

    asyncio.run(keep())

    def rotate(*keys: str, drop: bool = False) -> Ran:
        given = {"GATEWAY_STORE__URL": url, "GATEWAY_VAULT__KEYS": json.dumps(keys)}
        return run("vault", "rotate", *(["--drop-unreadable"] if drop else []), **given)

    assert rotate(new, old).out == "1 accounts are sealed with the first key.\n"
    failed = rotate(old)
    assert (failed.code, failed.out) == (2, "")
    assert "An account of roblox, of the principal ann, was sealed with none of vault.keys" in failed.err
    assert rotate(new).code == 0
    assert rotate(old, drop=True).code == 0
    assert rotate(old).code == 0
    assert rotate().err == "gateway: vault.keys is not set\n"
    for wrong in ("nofernet", "", new[:-1]):
        for command in (("vault", "rotate"), ("check",)):
            told = run(*command, GATEWAY_STORE__URL=url, GATEWAY_VAULT__KEYS=json.dumps([wrong]))
            assert told.code == 2
            assert "vault.keys: a key is malformed" in told.err
            assert not wrong or wrong not in told.err


def test_check_looks_at_who_may_come_in(folder: Path, run: Run) -> None:
    keys = [{"name": "x", "hash": "0" * 64, "reads": ["zzz"]}]
    told = run("check", GATEWAY_STORE__URL=f"sqlite:///{folder}/gateway.db", GATEWAY_ACCESS__KEYS=json.dumps(keys))
    assert told.code == 2
    assert "zzz" in told.err
