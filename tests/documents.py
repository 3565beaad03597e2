"""The Markdown files, and running the commands that they show.

A block `sh` is run; a block `text` behind it is what it prints, `...` standing for anything.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.stack import Stack

ROOT = Path(__file__).parent.parent
LOCAL_PORTS = {8800: "api", 8801: "clickhouse", 8802: "sqs", 8803: "issuer"}
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "-- block {number} --"


def markdown_files() -> list[Path]:
    """README, CONTRIBUTING and everything below docs/."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def with_commands() -> list[Path]:
    """The documents whose commands are run: the README, tutorials and how-tos."""
    told = {"tutorial", "how-to"}
    files = [each for each in markdown_files() if each.parent.name in told] + [ROOT / "README.md"]
    return [each for each in files if "```sh\n" in each.read_text()]


def run(document: Path, stack: Stack, folder: Path, commands: Path) -> str:
    """Run all commands of `document` in one shell at the project's root; what they printed.

    `events` is that in the folder `commands`.

    Fails when one fails, or prints something else than the block behind it.
    """
    script, expected = [], {}
    for number, (kind, text) in enumerate(BLOCK.findall(document.read_text())):
        if kind == "sh":
            script += [f"echo '{MARK.format(number=number)}'", text]
        else:
            expected[number - 1] = text
    program = "\n".join(script).replace("source .venv/bin/activate", "")
    for port, name in LOCAL_PORTS.items():
        program = program.replace(f"http://127.0.0.1:{port}", stack.status[name])
    done = _shell(program, stack, folder, commands)
    assert done.returncode == 0, done.stdout + done.stderr
    for number, text in expected.items():
        begin = MARK.format(number=number) + "\n"
        printed = re.split(r"^-- block \d+ --\n", done.stdout.partition(begin)[2], flags=re.M)[0]
        pattern = ".*".join(map(re.escape, text.strip().split("...")))
        assert re.fullmatch(pattern, printed.strip(), re.DOTALL), f"shown:\n{text}\nis:\n{printed}"
    return done.stdout


def _shell(
    program: str, stack: Stack, folder: Path, commands: Path
) -> "subprocess.CompletedProcess[str]":
    """Run it as a person does who uses the stack."""
    environment = os.environ | {
        "PATH": f"{commands}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "EVENTS_HOME": str(stack.home),
        "EVENTS_API": stack.api,
        "EVENTS_KAFKA__BOOTSTRAP_SERVERS": stack.status["kafka"],
        "AWS_ENDPOINT_URL_SQS": stack.status["sqs"],
        "TMPDIR": str(folder),
        "COLUMNS": "200",
    }
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", program],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
