"""`python -m local.kafka --path DIR --port N`: Apache Kafka itself, one KRaft node on loopback.

Formats its folder at the first start. Topics are created by `python -m processors setup`, never by
use. Timeouts are those of one node that should be back quickly after a crash.
"""

import argparse
import subprocess
import sys
import uuid
from pathlib import Path

from local.java import become, command

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={path}/data
auto.create.topics.enable=false
num.partitions=1
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
offsets.retention.minutes=129600
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
# one node: its own dead session is all that it waits for after a crash; and nothing fails for it,
# since an append waits longer (ACK_TIMEOUT_S)
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
controlled.shutdown.enable=false
# a record each half second that says nothing: a third of what an idle broker costs
metadata.max.idle.interval.ms=10000
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=4194304
log.cleaner.threads=1
message.max.bytes=2097152
"""

LOGGING = """\
<Configuration status="WARN">
  <Appenders><Console name="out"><PatternLayout pattern="%d %p %c{1}: %m%n"/></Console></Appenders>
  <Loggers><Root level="WARN"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
"""


def main() -> None:
    """Write the configuration, format the folder once, become the broker."""
    parser = argparse.ArgumentParser(prog="python -m local.kafka", description=__doc__)
    parser.add_argument("--path", type=Path, required=True, help="folder that holds the log")
    parser.add_argument(
        "--port", type=int, default=8804, help="port on 127.0.0.1; the next is used too"
    )
    parser.add_argument("--learn", type=Path, help="file to write for later starts, at the end")
    arguments = parser.parse_args()
    path: Path = arguments.path.resolve()
    path.mkdir(parents=True, exist_ok=True)
    config, logging = path / "server.properties", path / "log4j2.xml"
    ports = {"port": arguments.port, "controller_port": arguments.port + 1}
    config.write_text(PROPERTIES.format(path=path, **ports))
    logging.write_text(LOGGING)
    options = [f"-Dlog4j2.configurationFile={logging}", "-Djava.net.preferIPv4Stack=true"]
    if not (path / "data" / "meta.properties").exists():
        format_ = ["kafka.tools.StorageTool", "format", "-t", str(uuid.uuid4()), "-c", str(config)]
        argv = command("kafka", "128m", [*options, *format_, "--ignore-formatted"])
        if subprocess.run(argv, timeout=60, check=False).returncode:
            sys.exit(f"Kafka's folder {path} could not be formatted; the reason is above.")
    become("kafka", "512m", [*options, "kafka.Kafka", str(config)], arguments.learn)


if __name__ == "__main__":
    main()
