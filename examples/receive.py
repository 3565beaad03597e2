"""Receive what a subscription delivers: create the queue `faults`, print and delete what comes.

    python examples/receive.py [SECONDS]

The queue is the local one unless AWS_ENDPOINT_URL_SQS says otherwise.
"""

import os
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError

os.environ.setdefault("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:8802")
os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")
os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")
wait = sys.argv[1] if len(sys.argv) > 1 else "1"
if len(sys.argv) > 2 or not (wait.isascii() and wait.isdecimal()):
    sys.exit("Usage: python examples/receive.py [SECONDS]")

sqs = boto3.client("sqs", region_name="eu-west-1")
try:
    queue = sqs.create_queue(QueueName="faults")["QueueUrl"]
    answer = sqs.receive_message(
        QueueUrl=queue,
        WaitTimeSeconds=min(20, int(wait)),
        MaxNumberOfMessages=10,
        MessageAttributeNames=["All"],
    )
except (BotoCoreError, ClientError) as error:
    sys.exit(f"Nothing received: {error} Is the stack up? events status")
for message in answer.get("Messages", []):
    print(message["MessageAttributes"]["event_id"]["StringValue"], message["Body"])  # noqa: T201
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
