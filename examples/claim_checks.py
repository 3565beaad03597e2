"""Receive from a queue that some events are too large for: prints each whole event, wherever it lies.

    TOKEN=$(events token) python examples/claim_checks.py QUEUE

The token is sent to EVENTS_API alone. The queue is the local one unless AWS_ENDPOINT_URL_SQS says otherwise.
"""

import hashlib
import json
import os
import sys

import boto3
import httpx
from botocore.exceptions import BotoCoreError, ClientError

os.environ.setdefault("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:8802")
os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")
os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")
token = os.environ.get("TOKEN", "")
if len(sys.argv) != 2 or not token:
    sys.exit("Usage: TOKEN=$(events token) python examples/claim_checks.py QUEUE")
api = httpx.Client(
    base_url=os.environ.get("EVENTS_API", "http://127.0.0.1:8800"),
    headers={"Authorization": f"Bearer {token}"},
    timeout=30,
)


def fetched(check: dict[str, object], tenant: str) -> bytes:
    """The body that `check` stands for. Raises `ValueError` when it is another, or elsewhere."""
    url = api.base_url.join(str(check["url"]))  # of a path alone, too
    if (url.scheme, url.host, url.port) != (
        api.base_url.scheme,
        api.base_url.host,
        api.base_url.port,
    ):
        raise ValueError(f"{url.host} is not the API that the token is for")
    body = api.get(url, headers={"X-TWC-Tenant": tenant}).raise_for_status().content
    if hashlib.sha256(body).hexdigest() != check["sha256"]:
        raise ValueError(f"{url} is not the event that was delivered")
    return body


sqs = boto3.client("sqs", region_name="eu-west-1")
failed = False
try:
    queue = sqs.get_queue_url(QueueName=sys.argv[1])["QueueUrl"]
    answer = sqs.receive_message(
        QueueUrl=queue, WaitTimeSeconds=1, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    )
    for message in answer.get("Messages", []):
        attributes = message["MessageAttributes"]
        body = message["Body"]
        if "claim_check" in attributes:
            try:
                tenant = attributes["tenant"]["StringValue"]
                body = fetched(json.loads(body), tenant).decode()
            except (httpx.HTTPError, ValueError) as error:  # it stays, and comes again
                print(f"Not fetched: {error}", file=sys.stderr)  # noqa: T201
                failed = True
                continue
        print(body)  # noqa: T201
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
except (BotoCoreError, ClientError) as error:
    sys.exit(f"Nothing received: {error} Is the stack up? events status")
sys.exit(failed)
