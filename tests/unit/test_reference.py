"""The reference says what the code says. docs/reference/tables.md is compared where ClickHouse is."""

import re

import pytest

from contracts.documents.openapi import openapi
from contracts.problems import TITLES
from docs.make import REFERENCE, pages
from tests.documents import ROOT


@pytest.mark.parametrize("name", pages())
def test_a_generated_page_is_what_the_code_says(name: str) -> None:
    assert (REFERENCE / name).read_text() == pages()[name], "run: python -m docs.make"


def test_every_type_of_problem_is_explained_under_its_own_heading() -> None:
    text = (REFERENCE / "errors.md").read_text()
    told = re.findall(r"^## ([a-z-]+)\n\n(\d+) (.+?)\.", text, re.MULTILINE)
    assert told == [(slug, str(status), title) for status, (slug, title) in TITLES.items()]


def test_no_two_models_have_one_name() -> None:
    """Their schemas would be named by module as well, which breaks clients that are generated."""
    assert not [name for name in openapi()["components"]["schemas"] if not name.isalnum()]


def test_every_alert_is_on_a_metric_that_exists() -> None:
    alerts = (ROOT / "docs/operate/alerts.md").read_text()
    known = set(re.findall(r"`(events_\w+)`", (REFERENCE / "metrics.md").read_text()))
    used = set(re.findall(r"\b(events_[a-z_]+)\b(?=[{\[)<> ])", alerts))
    assert used
    assert {re.sub(r"_bucket$", "", name) for name in used} <= known
