"""The processors' own steps, in many orders of events, do what a model of twenty lines says."""

import os

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import Events

EXAMPLES = int(os.environ.get("EVENTS_MODEL_EXAMPLES", "500"))


def test_whatever_happens_the_table_ends_as_the_log_says() -> None:
    run_state_machine_as_test(
        Events,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
