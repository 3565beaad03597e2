"""Where a service listens and how it reaches the servers behind it; deadlines in seconds.

Plain models without defaults from the environment; each service nests them in its own settings.
"""

import ssl
from typing import Any, Literal

from pydantic import BaseModel, Field, SecretStr

from contracts.encoding.compression import Compression

METADATA_AGE_MS = 5_000
"""Age at which a consumer asks for a topic's partitions again; aiokafka's own is five minutes."""

ACK_TIMEOUT_S = 20.0
"""Longer than a cluster takes to do without a broker that died or hangs: 9 s of its session by Kafka's
default (broker.session.timeout.ms), 3 s before when it was the active controller too, the election and a
repeat. Until then acks=all waits on every partition of which that broker is an in-sync replica."""


class Http(BaseModel, frozen=True):
    """Where a service listens."""

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 in a container.")
    port: int = Field(8800, ge=1, le=65535, description="Port to listen on.")
    workers: int = Field(
        1, ge=1, le=256, description="Processes that share the port; limits are per process."
    )
    connections_max: int = Field(
        10_000,
        ge=1,
        description="Connections of one process, less where descriptors are few; past it 503.",
    )
    silence_s: float = Field(
        30,
        gt=0,
        description="How long a request's head may take, a body may pause, an answer may stay unread.",
    )
    body_bytes_per_s: float = Field(
        1000, gt=0, description="Lowest rate of a body, after `silence_s`; below it 408."
    )
    keep_alive_s: float = Field(
        75,
        gt=0,
        description="How long a connection may wait for its next request: longer than a balancer's 60.",
    )
    metrics_host: str = Field("127.0.0.1", description="Address of a process's metrics.")
    metrics_port: int = Field(
        8808,
        ge=0,
        le=65535,
        description="Their port, of each worker the next that is free; 0 takes any.",
    )


class Probes(BaseModel, frozen=True):
    """Where a process that serves nothing else answers probes and shows its metrics."""

    host: str = Field("127.0.0.1", description="Address of health, readiness and metrics.")
    port: int = Field(
        8806, ge=0, le=65535, description="Their port, one for each process; 0 takes any free one."
    )


class KafkaConnection(BaseModel, frozen=True):
    """The Kafka cluster."""

    bootstrap_servers: str = Field("127.0.0.1:8804", description="host:port, comma separated.")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="SASL_SSL in production."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="Used with SASL_*."
    )
    sasl_username: str = Field("", description="Used with SASL_*.")
    sasl_password: SecretStr = Field(SecretStr(""), description="Used with SASL_*.")
    ca_file: str | None = Field(None, description="CA bundle for SSL; the system's when left out.")
    request_timeout_s: float = Field(
        10, gt=0, description="Deadline of one request to a broker; its replicas have half of it."
    )
    compression: Compression = Field(
        "zstd", description="Of record batches, as they are appended; every kind is read."
    )
    compression_bytes_min: int = Field(
        16 * 1024, ge=0, description="Smaller batches stay as they are; 1024 for the smallest log."
    )

    @property
    def replicas_ms(self) -> int:
        """How long a leader may wait for its replicas: it has to answer before the request's deadline."""
        return round(self.request_timeout_s * 500)

    def client_args(self) -> dict[str, Any]:
        """The keyword arguments that every aiokafka client takes."""
        # here, for who reads settings alone has no use for a client
        from service.kafka.bootstrap import close_when_cancelled

        close_when_cancelled()
        args: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap_servers.split(","),
            "security_protocol": self.security_protocol,
            "request_timeout_ms": round(self.request_timeout_s * 1000),
        }
        if self.security_protocol.endswith("SSL"):
            args["ssl_context"] = ssl.create_default_context(cafile=self.ca_file)
        if self.security_protocol.startswith("SASL"):
            args["sasl_mechanism"] = self.sasl_mechanism
            args["sasl_plain_username"] = self.sasl_username
            args["sasl_plain_password"] = self.sasl_password.get_secret_value()
        return args

    def consumer_args(self) -> dict[str, Any]:
        """The same for a consumer, which is to notice new partitions."""
        return self.client_args() | {"metadata_max_age_ms": METADATA_AGE_MS}


class ClickHouseConnection(BaseModel, frozen=True):
    """The ClickHouse server, over HTTP."""

    url: str = Field("http://127.0.0.1:8801", description="http(s)://host:port.")
    username: str = Field("default", description="User with the rights that the service needs.")
    password: SecretStr = Field(SecretStr(""), description="Its password.")
    database: str = Field("events", pattern=r"^[a-z][a-z0-9_]*$", description="Database.")
    timeout_s: float = Field(30, gt=0, description="Deadline of one query or insert.")


class SqsConnection(BaseModel, frozen=True):
    """AWS SQS. Credentials come from the standard AWS chain (environment, profile, role)."""

    endpoint_url: str | None = Field(
        None, description="Another SQS-compatible server; AWS when left out."
    )
    connect_timeout_s: float = Field(2, gt=0, description="Deadline of connecting.")
    read_timeout_s: float = Field(5, gt=0, description="Deadline of one call.")


class Access(BaseModel, frozen=True):
    """Whose tokens are accepted (RFC 9068), and what they must say."""

    issuer: str = Field("http://127.0.0.1:8803", description="Exact `iss` of a token.")
    audience: str = Field("events-api", description="A token's `aud` must hold this.")
    jwks_url: str = Field("http://127.0.0.1:8803/jwks", description="The issuer's signing keys.")
    algorithms: tuple[Literal["RS256", "PS256", "ES256", "EdDSA"], ...] = Field(
        ("RS256",), description="Signature algorithms that are accepted; the key must agree."
    )
    token_types: tuple[str, ...] = Field(
        ("at+jwt", "application/at+jwt"),
        description="Accepted `typ` headers, lower case; add `jwt` for issuers before RFC 9068.",
    )
    tenant_claim: str = Field("tenant", description="The claim that names the tenant.")
    scope: str = Field("authentication", description="The scope that every call needs.")
    scope_claim: str = Field(
        "scope", description="The claim that lists scopes; `scp` at some issuers, Okta and Entra."
    )
    leeway_s: int = Field(30, ge=0, le=120, description="Clock skew that is forgiven.")
    lifetime_max_s: int = Field(24 * 3600, gt=0, description="Longest accepted exp - iat.")
    keys_refresh_s: float = Field(
        300, gt=0, description="Age at which keys are too old: a removed one is refused by then."
    )
    keys_grace_s: float = Field(
        3600,
        ge=0,
        description="How long older keys serve while the issuer cannot be asked; then 503.",
    )
    keys_cooldown_s: float = Field(
        30, ge=0, description="Shortest time between fetches that an unknown key id may cause."
    )
    keys_timeout_s: float = Field(2, gt=0, description="Deadline of fetching the keys, in all.")
