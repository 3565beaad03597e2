"""What to do about an error of a queue, for the codes that are known.

Sources: the errors of SendMessageBatch in the SQS API reference, and key management of SQS.
"""

_RIGHTS = (
    "The queue does not let us send. Its policy, and that of our role, must allow sqs:SendMessage"
    " and sqs:GetQueueAttributes on it; nothing else is needed. Nothing is lost meanwhile."
)
_GONE = (
    "There is no such queue: it was deleted, or the ARN is wrong. Make it again, or give the"
    " subscription another destination; what waits goes there."
)
_KEY = (
    "The queue is encrypted with a key that we may not use, or that is disabled. Allow"
    " kms:GenerateDataKey and kms:Decrypt on it to our role, or enable the key."
)
_ROLE = (
    "The subscription's role does not let us assume it any more. Its trust policy must be that of"
    " `events subscriptions identity`. Nothing is lost meanwhile."
)
_REFUSED = (
    "The operator lets nobody name this queue (EVENTS_DESTINATIONS__REFUSED). Give the subscription"
    " another destination."
)
_SLOW = "The queue is asked for more than it takes. It goes on by itself, more slowly."
_OURS = "Ours to mend: tell whoever runs this system, with the code and the message."
_MESSAGE = (
    "This message is refused, and would be for ever; the others go on. Look at the event: its size,"
    " and what its payload holds."
)
ADVICE = {
    **dict.fromkeys(("AccessDenied", "AccessDeniedException", "InvalidSecurity"), _RIGHTS),
    **dict.fromkeys(("QueueDoesNotExist", "InvalidAddress", "NoEndpoint"), _GONE),
    **dict.fromkeys(
        (
            *("KmsAccessDenied", "KmsDisabled", "KmsNotFound", "KmsInvalidState"),
            *("KmsInvalidKeyUsage", "KmsOptInRequired", "KMS.AccessDeniedException"),
            *("KMS.DisabledException", "KMS.NotFoundException", "KMS.InvalidStateException"),
            *("KMS.InvalidKeyUsageException", "KMS.OptInRequired", "OptInRequired"),
        ),
        _KEY,
    ),
    **dict.fromkeys(
        (
            *("RequestThrottled", "RequestThrottledException", "Throttling", "ThrottlingException"),
            *("ThrottledException", "TooManyRequestsException", "SlowDown", "OverLimit"),
            *("RequestLimitExceeded", "KmsThrottled", "KMS.ThrottlingException"),
        ),
        _SLOW,
    ),
    **dict.fromkeys(
        (
            *("InvalidMessageContents", "InvalidParameterValue", "InvalidParameterValueException"),
            *("InvalidAttributeValue", "BatchRequestTooLong", "RequestEntityTooLarge"),
        ),
        _MESSAGE,
    ),
    **dict.fromkeys(
        (
            *("ExpiredToken", "ExpiredTokenException", "InvalidSignature", "SignatureDoesNotMatch"),
            *("NoCredentials", "NoSecret"),
        ),
        _OURS,
    ),
    "RoleDenied": _ROLE,
    "DestinationRefused": _REFUSED,
}
UNKNOWN = (
    "The queue failed or did not answer. It is tried again by itself; if it stays, look at the"
    " queue, and at whether it can be reached from here."
)


def advice(code: str) -> str:
    """What to do about the error `code`."""
    return ADVICE.get(code, UNKNOWN)
