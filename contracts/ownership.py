"""Whose queue is it? What is kept of the answer, and the secrets that are made for it.

An ARN alone proves nothing: any tenant may name any queue that our role can reach. Both secrets are
HMAC-SHA256 (RFC 2104) under the operator's secret, so nothing more is stored: an external id for a
tenant (AWS, "the confused deputy problem"), a token for one question about one queue (as SNS does).
"""

import base64
import hmac
from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from contracts.delivery_settings import DeliverySettings
from contracts.destinations import SqsDestination

VALID_FOR = timedelta(days=1)
"""How long a token may be posted back."""
DESTINATION, DEAD_LETTER = "/destination", "/delivery/dead_letter"

By = Literal["account", "role", "confirmation"]


class Proof(BaseModel):
    """One queue's."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    by: By = Field(
        description="`account`: on the tenant's list; `role`: ours to assume with the tenant's external"
        " id; `confirmation`: a token from the queue was posted back."
    )
    state: Literal["proven", "pending"]
    asked_at: str = Field(description="Since when, RFC 3339 in UTC.")

    @property
    def pending(self) -> bool:
        """Whether a token is waited for, or came too late."""
        return self.state == "pending"

    @property
    def expires_at(self) -> datetime:
        """When a pending one can no longer be confirmed."""
        return datetime.fromisoformat(self.asked_at) + VALID_FOR

    def expired(self, now: datetime) -> bool:
        """Whether it waits in vain."""
        return self.pending and now >= self.expires_at

    def proven(self) -> "Proof":
        """The same, confirmed."""
        return self.model_copy(update={"state": "proven"})


class Ownership(BaseModel):
    """Of a subscription's queues, each on its own; none for one that was stored before anybody asked."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    destination: Proof | None = None
    dead_letter: Proof | None = None

    @property
    def waiting(self) -> list[str]:
        """The pointers of the queues that are not proven."""
        return [pointer for pointer, proof in self.proofs.items() if proof.pending]

    @property
    def proofs(self) -> dict[str, Proof]:
        """What is known, by the pointer of its queue."""
        both = {DESTINATION: self.destination, DEAD_LETTER: self.dead_letter}
        return {pointer: proof for pointer, proof in both.items() if proof is not None}

    def inactive(self) -> str | None:
        """Why nothing is delivered; None when all is proven."""
        if not (waiting := self.waiting):
            return None
        named = " and ".join(waiting)
        return f"not confirmed yet: the token that was sent to the queue of {named} is waited for"


def ownership_of(proofs: dict[str, Proof]) -> Ownership:
    """The other way round from `Ownership.proofs`; what is not known is not shown."""
    names = {DESTINATION: "destination", DEAD_LETTER: "dead_letter"}
    return Ownership(**{names[pointer]: proof for pointer, proof in proofs.items()})


def queues_of(destination: SqsDestination, delivery: DeliverySettings) -> dict[str, SqsDestination]:
    """The queues that a subscription names, by their pointers."""
    both = {DESTINATION: destination, DEAD_LETTER: delivery.dead_letter}
    return {pointer: queue for pointer, queue in both.items() if queue is not None}


def now_text() -> str:
    """A time for `asked_at`."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def external_id(secret: str, tenant: str) -> str:
    """What AWS is to ask us for before a role of the tenant's is ours; `sts:ExternalId` (IAM)."""
    return _mac(secret, "external-id", tenant).hex()


def token(secret: str, tenant: str, subscription_id: str, arn: str, asked_at: str) -> str:
    """What the queue's owner reads there; base64url (RFC 4648, section 5) without padding."""
    mac = _mac(secret, "confirmation", tenant, subscription_id, arn, asked_at)
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def is_token(given: str, wanted: str) -> bool:
    """Compared in the same time wherever they differ."""
    return hmac.compare_digest(given.encode(errors="replace"), wanted.encode())


def _mac(secret: str, *parts: str) -> bytes:
    """No part holds a NUL, so that no two lists of parts are the same text."""
    return hmac.digest(secret.encode(), "\0".join(parts).encode(), "sha256")
