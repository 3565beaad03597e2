"""STS that refuses what AWS refuses of AssumeRole: the Query protocol in XML, over HTTP on loopback.

    with StrictSts(sqs).served() as sts:
        sts.roles[arn] = Trust(external_id="...")

Sources: [model] the service model of STS in botocore; [iam] the IAM user guide, "Access to AWS accounts
owned by third parties" and "IAM JSON policy elements: Condition operators": a condition on a key that the
request does not have is false. It cannot tell who calls: every signature of ours is the principal.
"""

import contextlib
import datetime
import fnmatch
import json
import re
import secrets
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.fakes.sqs import StrictSqs

NAME = re.compile(r"[\w+=,.@-]{2,64}\Z", re.ASCII)  # [model] RoleSessionName
EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}\Z", re.ASCII)  # [model] ExternalId
POLICY_CHARACTERS_MAX = 2048  # [model] Policy
CHAINED_S_MAX = 3600  # [model] DurationSeconds: one hour for role chaining
DENIED = "User: arn:aws:sts::210987654321:assumed-role/events/i is not authorized to perform sts:AssumeRole"
XMLNS = "https://sts.amazonaws.com/doc/2011-06-15/"


@dataclass
class Trust:
    """A role's trust in us: with this external id, `*` in it for any text; None: it asks for none."""

    external_id: str | None

    def holds(self, given: str | None) -> bool:
        """[iam] StringEquals and StringLike."""
        if self.external_id is None:
            return True
        return given is not None and fnmatch.fnmatchcase(given, self.external_id)


@dataclass
class StrictSts:
    """Roles by ARN, and `asked`: role and external id of each call; `failing` is a status and a code.

    Credentials that it gives are known to `sqs`, for the queues of the session policy alone.
    """

    sqs: StrictSqs
    roles: dict[str, Trust] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    failing: tuple[int, str] | None = None
    life_s: float = 3600.0
    url: str = ""

    @contextlib.contextmanager
    def served(self) -> Iterator["StrictSts"]:
        """Listening on loopback, in a thread of its own, at `url`."""
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                form = dict(urllib.parse.parse_qsl(self.rfile.read(length).decode()))
                signed = self.headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256 ")
                status, text = fake.answer(form, signed)
                self.send_response(status)
                self.send_header("Content-Type", "text/xml")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                """Nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="strict-sts")
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def answer(self, form: dict[str, str], signed: bool) -> tuple[int, str]:
        """Status and XML."""
        role, given = form.get("RoleArn", ""), form.get("ExternalId")
        self.asked.append((role, given))
        if not signed:
            return _error(403, "MissingAuthenticationToken", "")
        if self.failing is not None:
            return _error(*self.failing, "")
        if wrong := _malformed(form):
            return _error(400, *wrong)
        if (trust := self.roles.get(role)) is None or not trust.holds(given):
            return _error(403, "AccessDenied", f"{DENIED} on resource: {role}")
        key, secret = f"ASIA{secrets.token_hex(8).upper()}", secrets.token_hex(20)
        statements = json.loads(form["Policy"])["Statement"]
        self.sqs.keys[key] = secret
        self.sqs.only[key] = {
            each["Resource"].rpartition(":")[2]
            for each in statements
            if "sqs:SendMessage" in each["Action"]
        }
        return 200, _given(key, secret, self.life_s)


def _malformed(form: dict[str, str]) -> tuple[str, str] | None:
    """[model] What is wrong with the request, whoever asks."""
    if form.get("Action") != "AssumeRole":
        return "InvalidAction", form.get("Action", "")
    if not NAME.match(form.get("RoleSessionName", "")):
        return "ValidationError", "roleSessionName"
    if (given := form.get("ExternalId")) is not None and not EXTERNAL_ID.match(given):
        return "ValidationError", "externalId"
    if not 900 <= int(form.get("DurationSeconds", 3600)) <= CHAINED_S_MAX:
        return "ValidationError", "DurationSeconds exceeds the 1 hour of role chaining"
    if len(policy := form.get("Policy", "")) > POLICY_CHARACTERS_MAX or not policy:
        return "ValidationError", "policy"
    return None


def _error(status: int, code: str, message: str) -> tuple[int, str]:
    return status, (
        f'<ErrorResponse xmlns="{XMLNS}"><Error><Type>Sender</Type><Code>{code}</Code>'
        f"<Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    )


def _given(key: str, secret: str, life_s: float) -> str:
    ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=life_s)
    return (
        f'<AssumeRoleResponse xmlns="{XMLNS}"><AssumeRoleResult><Credentials>'
        f"<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>"
        f"<SessionToken>of {key}</SessionToken><Expiration>{ends:%Y-%m-%dT%H:%M:%SZ}</Expiration>"
        "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )
