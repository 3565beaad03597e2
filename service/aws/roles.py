"""Roles of customers: assumed with the tenant's external id, and proven to ask for it.

A role that we may assume without an external id, or with any, would serve every tenant that names it
(AWS, "the confused deputy problem"; Datadog's rule def-000-au9 asks the same of who integrates). Calls
block: run them in a thread.
"""

import json
import secrets
import threading
from datetime import datetime
from typing import Any, Literal, NamedTuple

from botocore.config import Config
from botocore.credentials import DeferredRefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session

from contracts.destinations import SqsDestination
from contracts.ownership import external_id
from service.connections import SqsConnection
from service.destinations import Destinations

LIFE_S = 3600
"""The most that AWS gives to a role that assumes a role."""
NAME_CHARACTERS_MAX = 64
DENIED = ("AccessDenied", "AccessDeniedException")
ACTIONS = ("sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:SendMessage")
KEY_ACTIONS = ("kms:GenerateDataKey", "kms:Decrypt")
"""Of the key of an encrypted queue; which one it is the role's own policy says."""

Standing = Literal["ours", "denied", "open"]


class Role(NamedTuple):
    """A role, as one tenant may use it for one queue."""

    arn: str
    external_id: str
    session_name: str
    queue_arn: str
    region: str

    @property
    def policy(self) -> str:
        """What is left of the role's rights: those on the one queue (session policy, IAM)."""
        statements = [
            {"Effect": "Allow", "Action": ACTIONS, "Resource": self.queue_arn},
            {"Effect": "Allow", "Action": KEY_ACTIONS, "Resource": "*"},
        ]
        return json.dumps({"Version": "2012-10-17", "Statement": statements})


def role_of(destinations: Destinations, tenant: str, destination: SqsDestination) -> Role | None:
    """The role that the destination names, as the tenant's. Raises `ValueError` without our secret."""
    if destination.role_arn is None:
        return None
    if not destinations.key:
        raise ValueError("EVENTS_DESTINATIONS__SECRET is not set, so no role can be assumed")
    name = f"events-{tenant}"[:NAME_CHARACTERS_MAX]
    own = external_id(destinations.key, tenant)
    return Role(destination.role_arn, own, name, destination.arn, destination.region)


class Roles:
    """Assumes them, with the credentials of AWS's standard chain."""

    def __init__(self, connection: SqsConnection, endpoint_url: str | None) -> None:
        self._connection = connection
        self._endpoint_url = endpoint_url
        self._lock = threading.Lock()
        self._session = get_session()
        self._clients: dict[str, Any] = {}

    def standing(self, role: Role) -> Standing:
        """Whether the role is the tenant's to give: ours with the external id, and not otherwise.

        Raises botocore's errors where AWS does not say.
        """
        if not self._may_assume(role, role.external_id):
            return "denied"
        others = (None, secrets.token_hex(32))
        return "open" if any(self._may_assume(role, each) for each in others) else "ours"

    def source(self, role: Role) -> "RoleSource":
        """Credentials of the role, renewed before they end."""
        return RoleSource(self, role)

    def assume(self, role: Role, external_id: str | None) -> dict[str, str]:
        """Credentials in the form that botocore refreshes them in. Raises botocore's errors."""
        asked: dict[str, Any] = {
            "RoleArn": role.arn,
            "RoleSessionName": role.session_name,
            "DurationSeconds": LIFE_S,
            "Policy": role.policy,
        }
        if external_id is not None:
            asked["ExternalId"] = external_id
        given = self._sts(role.region).assume_role(**asked)["Credentials"]
        ends: datetime = given["Expiration"]
        return {
            "access_key": given["AccessKeyId"],
            "secret_key": given["SecretAccessKey"],
            "token": given["SessionToken"],
            "expiry_time": ends.isoformat(),
        }

    def _may_assume(self, role: Role, external_id: str | None) -> bool:
        try:
            self.assume(role, external_id)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in DENIED:
                return False
            raise
        return True

    def sqs(self, region: str, role: Role | None) -> Any:
        """botocore's client of SQS, as the role where there is one. Raises botocore's errors."""
        keys = {} if role is None else self.assume(role, role.external_id)
        return self._client(
            "sqs",
            region,
            endpoint_url=self._connection.endpoint_url,
            aws_access_key_id=keys.get("access_key"),
            aws_secret_access_key=keys.get("secret_key"),
            aws_session_token=keys.get("token"),
        )

    def _sts(self, region: str) -> Any:
        """Kept: one session is asked for the credentials, which it renews."""
        if (client := self._clients.get(region)) is None:
            client = self._client("sts", region, endpoint_url=self._endpoint_url)
            client = self._clients.setdefault(region, client)
        return client

    def _client(self, service: str, region: str, **more: Any) -> Any:
        config = Config(
            connect_timeout=self._connection.connect_timeout_s,
            read_timeout=self._connection.read_timeout_s,
            retries={"total_max_attempts": 1, "mode": "standard"},
        )
        with self._lock:  # a session makes one client at a time
            return self._session.create_client(service, region_name=region, config=config, **more)


class RoleSource:
    """What a signer asks for credentials; `get_credentials` as botocore's session has it."""

    def __init__(self, roles: Roles, role: Role) -> None:
        self._credentials = DeferredRefreshableCredentials(
            refresh_using=lambda: roles.assume(role, role.external_id), method="sts-assume-role"
        )

    def get_credentials(self) -> DeferredRefreshableCredentials:
        """Of the role; asking for them frozen renews them where that is needed."""
        return self._credentials


def says(error: ClientError | BotoCoreError) -> str:
    """What AWS said, by its code alone: its sentence may name what is not the tenant's to know."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code") or "no code")
    return type(error).__name__
