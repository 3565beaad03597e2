"""Three KRaft brokers as processes on loopback, each a controller too: killed, frozen, stopped, moved.

Every broker has a listener in the clear and one with TLS and SASL/SCRAM, so that both kinds of client
meet the same cluster.
"""

import asyncio
import signal
import subprocess
import time
import uuid
from pathlib import Path

from bench.certificate import a_certificate
from local.java import command
from local.kafka import LOGGING
from service.connections import KafkaConnection
from tests.processes import STOP_TIMEOUT_S, free_port

HOST = "127.0.0.1"
NODES = (1, 2, 3)
DEADLINE_S = 120.0
USER, PASSWORD = "edge", "local-password"

PROPERTIES = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{plain},SECURE://127.0.0.1:{secure},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SECURE://127.0.0.1:{secure}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.secure.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secure.ssl.keystore.type=PEM
listener.name.secure.ssl.keystore.location={certificate}
log.dirs={path}/data
auto.create.topics.enable=false
default.replication.factor=3
min.insync.replicas=2
broker.session.timeout.ms={session_ms}
broker.heartbeat.interval.ms=500
num.network.threads=2
num.io.threads=2
num.replica.fetchers=1
log.cleaner.enable=false
"""


class Broker:
    """One broker; what it is done to is done to its process."""

    def __init__(self, node: int, path: Path, properties: dict[str, object]) -> None:
        self.node = node
        self.path = path
        self.well_since_s: float | None = None
        self._properties = properties
        self._child: subprocess.Popen[bytes] | None = None
        path.mkdir(parents=True)
        (path / "log4j2.xml").write_text(LOGGING)

    @property
    def address(self) -> str:
        """Where clients in the clear find it."""
        return f"{HOST}:{self._properties['plain']}"

    @property
    def secure_address(self) -> str:
        """Where clients with TLS find it."""
        return f"{HOST}:{self._properties['secure']}"

    def format(self, cluster: str) -> "subprocess.Popen[bytes]":
        """Begin to format its folder."""
        self._configure()
        scram = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
        tool = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", self._config]
        return self._java("128m", [*tool, "--add-scram", scram])

    def start(self) -> None:
        """Start it on the folder that it left."""
        assert self._child is None
        self._configure()
        self._child = self._java("256m", ["kafka.Kafka", self._config])
        self.well_since_s = time.monotonic()

    def freeze(self) -> None:
        """Suspend it: it holds its connections and says nothing."""
        self._signal(signal.SIGSTOP)
        self.well_since_s = None

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)
        self.well_since_s = time.monotonic()

    async def kill(self) -> None:
        """kill -9; return when it has ended."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """A shutdown in order, which gives its partitions to others first."""
        await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> None:
        child = self._signal(number)
        self.well_since_s = None
        await asyncio.to_thread(child.wait, DEADLINE_S)
        self._child = None

    def _signal(self, number: signal.Signals) -> "subprocess.Popen[bytes]":
        assert self._child is not None
        self.require_alive()
        self._child.send_signal(number)
        return self._child

    def require_alive(self) -> None:
        """Fail with the end of its log when it ended by itself."""
        assert self._child is None or self._child.poll() is None, f"{self.node} ended: {self.log}"

    def clean_up(self) -> None:
        """End it whatever state it is in."""
        if self._child is not None:
            self._child.kill()
            self._child.wait(STOP_TIMEOUT_S)

    def move(self, plain: int, secure: int) -> None:
        """From the next start on it listens elsewhere."""
        self._properties |= {"plain": plain, "secure": secure}

    @property
    def log(self) -> str:
        """The end of what it has logged."""
        return (self.path / "log").read_text()[-2000:]

    @property
    def _config(self) -> str:
        return str(self.path / "server.properties")

    def _configure(self) -> None:
        given = {"node": self.node, "path": self.path}
        Path(self._config).write_text(PROPERTIES.format(**given, **self._properties))

    def _java(self, heap: str, arguments: list[str]) -> "subprocess.Popen[bytes]":
        options = [f"-Dlog4j2.configurationFile={self.path / 'log4j2.xml'}"]
        options.append("-XX:TieredStopAtLevel=1")  # they live for a minute
        with (self.path / "log").open("ab") as log:
            return subprocess.Popen(
                command("kafka", heap, [*options, "-Djava.net.preferIPv4Stack=true", *arguments]),
                stdout=log,
                stderr=log,
            )


class Brokers:
    """The cluster; `session_ms` is what its controllers wait for a broker that says nothing."""

    def __init__(self, home: Path, session_ms: int) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self._ports = iter(range(first := free_port(15), first + 15))
        self.certificate = a_certificate(home)
        controllers = {node: next(self._ports) for node in NODES}
        common: dict[str, object] = {
            "voters": ",".join(f"{node}@{HOST}:{port}" for node, port in controllers.items()),
            "certificate": self.certificate,
            "session_ms": session_ms,
        }
        self.by_node = {
            node: Broker(
                node,
                home / str(node),
                {
                    **common,
                    "plain": next(self._ports),
                    "secure": next(self._ports),
                    "controller": controllers[node],
                },
            )
            for node in NODES
        }

    def start(self) -> None:
        """Format and start all three."""
        cluster = str(uuid.uuid4())
        formatting = [(each, each.format(cluster)) for each in self.by_node.values()]
        for broker, child in formatting:
            assert child.wait(DEADLINE_S) == 0, broker.log
            broker.start()

    def clean_up(self) -> None:
        """End all."""
        for broker in self.by_node.values():
            broker.clean_up()

    def move(self, node: int) -> None:
        """Another address for `node`, from its next start on."""
        self.by_node[node].move(next(self._ports), next(self._ports))

    def healthy(self) -> list[Broker]:
        """Those that run and are not frozen; last who came back last, since it knows old leaders at first."""
        since_s = {node: each.well_since_s for node, each in self.by_node.items()}
        well = {node: at_s for node, at_s in since_s.items() if at_s is not None}
        return [self.by_node[node] for node in sorted(well, key=well.__getitem__)]

    def connection(self) -> KafkaConnection:
        """A client's settings, in the clear; its bootstrap servers are those that are well."""
        addresses = ",".join(each.address for each in self.healthy())
        return KafkaConnection(bootstrap_servers=addresses)

    def secure_connection(self) -> KafkaConnection:
        """The same with TLS and SASL/SCRAM."""
        addresses = ",".join(each.secure_address for each in self.by_node.values())
        return KafkaConnection(
            bootstrap_servers=addresses,
            security_protocol="SASL_SSL",
            sasl_username=USER,
            sasl_password=PASSWORD,
            ca_file=str(self.certificate),
        )
