"""Destinations: where the events of a subscription go, and what is given up of them.

A queue is named by its ARN alone; one that cannot exist is refused when it is named.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

# Of ASCII alone: `\d` would take every digit of Unicode. A queue's name has 80 characters at the most,
# `.fifo` among them. Which regions there are is asked by who stores a subscription (service/regions.py).
ARN_PATTERN = (
    r"^arn:aws(?:-[a-z]{1,8}){0,2}:sqs:[a-z]{2,8}(?:-[a-z]{1,16}){1,3}-[0-9]{1,2}:[0-9]{12}:"
    r"(?:[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo)$"
)
ROLE_PATTERN = (
    r"^arn:aws(?:-[a-z]{1,8}){0,2}:iam::[0-9]{12}:role/(?:[A-Za-z0-9_+=,.@-]{1,64}/){0,8}"
    r"[A-Za-z0-9_+=,.@-]{1,64}$"
)
ROLE = "A role of the queue's account, assumed to send with the tenant's external id; none when left out."


class SqsDestination(BaseModel):
    """A queue by its ARN: it names region, account and queue, and carries no endpoint to abuse."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    type: Literal["sqs"]
    arn: Annotated[str, StringConstraints(pattern=ARN_PATTERN)] = Field(
        description="arn:aws:sqs:REGION:ACCOUNT:QUEUE"
    )
    role_arn: Annotated[str, StringConstraints(pattern=ROLE_PATTERN)] | None = Field(
        None, description=ROLE
    )

    @property
    def aws_partition(self) -> str:
        """`aws`, or the name of AWS in China and other closed parts of it."""
        return self.arn.split(":")[1]

    @property
    def region(self) -> str:
        """The queue's AWS region."""
        return self.arn.split(":")[3]

    @property
    def account(self) -> str:
        """The 12 digits of the account that owns the queue."""
        return self.arn.split(":")[4]

    @property
    def role_is_its_accounts(self) -> bool:
        """Whether the role, if there is one, is of the account that owns the queue."""
        if self.role_arn is None:
            return True
        parts = self.role_arn.split(":")
        return (parts[1], parts[4]) == (self.aws_partition, self.account)

    @property
    def queue(self) -> str:
        """The queue's name."""
        return self.arn.split(":")[5]

    @property
    def is_fifo(self) -> bool:
        """Whether the queue keeps an order: SQS says so by its name."""
        return self.queue.endswith(".fifo")
