"""What is sent and answered where a queue is proven, confirmed and looked at."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.ownership import DEAD_LETTER, DESTINATION

TOKEN_CHARACTERS_MAX = 128

Token = Annotated[str, StringConstraints(min_length=1, max_length=TOKEN_CHARACTERS_MAX)]


class Confirmation(BaseModel):
    """The body of POST /api/v1/subscriptions/{id}/confirm."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    token: Token = Field(description="The member `token` of the message in the queue.")


class CheckRequest(BaseModel):
    """The body of POST /api/v1/subscriptions/{id}/check."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    send_test: bool = Field(
        False, description="Send one message, marked `test`; else nobody can tell whether we may."
    )


class QueueFinding(BaseModel):
    """One thing about a queue; `code` is AWS's own, empty where it has none."""

    check: Literal["exists", "fifo", "size", "encryption", "may_send"]
    state: Literal["passed", "failed", "unknown"]
    detail: str
    code: str


class CheckAnswer(BaseModel):
    """What was found of each queue."""

    passed: bool = Field(description="Whether nothing failed.")
    destination: list[QueueFinding]
    dead_letter: list[QueueFinding] | None = Field(description="Null where there is none.")

    @classmethod
    def of(cls, found: dict[str, list[dict[str, Any]]]) -> "CheckAnswer":
        """From the findings by the pointers of their queues."""
        told = {pointer: [QueueFinding(**each) for each in some] for pointer, some in found.items()}
        every = [each for some in told.values() for each in some]
        return cls(
            passed=all(each.state != "failed" for each in every),
            destination=told[DESTINATION],
            dead_letter=told.get(DEAD_LETTER),
        )


class DeliveryIdentity(BaseModel):
    """Who sends, for a role of the tenant's to trust."""

    principal: str | None = Field(description="Null where the operator has not told it.")
    external_id: str = Field(description="The tenant's own, and the same for all its roles.")
    trust_policy: dict[str, Any] | None = Field(
        description="The role's trust policy, to paste; null without a principal."
    )


def identity(principal: str, external_id: str) -> dict[str, Any]:
    """A `DeliveryIdentity`; the policy is that of IAM's guide to external ids."""
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": principal},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
            }
        ],
    }
    return {
        "principal": principal or None,
        "external_id": external_id,
        "trust_policy": policy if principal else None,
    }
