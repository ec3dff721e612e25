"""Linked accounts: a caller leaves a credential in the vault, and it is used from then on as if it were sent along."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, TypeAlias, TypeVar

import strawberry
from strawberry.types.info import Info

from gateway.api.context import Context
from gateway.model.account import LinkedAccount
from gateway.model.arguments import OwnerInput
from gateway.model.change import ChangeError, change_error
from gateway.model.credentials import Credential
from gateway.model.errors import Forbidden, GatewayError, InvalidInput, NotFound, Refusal, Unsupported
from gateway.model.ids import OwnerRef, is_me
from gateway.model.manifest import ProviderKey
from gateway.model.ports import Backend, Vault
from gateway.model.principal import EVERYONE
from gateway.model.relations import attribute, graph_input, graph_type


@graph_input
class LinkAccountInput:
    """Which account to link; its credential is sent with the request, as for any other use of it."""

    owner: OwnerInput = attribute("The provider, and `me` as the key: the account of the credential that is sent.")
    client_mutation_id: str | None = attribute("A mark of the caller's, given back.", default=strawberry.UNSET)


@graph_input
class UnlinkAccountInput:
    """Which account to forget."""

    provider: ProviderKey = attribute("The provider: of each, one account is linked.")
    client_mutation_id: str | None = attribute("A mark of the caller's, given back.", default=strawberry.UNSET)


@graph_type
class LinkAccountPayload:
    """The answer of `linkAccount`."""

    account: LinkedAccount | None = attribute("The account; null when none was linked.", default=None)
    errors: list[ChangeError] = attribute("Why it was refused.")
    client_mutation_id: str | None = attribute("The caller's own mark, given back.", default=None)


@graph_type
class UnlinkAccountPayload:
    """The answer of `unlinkAccount`."""

    account: LinkedAccount | None = attribute("The account that was forgotten; null when none was.", default=None)
    errors: list[ChangeError] = attribute("Why it was refused.")
    client_mutation_id: str | None = attribute("The caller's own mark, given back.", default=None)


PayloadT = TypeVar("PayloadT", LinkAccountPayload, UnlinkAccountPayload)


Kept: TypeAlias = tuple[OwnerRef, datetime]
"""Whose a credential is, and since when it is kept."""


def _vault(context: Context) -> Vault:
    """Give the vault, to those who may keep something in it."""
    if context.vault is None:
        raise Unsupported("This gateway keeps no credentials.")
    if not context.loaders.caller.principal.may_link:
        raise Forbidden("Accounts are linked by those whom a token names, and whose token is good for that.")
    return context.vault


async def _link(context: Context, given: LinkAccountInput) -> Kept:
    vault = _vault(context)
    provider = given.owner.provider.value
    loaders = context.loaders
    manifest = loaders.backend(provider).manifest
    if not is_me(given.owner.key):
        raise InvalidInput("What is linked is the account of the credential that is sent: the key is `me`.").at("owner")
    credential = loaders.caller.brought.get(provider)
    if credential is None:
        names = " or ".join(f"`X-Credential-{provider}-{part.key}`" for part in manifest.credential_parts)
        raise InvalidInput(f"The credential to keep is sent with the request, as {names}.").at("owner", "provider")
    owner = await _whose(loaders.backend(provider), credential, given.owner.key)
    account = await vault.link(loaders.caller.principal, owner, credential)
    await loaders.note(provider, account)
    return account[:2]


async def _whose(backend: Backend, credential: Credential, me: str) -> OwnerRef:
    """Tell whose a credential is, as the service says, even where the credential itself does."""
    # Asked for the gateway's own sake: the token of the caller need not be good for reading.
    session = backend.session(credential.used_by(EVERYONE))
    try:
        owner = OwnerRef(credential.provider, await session.identity(me))
        found = (await session.owners_by_key([owner])).get(owner)
        if isinstance(found, GatewayError):
            raise found
        if found is None:
            raise NotFound("The credential is of an account that is not there.").at("owner")
        return owner
    finally:
        await session.aclose()


async def _unlink(context: Context, given: UnlinkAccountInput) -> Kept:
    vault = _vault(context)
    provider = given.provider.value
    gone = await vault.unlink(context.loaders.caller.principal, provider)
    if gone is None:
        raise NotFound("No account of that provider is linked.").at("provider")
    await context.loaders.note(provider, None)
    return gone


_Act = Callable[[Context, Any], Awaitable[Kept]]


async def _carried_out(
    context: Context, given: Any, payload: type[PayloadT], provider: ProviderKey, act: _Act
) -> PayloadT:
    made = payload(errors=[], client_mutation_id=given.client_mutation_id or None)
    try:
        made.account = LinkedAccount.of(*await act(context, given))
    except Refusal as refusal:
        made.errors += [change_error(fault, provider) for fault in refusal.all]
    return made


async def _link_account(
    info: Info[Context, None],
    input: Annotated[LinkAccountInput, strawberry.argument(description="What to do.")],  # noqa: A002 -- the contract's name
) -> LinkAccountPayload | None:
    return await _carried_out(info.context, input, LinkAccountPayload, input.owner.provider, _link)


async def _unlink_account(
    info: Info[Context, None],
    input: Annotated[UnlinkAccountInput, strawberry.argument(description="What to do.")],  # noqa: A002 -- the contract's name
) -> UnlinkAccountPayload | None:
    return await _carried_out(info.context, input, UnlinkAccountPayload, input.provider, _unlink)


LINK_ACCOUNT: Any = strawberry.mutation(
    resolver=_link_account,
    description="Keep the credential that this request brings for a provider, encrypted, and use it from now on for "
    "the one who asks, where they bring none. It replaces the one of that provider before.",
)
UNLINK_ACCOUNT: Any = strawberry.mutation(
    resolver=_unlink_account, description="Forget the credential that is kept for a provider."
)
