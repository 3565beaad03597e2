"""Settings that say whose queue may be named by whom: the edge judges by them, the router signs by them."""

from typing import Annotated

from pydantic import BaseModel, Field, SecretStr, StringConstraints, field_validator

from contracts.destinations import SqsDestination

EVERYBODY = "*"
SECRET_CHARACTERS_MIN = 32

Account = Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]


class Destinations(BaseModel, frozen=True):
    """Whose queues."""

    accounts: dict[str, tuple[Account, ...]] = Field(
        default_factory=dict,
        description="AWS accounts by tenant, as JSON; `*` stands for every tenant. Their queues need no"
        " other proof.",
    )
    refused: tuple[str, ...] = Field(
        (),
        description="Queues that nobody may name, our own, as JSON: ARNs, or beginnings of ARNs that end"
        " in `*`.",
    )
    secret: SecretStr = Field(
        SecretStr(""),
        description="Makes external ids and confirmation tokens, 32 characters or more, the same for"
        " ingest and route; without one there are neither. Another one ends every role's trust.",
    )
    principal: str = Field(
        "",
        pattern=r"^(arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:[!-~]{1,256})?$",
        description="ARN of the role that ingest and route have at AWS; tenants let it assume theirs.",
    )
    checked: bool = Field(
        False,
        description="Whether a queue is asked for at SQS before a subscription that names it is stored.",
    )
    sts_endpoint_url: str | None = Field(
        None, description="Another server of AWS STS; that of the queue's region when left out."
    )

    @field_validator("secret")
    @classmethod
    def _is_long_enough(cls, secret: SecretStr) -> SecretStr:
        if 0 < (length := len(secret)) < SECRET_CHARACTERS_MIN:
            raise ValueError(f"must have {SECRET_CHARACTERS_MIN} characters or more, has {length}")
        return secret

    @property
    def key(self) -> str:
        """The secret as it is; empty for none."""
        return self.secret.get_secret_value()

    def lists(self, tenant: str, destination: SqsDestination) -> bool:
        """Whether the queue is of an account on the tenant's list."""
        listed = (*self.accounts.get(tenant, ()), *self.accounts.get(EVERYBODY, ()))
        return destination.account in listed

    def refuses(self, destination: SqsDestination) -> bool:
        """Whether nobody may name the queue."""
        arn = destination.arn
        return any(
            arn.startswith(each[:-1]) if each.endswith("*") else arn == each
            for each in self.refused
        )
