"""Whether a tenant may name a queue: judged when a subscription is created or changed, queue by queue.

    refused by the operator -> unchanged, so judged before -> a role -> the account's list -> a confirmation

What AWS is asked goes in threads and within a deadline; where neither a role is named nor
`EVENTS_DESTINATIONS__CHECKED` is set, nothing is asked, and botocore is not even loaded.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from contracts.destinations import SqsDestination
from contracts.ownership import (
    DESTINATION,
    Ownership,
    Proof,
    external_id,
    is_token,
    now_text,
    ownership_of,
    queues_of,
    token,
)
from contracts.problems import Problem, unavailable
from contracts.subscriptions import Subscription, SubscriptionDraft
from service.connections import SqsConnection
from service.destinations import Destinations

if TYPE_CHECKING:
    from service.aws.queues import Finding
    from service.aws.roles import Roles

THREADS = 4
ASK_TIMEOUT_S = 20.0
"""Of all that AWS is asked of one queue."""
NOBODY = "is a queue that nobody may name"

Told = TypeVar("Told")


class Proofs:
    """Judges by the operator's `destinations`; asks AWS over `connection`."""

    def __init__(self, destinations: Destinations, connection: SqsConnection) -> None:
        self._destinations = destinations
        self._connection = connection
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="aws")
        self._asking = asyncio.Semaphore(THREADS)

    async def of(
        self, tenant: str, draft: SubscriptionDraft, before: Subscription | None = None
    ) -> Ownership | None:
        """What is to be kept beside the draft. Raises `Problem` 403, 405 or 503."""
        judged: dict[str, Proof] = {}
        for pointer, queue in queues_of(draft.destination, draft.delivery).items():
            if self._destinations.refuses(queue):
                raise refused("destination-refused", pointer, NOBODY)
            is_kept, proof = _kept(before, pointer, queue)
            if not is_kept:
                proof = await self._proven(tenant, pointer, queue)
            if proof is not None:
                judged[pointer] = proof
        return ownership_of(judged) if judged else None

    def close(self) -> None:
        """End what is asked; each call has its deadline."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def external_id(self, tenant: str) -> str:
        """The tenant's. Raises `Problem` 403 without a secret."""
        return external_id(self._key(), tenant)

    def confirmed(self, tenant: str, subscription: Subscription, given: str) -> Ownership:
        """What is proven by posting `given`. Raises `Problem` 403, or 410 where it comes too late."""
        key = self._key()
        known = subscription.ownership or Ownership()
        proofs, now = known.proofs, datetime.now(UTC)
        for pointer, proof in proofs.items():
            queue = subscription.queues[pointer]
            wanted = token(key, tenant, subscription.id, queue.arn, proof.asked_at)
            if proof.pending and is_token(given, wanted):
                if self._destinations.refuses(queue):
                    raise refused("destination-refused", pointer, NOBODY)
                if proof.expired(now):
                    detail = "The token has expired. PATCH the subscription with {} for another."
                    raise Problem(410, detail, extra={"code": "token-expired"})
                return ownership_of({**proofs, pointer: proof.proven()})
        detail = "The token is none that this subscription waits for."
        raise Problem(403, detail, extra={"code": "token-wrong"})

    async def look(
        self, tenant: str, destination: SqsDestination, send_test: bool = False
    ) -> "list[Finding]":
        """What can be found of a queue, which has to be proven. Raises `Problem` 503."""

        if destination.role_arn is not None:
            self._key(DESTINATION)

        def look() -> "list[Finding]":
            from service.aws.queues import Looker
            from service.aws.roles import role_of

            role = role_of(self._destinations, tenant, destination)
            return Looker(self._roles).look(destination, role, send_test)

        return await self._ask(look)

    async def _proven(self, tenant: str, pointer: str, queue: SqsDestination) -> Proof:
        if queue.role_arn is not None:
            await self._require_role(tenant, pointer, queue)
            proof = Proof(by="role", state="proven", asked_at=now_text())
        elif self._destinations.lists(tenant, queue):
            proof = Proof(by="account", state="proven", asked_at=now_text())
        else:
            self._key(pointer)
            return Proof(by="confirmation", state="pending", asked_at=now_text())
        if self._destinations.checked:
            await self._require_fit(tenant, pointer, queue)
        return proof

    async def _require_role(self, tenant: str, pointer: str, queue: SqsDestination) -> None:
        """Raises `Problem`: another tenant's role and one that is not there are told alike."""
        at = f"{pointer}/role_arn"
        self._key(at)
        if not queue.role_is_its_accounts:
            raise refused("role-account", at, "is a role of another account than the queue's")

        def standing() -> str:
            from service.aws.roles import role_of

            role = role_of(self._destinations, tenant, queue)
            return "denied" if role is None else self._roles.standing(role)

        found = await self._ask(standing)
        if found == "denied":
            detail = "is a role that we may not assume with the tenant's external id"
            raise refused("role-denied", at, detail)
        if found == "open":
            raise refused("role-open", at, "is a role that does not ask for the external id")

    async def _require_fit(self, tenant: str, pointer: str, queue: SqsDestination) -> None:
        for each in await self.look(tenant, queue):
            if each.state == "failed":
                raise refused(f"queue-{each.check}", pointer, f"{each.detail} ({each.code})")

    @cached_property
    def _roles(self) -> "Roles":
        """Made by the first who asks, in its thread."""
        from service.aws.roles import Roles

        return Roles(self._connection, self._destinations.sts_endpoint_url)

    def _key(self, pointer: str = DESTINATION) -> str:
        """Our secret. Raises `Problem` 403 without one."""
        if not (key := self._destinations.key):
            detail = (
                "cannot be proven to be the tenant's: its account is not on the tenant's list, and"
                " roles and confirmations need the operator's EVENTS_DESTINATIONS__SECRET"
            )
            raise refused("ownership-unprovable", pointer, detail)
        return key

    async def _ask(self, ask: Callable[[], Told]) -> Told:
        """In a thread. Raises `Problem` 503 where AWS does not say."""
        try:
            async with asyncio.timeout(ASK_TIMEOUT_S), self._asking:
                running = asyncio.get_running_loop()
                return await running.run_in_executor(self._threads, _answered, ask)
        except (_Unanswered, TimeoutError) as error:
            detail = f"AWS gives no answer ({error or 'too late'}). Try again."
            raise unavailable(detail) from error


class _Unanswered(Exception):
    """AWS did not say; the message is its code."""


def _answered(ask: Callable[[], Told]) -> Told:
    from botocore.exceptions import BotoCoreError, ClientError

    from service.aws.roles import says

    try:
        return ask()
    except (BotoCoreError, ClientError) as error:
        raise _Unanswered(says(error)) from error


def refused(code: str, pointer: str, detail: str) -> Problem:
    """403 that names the member."""
    error: dict[str, Any] = {"pointer": pointer, "detail": detail}
    return Problem(403, f"{pointer} {detail}.", errors=[error], extra={"code": code})


def _kept(
    before: Subscription | None, pointer: str, queue: SqsDestination
) -> tuple[bool, Proof | None]:
    """Whether what was judged `before` holds on, and what that is: of the same queue, and in time."""
    if before is None or "destination" not in before.model_fields_set:  # or it cannot be read
        return False, None
    if before.queues.get(pointer) != queue:
        return False, None
    proof = (before.ownership or Ownership()).proofs.get(pointer)
    return proof is None or not proof.expired(datetime.now(UTC)), proof
