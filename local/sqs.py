"""`python -m local.sqs --path DIR --port N`: ElasticMQ, an SQS-compatible server, on loopback.

Queues and messages are kept in the folder, so they survive a crash. Account 000000000000, region
eu-west-1, any credentials. It accepts things that AWS refuses; it is no judge of limits. A restart
loses the order of FIFO messages that were sent in the same millisecond, and listens a moment before the
queues are there again.
"""

import argparse
from pathlib import Path

from local.java import become
from local.stack import REGION

ACCOUNT = "000000000000"

# WRITE_DELAY=0: else the storage's H2 answers before it writes, and a kill loses half a second

CONFIGURATION = """\
include classpath("application.conf")
node-address {{ protocol = http, host = "127.0.0.1", port = {port}, context-path = "" }}
rest-sqs {{ enabled = true, bind-hostname = "127.0.0.1", bind-port = {port}, sqs-limits = strict }}
rest-stats {{ enabled = false }}
queues-storage {{ enabled = true, path = "{path}/queues.conf" }}
messages-storage {{ enabled = true, uri = "jdbc:h2:{path}/messages;WRITE_DELAY=0" }}
aws {{ region = {region}, accountId = "{account}" }}
pekko {{ loglevel = "WARNING" }}
"""

LOGGING = """\
<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d %p %c{0}: %m%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="out"/></root>
</configuration>
"""


def main() -> None:
    """Write the configuration and become the server."""
    parser = argparse.ArgumentParser(prog="python -m local.sqs", description=__doc__)
    parser.add_argument(
        "--path", type=Path, required=True, help="folder that holds queues and messages"
    )
    parser.add_argument("--port", type=int, default=8802, help="port on 127.0.0.1")
    parser.add_argument("--learn", type=Path, help="file to write for later starts, at the end")
    arguments = parser.parse_args()
    path: Path = arguments.path.resolve()
    path.mkdir(parents=True, exist_ok=True)
    config, logging = path / "elasticmq.conf", path / "logback.xml"
    config.write_text(
        CONFIGURATION.format(port=arguments.port, path=path, region=REGION, account=ACCOUNT)
    )
    logging.write_text(LOGGING)
    options = [f"-Dconfig.file={config}", f"-Dlogback.configurationFile={logging}"]
    become("elasticmq", "256m", [*options, "org.elasticmq.server.Main"], arguments.learn)


if __name__ == "__main__":
    main()
