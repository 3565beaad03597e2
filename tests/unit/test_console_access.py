"""Sign-in without a server: cookies and their seal, where one returns to, one refresh at a time."""

import asyncio
import re
import secrets
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.fernet import Fernet
from pydantic import ValidationError
from starlette.datastructures import Headers
from starlette.requests import Request

from console.access import guard
from console.access.cookies import PART_CHARACTERS, PARTS_MAX, Cookie, TooLarge
from console.access.csrf import has_token
from console.access.identity import Granted
from console.access.issuer import IssuerRefuses, Tokens, challenge_of
from console.access.metadata import IssuerAway
from console.access.pending import PENDING_MAX, Pendings
from console.access.refresh import Refreshing
from console.access.returning import safe_path
from console.access.rules import another_sign_in
from console.access.seal import Seal
from console.access.sessions import Kept, Sessions
from console.access.settings import SessionSettings
from console.api import Refused
from console.session import NotSignedIn
from console.settings import Console

SECRET, OLD, OTHER = "a" * 32, "b" * 32, "c" * 32
URL = "https://console.example"


def test_a_seal_opens_what_it_closed_and_nothing_else() -> None:
    seal = Seal((SECRET,), "session", 60)
    closed = seal.close(b"a token")
    assert seal.open(closed) == b"a token"
    assert Seal((SECRET,), "sign-in", 60).open(closed) is None, "of another purpose"
    assert Seal((OTHER,), "session", 60).open(closed) is None, "of another secret"
    for place in range(len(closed)):
        other = "A" if closed[place] != "A" else "B"
        changed = closed[:place] + other + closed[place + 1 :]
        assert seal.open(changed) in (None, b"a token")  # unused bits of the last character
        assert seal.open(closed[:place]) is None
    for text in ("", "=", "ä", "x" * 10_000, Fernet(Fernet.generate_key()).encrypt(b"").decode()):
        assert seal.open(text) is None


def test_a_new_secret_opens_what_the_old_one_closed() -> None:
    closed = Seal((OLD,), "session", 60).close(b"a token")
    both = Seal((SECRET, OLD), "session", 60)
    assert both.open(closed) == b"a token"
    assert Seal((SECRET,), "session", 60).open(closed) is None
    assert Seal((OLD,), "session", 60).open(both.close(b"")) is None, "the new one closes"


def test_a_seal_holds_for_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    seal, now = Seal((SECRET,), "session", 60), time.time()
    closed = seal.close(b"a token")
    monkeypatch.setattr("cryptography.fernet.time.time", lambda: now + 60)
    assert seal.open(closed) == b"a token"
    monkeypatch.setattr("cryptography.fernet.time.time", lambda: now + 62)
    assert seal.open(closed) is None


def parsed(lines: list[str]) -> dict[str, str]:
    pairs = (line.partition(";")[0].partition("=") for line in lines)
    return {name: value for name, _, value in pairs}


@pytest.mark.parametrize("length", [1, PART_CHARACTERS, PART_CHARACTERS + 1, PART_CHARACTERS * 2])
def test_a_long_cookie_is_of_parts_that_browsers_keep(length: int) -> None:
    cookie = Cookie(URL, "session")
    value = "x" * length
    lines = cookie.write(value, 60)
    assert len(lines) == PARTS_MAX
    assert all(len(line) <= 4096 for line in lines)
    assert cookie.read(parsed(lines)) == value
    assert ("Max-Age=0" in lines[1]) == (length <= PART_CHARACTERS), "a part of before is removed"


def test_a_cookie_that_is_too_large_says_its_size_and_limit() -> None:
    with pytest.raises(TooLarge, match=r"has 7,601 characters; the limit is 7,600"):
        Cookie(URL, "session").write("x" * (PART_CHARACTERS * PARTS_MAX + 1), 60)


def test_cookies_are_of_one_host_and_out_of_reach() -> None:
    (line, *_) = Cookie(URL, "session").write("x", 60)
    assert line == ("__Host-events-session=x; Max-Age=60; Path=/; HttpOnly; SameSite=Lax; Secure")
    (line, *_) = Cookie("http://127.0.0.1:8810", "session").write("x", 60)
    assert line == "events-8810-session=x; Max-Age=60; Path=/; HttpOnly; SameSite=Lax"


@pytest.mark.parametrize(
    "url", ["http://console.example", "https://console.example/events", "console.example", ""]
)
def test_a_console_is_on_https_or_on_this_machine(url: str) -> None:
    with pytest.raises(ValidationError, match="must be https"):
        Console(url=url)


def test_the_challenge_is_that_of_rfc_7636_appendix_b() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


ELSEWHERE = [
    "https://evil.example",
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    " //evil.example",
    "javascript:alert(1)",
    "evil",
    "",
    "/" + "x" * 2_000,
    "/a\\b",
    "/ä",
    "/sign-in?next=/",
    "/sign-out",
    "/sign-in/callback?code=x",
]


@pytest.mark.parametrize("path", ELSEWHERE)
def test_one_returns_to_no_other_site_and_not_to_the_sign_in(path: str) -> None:
    assert safe_path(path) == "/"


@pytest.mark.parametrize("path", ["/", "/search?q=a%20b&from=2026-01-31T12:00:00Z", "/sign-ins"])
def test_one_returns_to_the_page(path: str) -> None:
    assert safe_path(path) == path


@pytest.mark.parametrize(
    ("method", "headers", "foreign"),
    [
        ("GET", {}, False),
        ("GET", {"sec-fetch-site": "none", "sec-fetch-mode": "navigate"}, False),
        ("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, False),
        ("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, True),
        ("GET", {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}, True),
        ("POST", {}, False),
        ("POST", {"origin": URL}, False),
        ("POST", {"sec-fetch-site": "same-origin", "origin": URL}, False),
        ("POST", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, True),
        ("POST", {"sec-fetch-site": "same-site"}, True),
        ("POST", {"sec-fetch-site": "none"}, True),
        ("POST", {"origin": "null"}, True),
        ("POST", {"origin": f"{URL}.evil.example"}, True),
        ("POST", {"origin": URL.replace("https", "http")}, True),
        ("DELETE", {"sec-fetch-site": "same-origin", "origin": "https://evil.example"}, True),
    ],
)
def test_another_site_leads_to_pages_and_does_nothing(
    method: str, headers: dict[str, str], foreign: bool
) -> None:
    assert guard.is_foreign(method, Headers(headers), URL) == foreign


class Refreshes:
    """An issuer and an identity that count what is asked of them."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.error: Exception | None = None
        self.granted_ = Granted("dana", "acme", int(time.time()) + 600)

    async def refresh(self, refresh_token: str) -> Tokens:
        self.asked.append(refresh_token)
        await asyncio.sleep(0)
        if self.error:
            raise self.error
        return Tokens("new", "Bearer", f"after {refresh_token}")

    async def granted(self, access_token: str) -> Granted:
        return self.granted_


def made(refreshes: Refreshes, **settings: Any) -> Sessions:
    refreshing = Refreshing(refreshes, refreshes)  # type: ignore[arg-type]
    return Sessions(URL, SessionSettings(secret=SECRET, **settings), refreshing)


def request(cookies: dict[str, str] | None = None) -> Request:
    pairs = "; ".join(f"{name}={value}" for name, value in (cookies or {}).items())
    return Request(
        {
            "type": "http",
            "method": "GET",
            "raw_path": b"/search",
            "query_string": b"q=1",
            "headers": [(b"cookie", pairs.encode())],
            guard.COOKIES: [],
        }
    )


def cookies_of(answered: Request) -> dict[str, str]:
    return parsed(answered.scope[guard.COOKIES])


def session(sessions: Sessions, lives_s: int = 600, tokens: Tokens | None = None) -> dict[str, str]:
    """The cookies of a new session, whose token lives so long."""
    asked = request()
    given = tokens or Tokens("old", "Bearer", "first", "id")
    sessions.begin(asked, "Dana", given, Granted("dana", "acme", int(time.time()) + lives_s))
    return cookies_of(asked)


async def test_a_session_is_what_the_cookie_says() -> None:
    sessions = made(Refreshes())
    found = await sessions.signed_in(request(session(sessions)))
    assert (found.user, found.tenant, found.tenants) == ("Dana", "acme", ("acme",))
    assert await found.access_token() == "old"
    again = await sessions.signed_in(request(session(sessions)))
    assert again.csrf != found.csrf, "each sign-in has another"


async def test_no_cookie_leads_to_the_sign_in_and_back() -> None:
    with pytest.raises(NotSignedIn) as told:
        await made(Refreshes()).signed_in(request())
    assert told.value.where == "/sign-in?next=%2Fsearch%3Fq%3D1"


def test_a_token_that_the_api_refuses_is_made_anew_and_what_it_forbids_is_not() -> None:
    there = ("/sign-in?next=%2Fsearch%3Fq%3D1", "Sign in again")
    assert another_sign_in(request(), Refused(401, {})) == there
    assert another_sign_in(request(), Refused(403, {})) is None


async def test_many_requests_with_one_cookie_are_one_refresh() -> None:
    refreshes = Refreshes()
    sessions = made(refreshes)
    cookies = session(sessions, lives_s=30)
    asked = [request(cookies) for _ in range(20)]
    found = await asyncio.gather(*map(sessions.signed_in, asked))
    assert refreshes.asked == ["first"]
    assert {await each.access_token() for each in found} == {"new"}
    late = await sessions.signed_in(request(cookies))
    assert await late.access_token() == "new"
    assert refreshes.asked == ["first"], "the older cookie is remembered"
    after = await sessions.signed_in(request(cookies_of(asked[0])))
    assert await after.access_token() == "new"
    assert after.csrf == found[0].csrf


@pytest.mark.parametrize("error", [IssuerAway("away"), IssuerRefuses("invalid_grant")])
async def test_without_a_refresh_the_session_lasts_as_long_as_its_token(error: Exception) -> None:
    refreshes = Refreshes()
    refreshes.error = error
    sessions = made(refreshes)
    asked = request(session(sessions, lives_s=30))
    found = await sessions.signed_in(asked)
    assert await found.access_token() == "old"
    assert cookies_of(asked) == {}, "another process may have set a better one"
    with pytest.raises(NotSignedIn):
        await sessions.signed_in(request(session(sessions, lives_s=0)))


async def test_an_issuer_that_was_away_is_asked_again_and_one_that_refused_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("console.access.refresh.RETRY_S", 0)
    for error, times in ((IssuerAway("away"), 2), (IssuerRefuses("invalid_grant"), 1)):
        refreshes = Refreshes()
        refreshes.error = error
        sessions = made(refreshes)
        cookies = session(sessions, lives_s=30)
        for _ in range(2):
            await sessions.signed_in(request(cookies))
            for _ in range(10):  # turns of the loop, in which what is due is forgotten
                await asyncio.sleep(0)
        assert len(refreshes.asked) == times


async def test_a_refresh_that_brings_another_user_or_tenant_ends_the_session() -> None:
    for other in (Granted("mallory", "acme", 2**40), Granted("dana", "other", 2**40)):
        refreshes = Refreshes()
        refreshes.granted_ = other
        sessions = made(refreshes)
        asked = request(session(sessions, lives_s=30))
        with pytest.raises(NotSignedIn):
            await sessions.signed_in(asked)
        assert cookies_of(asked) == {"__Host-events-session": ""}


async def test_a_request_that_is_given_up_does_not_end_the_refresh_of_the_others() -> None:
    refreshes = Refreshes()
    refreshing = Refreshing(refreshes, refreshes)  # type: ignore[arg-type]
    first = asyncio.create_task(refreshing.refreshed("first"))
    await asyncio.sleep(0)
    second = asyncio.create_task(refreshing.refreshed("first"))
    first.cancel()
    assert (await second)[0].access_token == "new"


@pytest.mark.parametrize("limit", ["idle_s", "lifetime_s"])
async def test_a_session_ends_when_it_rests_and_in_any_case(
    limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions, now = made(Refreshes(), **{limit: 60}), time.time()
    cookies = session(sessions)
    for later, lasts in ((50, True), (61, False)):
        monkeypatch.setattr("console.access.sessions.time.time", lambda: now + later)  # noqa: B023
        assert (sessions.opened(request(cookies)) is not None) == lasts


async def test_use_puts_the_end_of_an_idle_session_off_and_not_that_of_its_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sessions, now = made(Refreshes(), idle_s=60, lifetime_s=100), time.time()
    cookies = session(sessions)
    for later in (50, 95):
        monkeypatch.setattr("console.access.sessions.time.time", lambda: now + later)  # noqa: B023
        asked = request(cookies)
        await sessions.signed_in(asked)
        cookies = cookies_of(asked)
    monkeypatch.setattr("console.access.sessions.time.time", lambda: now + 101)
    assert sessions.opened(request(cookies)) is None


async def test_a_stream_ends_when_one_signs_out() -> None:
    sessions = made(Refreshes())
    asked = request(session(sessions))
    found, kept = await sessions.signed_in(asked), sessions.opened(asked)
    assert kept is not None
    sessions.end(asked, kept)
    with pytest.raises(NotSignedIn):
        await found.access_token()


async def test_a_stream_ends_with_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions, now = made(Refreshes()), time.time()
    found = await sessions.signed_in(request(session(sessions)))
    monkeypatch.setattr("console.access.sessions.time.time", lambda: now + 601)
    with pytest.raises(NotSignedIn):
        await found.access_token()


def test_an_id_token_that_does_not_fit_is_left_out() -> None:
    sessions = made(Refreshes())
    access, identity = secrets.token_hex(3_000), secrets.token_hex(4_000)
    kept = sessions.opened(
        request(session(sessions, tokens=Tokens(access, "Bearer", "", identity)))
    )
    assert kept is not None
    assert (kept.access_token, kept.id_token) == (access, "")


def test_a_session_that_does_not_fit_is_refused() -> None:
    with pytest.raises(TooLarge):
        session(made(Refreshes()), tokens=Tokens(secrets.token_hex(8_000), "Bearer"))


TEMPLATES = Path(__file__).parent.parent.parent / "console" / "templates"


def test_every_form_that_writes_carries_the_token() -> None:
    forms = 0
    for path in TEMPLATES.rglob("*.html"):
        for form in re.findall(r"<form[^>]*method=.post.*?</form>", path.read_text(), re.DOTALL):
            assert "csrf" in form, f"{path}: {form[:100]}"
            forms += 1
    assert forms


def test_what_another_release_kept_is_no_session() -> None:
    sessions = made(Refreshes())
    seal = Seal((SECRET,), "session", 60)
    for content in (b"[]", b"{}", b"no JSON", msgspec.json.encode([1] * 10)):
        cookies = {"__Host-events-session": seal.close(content)}
        assert sessions.opened(request(cookies)) is None
    assert len(Kept.__struct_fields__) == 10


def test_sign_ins_wait_beside_each_other_and_each_answers_once() -> None:
    pendings = Pendings(URL, (SECRET,))
    asked = [request(), request()]
    begun = [pendings.begin(each, f"/{number}") for number, each in enumerate(asked)]
    cookies = cookies_of(asked[0]) | cookies_of(asked[1])
    assert len(cookies) == 2
    back = request(cookies)
    taken = pendings.take(back, begun[1].state)
    assert taken == begun[1]
    assert list(cookies_of(back).values()) == [""], "it is over"
    left = {name: value for name, value in cookies.items() if name not in cookies_of(back)}
    assert pendings.take(request(left), begun[1].state) is None
    assert pendings.take(request(left), begun[0].state) == begun[0]


def test_an_answer_that_nobody_asked_for_is_none() -> None:
    pendings = Pendings(URL, (SECRET,))
    asked = request()
    state = pendings.begin(asked, "/").state
    cookies = cookies_of(asked)
    for given in ("", "x" * 43, state[:12] + "x" * 31, f"{state}x", "ä" * 43, "../" + state[3:]):
        assert pendings.take(request(cookies), given) is None
    assert pendings.take(request(), state) is None


def test_sign_ins_that_nobody_ends_do_not_fill_the_cookies() -> None:
    pendings = Pendings(URL, (SECRET,))
    cookies: dict[str, str] = {}
    for _ in range(3 * PENDING_MAX):
        asked = request(cookies)
        pendings.begin(asked, "/")
        cookies |= cookies_of(asked)
        cookies = {name: value for name, value in cookies.items() if value}
        assert len(cookies) <= PENDING_MAX


@pytest.mark.parametrize(
    ("body", "has"),
    [
        ("csrf=right&a=1", True),
        ("csrf=wrong", False),
        ("a=1", False),
        ("csrf=right&" + "a&" * 200, False),
    ],
    ids=["right", "wrong", "none", "too many fields"],
)
def test_a_form_has_the_sessions_token(body: str, has: bool) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body.encode(), "more_body": False}

    posted = Request({"type": "http", "method": "POST", "headers": []}, receive)
    assert asyncio.run(has_token(posted, "right")) == has
