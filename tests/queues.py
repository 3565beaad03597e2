"""The names of queues in tests."""

ACCOUNT, REGION = "000000000000", "eu-west-1"


def arn(queue: str) -> str:
    """The queue's ARN."""
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"
