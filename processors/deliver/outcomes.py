"""What became of one delivery, as the destination's side tells it."""

from typing import Literal, NamedTuple

from contracts.deliveries import Delivery

DENIED = frozenset(
    (
        *("QueueDoesNotExist", "AccessDenied", "AccessDeniedException", "InvalidAddress"),
        *("InvalidSecurity", "UnsupportedOperation", "KmsAccessDenied", "KmsDisabled"),
        *("KmsNotFound", "KmsInvalidState", "KmsInvalidKeyUsage", "KmsOptInRequired"),
        *("KMS.AccessDeniedException", "KMS.DisabledException", "KMS.NotFoundException"),
        *("KMS.InvalidStateException", "KMS.InvalidKeyUsageException", "KMS.OptInRequired"),
        *("OptInRequired", "NoEndpoint"),
    )
)
"""Codes of `not_now` that are known: the queue, our rights on it or its key have to be changed."""

State = Literal["sent", "again", "never", "not_now"]
WAITS = ("again", "not_now")
"""What is left for later, and would be overtaken by what is sent after it."""


class Outcome(NamedTuple):
    """What became of `delivery`; `code` and `message` in the destination's own words.

    - `sent`: the queue has it, as `message_id`.
    - `again`: throttled, failing, or no answer, so that it may have been sent: the destination is given time.
    - `never`: this message is refused, and would be for ever.
    - `not_now`: the destination takes nothing until somebody changes it, or our rights on it.

    What was not `tried` stands behind one that was, in the state of that.
    """

    delivery: Delivery
    state: State
    code: str = ""
    message: str = ""
    message_id: str = ""
    tried: bool = True

    @property
    def reason(self) -> str:
        """Code and message in one text."""
        return ": ".join(filter(None, (self.code, self.message)))
