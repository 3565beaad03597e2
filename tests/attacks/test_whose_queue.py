"""Attacks by naming a queue that is another's: an ARN alone proves nothing.

The edge's own resources on a log in memory, and the router's own sender, against a strict SQS and a strict
STS (tests/fakes, each rule with its source). AWS itself was not attacked.
"""

import asyncio
import contextlib
import dataclasses
import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

import contracts.ownership
import ingest.proofs
from contracts.destinations import SqsDestination
from contracts.ownership import external_id, token
from contracts.paths import IDENTITY, SUBSCRIPTIONS
from processors.deliver.confirmations import Confirmations
from processors.deliver.destinations.sqs import signing
from processors.deliver.destinations.sqs.queues import SqsQueues
from processors.deliver.sender import Sender
from processors.deliver.slots import Slots
from service.connections import SqsConnection
from service.destinations import Destinations
from tests.fakes.edge import BODY, Edge
from tests.fakes.sqs import StrictSqs
from tests.fakes.sts import StrictSts, Trust
from tests.sqs import a_delivery, states

SECRET = "0123456789abcdef0123456789abcdef-not-to-be-seen"
PRINCIPAL = "arn:aws:iam::210987654321:role/events"
OURS, ACME, VICTIM = "210987654321", "111111111111", "222222222222"
MERGE = {"Content-Type": "application/merge-patch+json"}


def queue(account: str, name: str = "q") -> str:
    return f"arn:aws:sqs:eu-west-1:{account}:{name}"


def role(account: str, name: str = "events") -> str:
    return f"arn:aws:iam::{account}:role/{name}"


def to(arn: str, role_arn: str | None = None) -> dict[str, str]:
    return {"type": "sqs", "arn": arn} | ({"role_arn": role_arn} if role_arn else {})


@dataclasses.dataclass
class World:
    """AWS, an edge before it, and what both are told."""

    sqs: StrictSqs
    sts: StrictSts
    destinations: Destinations
    edge: Edge

    def create(self, tenant: str = "acme", **changes: Any) -> Any:
        return self.edge.ask("POST", SUBSCRIPTIONS, tenant, json=BODY | changes)

    def made(self, tenant: str = "acme", **changes: Any) -> dict[str, Any]:
        answer = self.create(tenant, **changes)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def patch(self, made: dict[str, Any], patch: Any, tenant: str = "acme") -> Any:
        path = f"{SUBSCRIPTIONS}/{made['id']}"
        return self.edge.ask("PATCH", path, tenant, json=patch, headers=MERGE)

    def confirm(self, subscription_id: str, given: str, tenant: str = "acme") -> Any:
        path = f"{SUBSCRIPTIONS}/{subscription_id}/confirm"
        return self.edge.ask("POST", path, tenant, json={"token": given})

    def check(self, subscription_id: str, tenant: str = "acme", **asked: bool) -> Any:
        path = f"{SUBSCRIPTIONS}/{subscription_id}/check"
        return self.edge.ask("POST", path, tenant, json=asked)

    def active(self, made: dict[str, Any], tenant: str = "acme") -> bool:
        found = self.edge.follower.table.get(tenant, made["id"])
        return found is not None and found.active

    @contextlib.asynccontextmanager
    async def queues(self) -> Any:
        queues = SqsQueues(SqsConnection(endpoint_url=self.sqs.url), 4, "", self.destinations)
        try:
            yield queues
        finally:
            await queues.close()

    def ask_owners(self, looks: int = 1) -> None:
        """Let the router send what it has to ask."""

        class Places:
            partitions = (0,)

        async def asked() -> None:
            async with self.queues() as queues:
                places: Any = Places()
                follower: Any = self.edge.follower
                asking = Confirmations(
                    places, follower, Sender(queues, Slots(4)), self.destinations
                )
                for _ in range(looks):
                    await asking.look()

        asyncio.run(asked())

    def read(self, name: str = "q") -> list[dict[str, Any]]:
        """The bodies of the messages that ever came into the queue."""
        return [json.loads(each["MessageBody"]) for each in self.sqs.queues[name].taken]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    sqs = StrictSqs()
    for name in ("q", "other", "dead"):
        sqs.create(name)
    with sqs.served(), StrictSts(sqs).served() as sts:
        destinations = Destinations(
            accounts={"acme": (ACME,), "*": ("000000000000",)},
            refused=(queue(OURS, "*"), queue("000000000000", "internal")),
            secret=SecretStr(SECRET),
            principal=PRINCIPAL,
            sts_endpoint_url=sts.url,
        )
        sts.roles |= {
            role(ACME): Trust(external_id(SECRET, "acme")),
            role(VICTIM): Trust(external_id(SECRET, "victim")),
            role(VICTIM, "open"): Trust(None),
            role(VICTIM, "any"): Trust("*"),
            role("333333333333"): Trust(external_id(SECRET, "acme")),
        }
        edge = Edge(destinations=destinations, endpoint_url=sqs.url)
        yield World(sqs, sts, destinations, edge)


DENIED, OPEN = (403, "role-denied"), (403, "role-open")
NAMED: dict[str, tuple[dict[str, Any], tuple[int, str]]] = {
    "our own queue": (
        {"destination": to(queue(OURS, "deliveries"))},
        (403, "destination-refused"),
    ),
    "our own queue, of an account on the list": (
        {"destination": to(queue("000000000000", "internal"))},
        (403, "destination-refused"),
    ),
    "our own queue for dead letters": (
        {"destination": to(queue(ACME)), "delivery": {"dead_letter": to(queue(OURS))}},
        (403, "destination-refused"),
    ),
    "our own queue, with a role": (
        {"destination": to(queue(OURS), role(OURS))},
        (403, "destination-refused"),
    ),
    "a victim's role": ({"destination": to(queue(VICTIM), role(VICTIM))}, DENIED),
    "a role that is not there": ({"destination": to(queue(VICTIM), role(VICTIM, "none"))}, DENIED),
    "a role of another account": (
        {"destination": to(queue(VICTIM), role("333333333333"))},
        (403, "role-account"),
    ),
    "a role of another partition": (
        {"destination": to(queue(ACME), role(ACME).replace("aws", "aws-cn"))},
        (403, "role-account"),
    ),
    "a role that asks for no external id": (
        {"destination": to(queue(VICTIM), role(VICTIM, "open"))},
        OPEN,
    ),
    "a role that takes any external id": (
        {"destination": to(queue(VICTIM), role(VICTIM, "any"))},
        OPEN,
    ),
    "a victim's role for dead letters": (
        {
            "destination": to(queue(ACME)),
            "delivery": {"dead_letter": to(queue(VICTIM), role(VICTIM))},
        },
        DENIED,
    ),
    "a role that is a user": (
        {"destination": to(queue(ACME), "arn:aws:iam::111111111111:user/x")},
        (405, ""),
    ),
    "a role with a line break": ({"destination": to(queue(ACME), role(ACME) + "\n")}, (405, "")),
    "an external id of one's own": (
        {"destination": {**to(queue(VICTIM), role(VICTIM)), "external_id": "mine"}},
        (405, ""),
    ),
    "ownership of one's own": (
        {
            "destination": to(queue(VICTIM)),
            "ownership": {"destination": {"by": "account", "state": "proven", "asked_at": "x"}},
        },
        (405, ""),
    ),
}
HOSTS = (
    *("http://10.0.0.1/q", "http://2852039166/q", "http://169.254.169.254/latest/meta-data"),
    *("https://sqs.eu-west-1.amazonaws.com@evil.example/1/q", "http://[::ffff:a9fe:a9fe]/q"),
    *("https://sqs.eu-west-1.amazonaws.com.evil.example/1/q", "http://127.0.0.1:8802/q"),
    *("https://sqs.eu-west-1.amazonaws.com:8443/1/q", "https://sqs.eu-west-1.amazonaws.com./1/q"),
    *(
        "https://sqs.eu-west-1.amazonaws.com/1/q/more",
        "https://\u0455qs.eu-west-1.amazonaws.com/1/q",
    ),
    *(f"{queue(ACME)}/more", f"{queue(ACME)}.", queue(ACME).replace("sqs:eu", "s\u0455q:eu")),
)
"""Places that a queue's URL could send us to: a queue has none, and no endpoint either."""
NAMED |= {each: ({"destination": to(each)}, (405, "")) for each in HOSTS}
NAMED |= {
    f"endpoint {each}": ({"destination": to(queue(ACME)) | {"endpoint": each}}, (405, ""))
    for each in HOSTS[:2]
}


@pytest.mark.parametrize(("named", "expected"), NAMED.values(), ids=NAMED.keys())
def test_what_nobody_may_name_is_refused(
    world: World, named: dict[str, Any], expected: tuple[int, str]
) -> None:
    answer = world.create(**named)
    told = answer.json()
    assert (answer.status_code, told.get("code", "")) == expected
    assert world.edge.log.records == []
    assert SECRET not in answer.text
    assert external_id(SECRET, "victim") not in answer.text
    assert OURS not in answer.text  # of AWS's own sentence


def test_a_role_that_is_anothers_is_told_as_one_that_is_not_there(world: World) -> None:
    theirs = world.create(destination=to(queue(VICTIM), role(VICTIM)))
    nobodys = world.create(destination=to(queue(VICTIM), role(VICTIM, "nobody")))
    assert theirs.content == nobodys.content


def test_a_queue_of_the_list_is_proven_at_once_and_only_for_whose_list_it_is(world: World) -> None:
    made = world.made(destination=to(queue(ACME)))
    assert made["ownership"]["destination"]["by"] == "account"
    assert made["ownership"]["destination"]["state"] == "proven"
    assert "inactive" not in made
    assert world.active(made)
    other = world.made("victim", destination=to(queue(ACME)))
    assert other["ownership"]["destination"]["state"] == "pending"
    assert not world.active(other, "victim")
    assert world.sts.asked == []
    assert world.sqs.calls == []


def test_a_role_is_proven_by_our_external_id_and_by_no_other(world: World) -> None:
    made = world.made(destination=to(queue(ACME), role(ACME)))
    assert made["ownership"]["destination"]["by"] == "role"
    assert world.active(made)
    asked = [given for _, given in world.sts.asked]
    own = external_id(SECRET, "acme")
    assert asked[:2] == [own, None]
    assert len(asked) == 3
    assert asked[2] not in (own, None)
    world.patch(made, {"name": "renamed"})
    assert len(world.sts.asked) == 3  # what was judged is not judged again


@pytest.mark.parametrize("code", [(503, "ServiceUnavailable"), (400, "Throttling")])
def test_a_role_is_no_role_while_sts_does_not_say(world: World, code: tuple[int, str]) -> None:
    world.sts.failing = code
    answer = world.create(destination=to(queue(ACME), role(ACME)))
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert world.edge.log.records == []


def test_without_the_operators_secret_what_it_is_needed_for_is_told(world: World) -> None:
    without = world.destinations.model_copy(update={"secret": SecretStr("")})
    edge = Edge(destinations=without, endpoint_url=world.sqs.url)
    for destination in (to(queue(VICTIM)), to(queue(ACME), role(ACME))):
        answer = edge.ask("POST", SUBSCRIPTIONS, json=BODY | {"destination": destination})
        assert (answer.status_code, answer.json()["code"]) == (403, "ownership-unprovable")
        assert "EVENTS_DESTINATIONS__SECRET" in answer.json()["detail"]
    assert edge.ask("GET", IDENTITY).status_code == 403
    assert edge.ask("POST", SUBSCRIPTIONS, json=BODY).status_code == 201


def test_the_identity_is_the_tenants_own(world: World) -> None:
    told = world.edge.ask("GET", IDENTITY).json()
    statement = told["trust_policy"]["Statement"][0]
    own = external_id(SECRET, "acme")
    assert told["external_id"] == own
    assert statement["Principal"] == {"AWS": PRINCIPAL}
    assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": own}}
    other = world.edge.ask("GET", IDENTITY, "victim").json()["external_id"]
    assert other == external_id(SECRET, "victim") != own


def pending(world: World, tenant: str = "acme", **changes: Any) -> tuple[dict[str, Any], str]:
    """A subscription to a foreign queue, and the token that came into it."""
    made = world.made(tenant, **{"destination": to(queue(VICTIM))} | changes)
    world.ask_owners()
    return made, world.read()[-1]["token"]


def test_an_unproven_queue_gets_one_question_and_nothing_else(world: World) -> None:
    made, given = pending(world)
    assert "not confirmed" in made["inactive"]
    (message,) = world.sqs.queues["q"].taken
    attributes = {name: each["StringValue"] for name, each in message["MessageAttributes"].items()}
    assert attributes == {
        "tenant": "acme",
        "subscription_id": made["id"],
        "confirmation": "true",
    }
    body = json.loads(message["MessageBody"])
    assert body["subscription"] == made["id"]
    asked_at = datetime.fromisoformat(made["ownership"]["destination"]["asked_at"])
    expires_at = datetime.fromisoformat(body["expires_at"])
    assert abs(expires_at - asked_at - timedelta(days=1)) < timedelta(seconds=1)
    assert not world.active(made)
    answer = world.confirm(made["id"], given)
    assert answer.status_code == 200, answer.text
    assert answer.json()["ownership"]["destination"]["state"] == "proven"
    assert "inactive" not in answer.json()
    assert world.active(made)
    path = f"{SUBSCRIPTIONS}/{made['id']}"
    assert world.edge.changes(path)[0]["action"] == "confirm"
    world.ask_owners()
    assert len(world.read()) == 1


def test_a_question_is_asked_once_by_one_router_and_again_by_the_next(world: World) -> None:
    world.made(destination=to(queue(VICTIM)))
    world.ask_owners(looks=3)
    assert len(world.read()) == 1
    world.ask_owners()
    first, second = world.read()
    assert first == second


def test_a_tenant_has_a_queue_asked_once_a_minute_however_often_it_names_it(world: World) -> None:
    for _ in range(5):
        world.made(destination=to(queue(VICTIM)))
    world.ask_owners(looks=5)
    assert len(world.read()) == 1


def test_a_fifo_queue_is_asked_too(world: World) -> None:
    world.sqs.create("q.fifo")
    world.made(destination=to(queue(VICTIM, "q.fifo")))
    world.ask_owners()
    assert len(world.read("q.fifo")) == 1


GUESSES = {
    "nothing like it": lambda _: "x",
    "one character off": lambda given: given[:-1] + ("A" if given[-1] != "A" else "B"),
    "its beginning": lambda given: given[:20],
    "padded": lambda given: given + "=",
    "in capitals": lambda given: given.upper(),
    "not ASCII": lambda given: given[:-1] + "\u0661",
    "a lone surrogate's neighbour": lambda given: "\ufffd" * 43,
    "made without the secret": lambda _: token("", "acme", "x", queue(VICTIM), "x"),
}


@pytest.mark.parametrize("guess", GUESSES.values(), ids=GUESSES.keys())
def test_a_token_that_is_guessed_is_wrong(world: World, guess: Any) -> None:
    made, given = pending(world)
    answer = world.confirm(made["id"], guess(given))
    assert (answer.status_code, answer.json()["code"]) == (403, "token-wrong")
    assert given not in answer.text
    assert not world.active(made)


@pytest.mark.parametrize("body", [{}, {"token": ""}, {"token": 1}, {"token": "x" * 129}])
def test_a_confirmation_that_is_none_breaks_the_contract(world: World, body: Any) -> None:
    made, _ = pending(world)
    path = f"{SUBSCRIPTIONS}/{made['id']}/confirm"
    assert world.edge.ask("POST", path, json=body).status_code == 405


def test_guesses_are_limited_by_the_tenants_rate(world: World) -> None:
    made = world.made("slow", destination=to(queue(VICTIM)))
    codes = [world.confirm(made["id"], "x", "slow").status_code for _ in range(8)]
    assert codes[0] == 403
    assert 429 in codes


def test_a_token_counts_once(world: World) -> None:
    made, given = pending(world)
    assert world.confirm(made["id"], given).status_code == 200
    again = world.confirm(made["id"], given)
    assert (again.status_code, again.json()["code"]) == (403, "token-wrong")
    assert world.active(made)  # and takes nothing away


def test_a_token_posted_by_another_tenant_is_404_as_an_unknown_id(world: World) -> None:
    made, given = pending(world)
    theirs = world.confirm(made["id"], given, "mallory")
    unknown = world.confirm("01a20d33-994f-74a1-8936-e15ecec113da", given, "mallory")
    assert theirs.status_code == 404
    assert theirs.content == unknown.content
    assert not world.active(made)


def test_a_token_confirms_no_other_subscription(world: World) -> None:
    _, given = pending(world)
    other = world.made(destination=to(queue(VICTIM)))
    answer = world.confirm(other["id"], given)
    assert (answer.status_code, answer.json()["code"]) == (403, "token-wrong")
    assert not world.active(other)
    same = world.made("mallory", destination=to(queue(VICTIM)))
    assert world.confirm(same["id"], given, "mallory").status_code == 403


def test_a_token_is_too_late_after_a_day_and_asking_anew_ends_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, given = pending(world)

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(days=1)

    monkeypatch.setattr(ingest.proofs, "datetime", Later)
    answer = world.confirm(made["id"], given)
    assert (answer.status_code, answer.json()["code"]) == (410, "token-expired")
    assert world.confirm(made["id"], "guess").status_code == 403
    monkeypatch.setattr(contracts.ownership, "datetime", Later)
    renewed = world.patch(made, {}).json()
    asked = [each["ownership"]["destination"]["asked_at"] for each in (made, renewed)]
    assert asked[0] < asked[1]
    assert world.confirm(made["id"], given).status_code == 403
    world.ask_owners()
    assert world.confirm(made["id"], world.read()[-1]["token"]).status_code == 200


def test_another_arn_after_the_proof_has_to_be_proven_itself(world: World) -> None:
    made, given = pending(world)
    assert world.confirm(made["id"], given).status_code == 200
    changed = world.patch(made, {"destination": {"arn": queue("333333333333", "other")}}).json()
    assert changed["ownership"]["destination"]["state"] == "pending"
    assert not world.active(made)
    back = world.patch(made, {"destination": {"arn": queue(VICTIM)}}).json()
    assert back["ownership"]["destination"]["state"] == "pending"
    assert world.confirm(made["id"], given).status_code == 403


def test_a_role_taken_away_after_the_proof_leaves_no_proof(world: World) -> None:
    made = world.made("victim", destination=to(queue(VICTIM), role(VICTIM)))
    changed = world.patch(made, {"destination": {"role_arn": None}}, "victim").json()
    assert changed["ownership"]["destination"]["by"] == "confirmation"
    assert not world.active(made, "victim")


def test_an_ownership_that_is_sent_back_proves_nothing(world: World) -> None:
    made, _ = pending(world)
    path = f"{SUBSCRIPTIONS}/{made['id']}"
    body = {name: member for name, member in made.items() if name != "id"}
    proven = {"destination": {**made["ownership"]["destination"], "state": "proven"}}
    for ownership in (made["ownership"], proven, {"destination": None}, None):
        answer = world.edge.ask("PUT", path, json=body | {"ownership": ownership})
        assert answer.status_code == 200, answer.text
        assert answer.json()["ownership"] == made["ownership"]
        assert not world.active(made)
    assert world.patch(made, {"ownership": proven}).status_code == 405


def test_dead_letters_go_to_no_foreign_queue(world: World) -> None:
    made = world.made(
        destination=to(queue(ACME)), delivery={"dead_letter": to(queue(VICTIM, "dead"))}
    )
    assert made["ownership"]["destination"]["state"] == "proven"
    assert made["ownership"]["dead_letter"]["state"] == "pending"
    assert "/delivery/dead_letter" in made["inactive"]
    assert not world.active(made)
    world.ask_owners()
    assert world.read() == []
    assert world.confirm(made["id"], world.read("dead")[0]["token"]).status_code == 200
    assert world.active(made)


def test_both_queues_are_confirmed_each_by_its_own_token(world: World) -> None:
    made, given = pending(world, delivery={"dead_letter": to(queue(VICTIM, "dead"))})
    assert world.confirm(made["id"], given).status_code == 200
    assert not world.active(made)
    swapped = {
        "destination": {"arn": queue(VICTIM, "dead")},
        "delivery": {"dead_letter": to(queue(VICTIM))},
    }
    states = world.patch(made, swapped).json()["ownership"]
    assert {each["state"] for each in states.values()} == {"pending"}


def test_what_was_stored_before_anybody_asked_is_honoured_until_it_is_changed(world: World) -> None:
    made = world.made(destination=to(queue(ACME)))
    old = {name: member for name, member in made.items() if name != "ownership"}
    old["destination"] = to(queue(VICTIM))
    key = f"acme:{made['id']}".encode()
    world.edge.follower.table.apply(key, json.dumps(old).encode())
    assert world.active(made)
    renamed = world.patch(made, {"name": "renamed"}).json()
    assert "ownership" not in renamed
    dead = world.patch(made, {"delivery": {"dead_letter": to(queue(VICTIM, "dead"))}}).json()
    assert "destination" not in dead["ownership"]
    assert dead["ownership"]["dead_letter"]["state"] == "pending"
    moved = world.patch(made, {"destination": {"arn": queue(VICTIM, "other")}}).json()
    assert moved["ownership"]["destination"]["state"] == "pending"


def test_nothing_is_told_of_a_queue_that_is_not_proven(world: World) -> None:
    there, _ = pending(world)
    gone = world.made(destination=to(queue(VICTIM, "no-such-queue")))
    calls = len(world.sqs.calls)
    answers = [world.check(each["id"], send_test=True) for each in (there, gone)]
    assert answers[0].content == answers[1].content
    assert (answers[0].status_code, answers[0].json()["code"]) == (403, "ownership-pending")
    assert len(world.sqs.calls) == calls
    assert world.check(there["id"], "mallory").status_code == 404


def test_a_queue_that_the_operator_refuses_gets_nothing_however_old_its_subscription(
    world: World,
) -> None:
    destination = SqsDestination(type="sqs", arn=queue(OURS))

    async def sent() -> list[str]:
        async with world.queues() as queues:
            return states(await queues.send(destination, [a_delivery()]))

    assert asyncio.run(sent()) == ["not_now"]
    assert world.sqs.calls == []


def test_a_queue_with_a_role_is_called_as_the_role_alone_and_as_that_of_the_tenant(
    world: World,
) -> None:
    destination = SqsDestination(type="sqs", arn=queue(ACME), role_arn=role(ACME))
    mine = a_delivery()
    theirs = mine._replace(attributes=mine.attributes | {"tenant": "mallory"})

    async def sent() -> list[str]:
        async with world.queues() as queues:
            first = await queues.send(destination, [mine])
            first += await queues.send(destination, [theirs])  # though the role is known by now
            world.sqs.ended = set(world.sqs.only)
            return states(first + await queues.send(destination, [mine]))

    assert asyncio.run(sent()) == ["sent", "not_now", "sent"]
    assert "local" not in world.sqs.signed_by
    assert len(world.sqs.queues["q"].taken) == 2


def test_the_credentials_of_a_role_are_renewed_before_they_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing, "LOOK_EVERY_S", 0.0)
    world.sts.life_s = 300.0
    destination = SqsDestination(type="sqs", arn=queue(ACME), role_arn=role(ACME))

    async def sent() -> list[str]:
        found: list[str] = []
        async with world.queues() as queues, asyncio.timeout(60):
            while len({*world.sqs.signed_by}) < 4:
                found += states(await queues.send(destination, [a_delivery()]))
        return found

    assert {*asyncio.run(sent())} == {"sent"}
    assert "local" not in world.sqs.signed_by


def test_a_role_that_trusts_us_no_more_stops_its_queue_and_is_told_by_its_code(
    world: World,
) -> None:
    destination = SqsDestination(type="sqs", arn=queue(ACME), role_arn=role(ACME))
    del world.sts.roles[role(ACME)]

    async def sent() -> Any:
        async with world.queues() as queues:
            return await queues.send(destination, [a_delivery()])

    (outcome,) = asyncio.run(sent())
    assert (outcome.state, outcome.code) == ("not_now", "RoleDenied")
    assert world.sqs.calls == []
    assert OURS not in outcome.message


def test_no_secret_is_in_answers_records_logs_or_outcomes(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made, given = pending(world)
    answers = [
        world.confirm(made["id"], "guess"),
        world.confirm(made["id"], given, "mallory"),
        world.create(destination=to(queue(VICTIM), role(VICTIM))),
        world.create(destination=to(queue(VICTIM), role(VICTIM, "open"))),
        world.create(destination=to(queue(OURS))),
        world.edge.ask("GET", SUBSCRIPTIONS),
        world.edge.ask("GET", f"{SUBSCRIPTIONS}/{made['id']}/changes"),
        world.check(made["id"]),
    ]
    records = b"".join(value or b"" for _, value in world.edge.log.records).decode()
    seen = "".join([*(each.text for each in answers), records, _ours(caplog)])
    for secret in (SECRET, given, *world.sqs.only, external_id(SECRET, "victim")):
        assert secret not in seen
    assert SECRET not in repr(world.destinations)


def _ours(caplog: pytest.LogCaptureFixture) -> str:
    """What our code logs; botocore's own wire log, which nobody turns on, holds everything."""
    libraries = ("botocore", "urllib3", "aiohttp", "asyncio", "httpx", "httpcore")
    records = [each for each in caplog.records if not each.name.startswith(libraries)]
    return "".join(each.getMessage() for each in records)
