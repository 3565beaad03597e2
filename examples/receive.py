"""Receive what a subscription delivers: create the queue `faults`, or another, print and delete what comes.

    python examples/receive.py [SECONDS [QUEUE]]

The queue is the local one unless AWS_ENDPOINT_URL_SQS says otherwise.
"""

import json
import os
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError

os.environ.setdefault("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:8802")
os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")
os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")
wait = sys.argv[1] if len(sys.argv) > 1 else "1"
name = sys.argv[2] if len(sys.argv) > 2 else "faults"
if len(sys.argv) > 3 or not (wait.isascii() and wait.isdecimal()):
    sys.exit("Usage: python examples/receive.py [SECONDS [QUEUE]]")

sqs = boto3.client("sqs", region_name="eu-west-1")
try:
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    answer = sqs.receive_message(
        QueueUrl=queue,
        WaitTimeSeconds=min(20, int(wait)),
        MaxNumberOfMessages=10,
        MessageAttributeNames=["All"],
    )
except (BotoCoreError, ClientError) as error:
    sys.exit(f"Nothing received: {error} Is the stack up? events status")
for message in answer.get("Messages", []):
    attributes = {name: each["StringValue"] for name, each in message["MessageAttributes"].items()}
    if (
        "confirmation" in attributes
    ):  # may this tenant send here? Who wants that posts the token back
        told = json.loads(message["Body"])
        print("confirm", told["subscription"], told["token"])  # noqa: T201
    else:
        print(attributes["event_id"], message["Body"])  # noqa: T201
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
