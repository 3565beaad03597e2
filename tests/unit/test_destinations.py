"""Settings that say whose queue may be named; their secret is shown nowhere."""

from pathlib import Path

import pytest

from contracts.destinations import SqsDestination
from contracts.ownership import external_id, is_token, token
from ingest.settings import IngestSettings
from local import settings as of_stack
from processors.settings import RouteSettings
from service.destinations import Destinations
from service.settings import BadSettings, load
from tests.queues import ACCOUNT, arn

NAME = "EVENTS_DESTINATIONS__SECRET"
SECRET = "0123456789abcdef0123456789abcdef"


def queue(account: str = ACCOUNT, name: str = "q") -> SqsDestination:
    return SqsDestination(type="sqs", arn=arn(name).replace(ACCOUNT, account))


def test_an_account_is_on_the_list_of_its_tenant_or_on_everybodys() -> None:
    settings = Destinations(accounts={"acme": ("1" * 12,), "*": ("2" * 12,)})
    listed = {
        (tenant, account)
        for tenant in ("acme", "other")
        for account in ("1" * 12, "2" * 12, "3" * 12)
        if settings.lists(tenant, queue(account))
    }
    assert listed == {("acme", "1" * 12), ("acme", "2" * 12), ("other", "2" * 12)}


def test_a_tenant_cannot_be_called_everybody_nor_be_none_of_them() -> None:
    assert not Destinations().lists("acme", queue())


@pytest.mark.parametrize(
    ("refused", "name", "is_refused"),
    [
        (arn("q"), "q", True),
        (arn("q"), "q2", False),
        (arn("q*"), "q2", True),
        (arn("*"), "anything", True),
        (arn("*").replace(ACCOUNT, "1" * 12), "anything", False),
        ("*", "anything", True),
    ],
)
def test_what_is_refused_is_named_whole_or_by_its_beginning(
    refused: str, name: str, is_refused: bool
) -> None:
    assert Destinations(refused=(refused,)).refuses(queue(name=name)) is is_refused


@pytest.mark.parametrize("model", [IngestSettings, RouteSettings])
def test_both_services_read_them_the_secret_from_a_file_too(
    model: type[IngestSettings] | type[RouteSettings],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / NAME).write_text(SECRET + "\n")
    monkeypatch.setenv("EVENTS_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("EVENTS_DESTINATIONS__ACCOUNTS", '{"acme": ["111111111111"]}')
    found = load(model).destinations
    assert found.key == SECRET
    assert found.accounts == {"acme": ("1" * 12,)}
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (NAME, "too-short-a-secret", "must have 32 characters or more, has 18, not what is there."),
        ("EVENTS_DESTINATIONS__ACCOUNTS", '{"acme": ["12"]}', "acme.0: String should match"),
        ("EVENTS_DESTINATIONS__ACCOUNTS", "1", "EVENTS_DESTINATIONS"),
        ("EVENTS_DESTINATIONS__PRINCIPAL", "me", "EVENTS_DESTINATIONS__PRINCIPAL: String should"),
    ],
)
def test_what_cannot_be_is_named_and_a_secret_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSettings) as refused:
        load(RouteSettings)
    assert said in str(refused.value)
    assert "too-short" not in str(refused.value)


def test_the_stacks_status_does_not_show_the_secret() -> None:
    assert of_stack.shown({NAME: SECRET, "EVENTS_PUBLIC_URL": "x"}) == {
        NAME: "***",
        "EVENTS_PUBLIC_URL": "x",
    }


def test_external_ids_and_tokens_are_of_their_tenant_and_of_nothing_else() -> None:
    made = [
        token(SECRET, *each)
        for each in [
            ("a", "b", "c", "d"),
            ("ab", "", "c", "d"),
            ("a", "b", "cd", ""),
            ("a", "b", "c", "e"),
            ("a", "b", "x", "d"),
            ("a", "x", "c", "d"),
            ("x", "b", "c", "d"),
        ]
    ]
    made += [external_id(SECRET, "a"), external_id(SECRET, "b"), external_id("x", "a")]
    assert len(set(made)) == len(made)
    assert is_token(made[0], token(SECRET, "a", "b", "c", "d"))
    assert not is_token("\ud800", made[0])
