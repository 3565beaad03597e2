"""Attacks on the console's sign-in and sessions, over HTTP against the console and the local issuer."""

import base64
import json
import re
from collections.abc import Iterator

import httpx
import jwt
import pytest

from console.access.seal import Seal
from console.app import PAGES
from tests.attacks.signed_in import (
    OTHER_CLIENT,
    SECRET,
    Browser,
    Console,
    location,
    running_console,
    told,
    with_,
)
from tests.unit.test_console_access import ELSEWHERE


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with running_console(tmp_path_factory.mktemp("console")) as running:
        yield running


def refused(browser: Browser, answer: httpx.Response, status: int) -> str:
    """The page that says why nobody was signed in."""
    assert answer.status_code == status, answer.text
    assert not browser.session
    assert not browser.user()
    return answer.text


def test_a_sign_in_leads_back_to_the_page_that_was_asked_for(console: Console) -> None:
    browser = console.browser()
    asked = location(browser.get("/search?q=a%20b&range=7d"))
    path = browser.sign_in(path=told(asked)["next"])
    assert path == "/search?q=a%20b&range=7d"
    assert browser.user() == "dana"


@pytest.mark.parametrize("path", ELSEWHERE)
def test_next_leads_to_no_other_site(console: Console, path: str) -> None:
    assert console.browser().sign_in(path=path) == "/"


def test_the_host_header_leads_nowhere(console: Console) -> None:
    browser = console.browser(Host="evil.example")
    for path in ("/search", "/sign-in"):
        assert "evil.example" not in location(browser.get(path))


def test_an_answer_that_another_browser_asked_for_signs_nobody_in(console: Console) -> None:
    """Login CSRF: the victim would work in the attacker's account."""
    mallory, victim = console.browser(), console.browser()
    back = mallory.at_issuer(mallory.begin(), user="mallory")
    assert "not known here" in refused(victim, victim.get(back), 400)
    victim.begin()
    assert "not known here" in refused(victim, victim.get(back), 400)


@pytest.mark.parametrize("state", [None, "", "x", "x" * 43])
def test_a_state_that_is_not_the_one_signs_nobody_in(console: Console, state: str | None) -> None:
    browser = console.browser()
    back = browser.at_issuer(browser.begin())
    refused(browser, browser.get(with_(back, state=state)), 400)


def test_an_answer_counts_once(console: Console) -> None:
    browser = console.browser()
    back = browser.at_issuer(browser.begin())
    assert location(browser.get(back)) == "/nowhere"
    browser.client.cookies.clear()
    refused(browser, browser.get(back), 400)


def test_an_answer_that_was_caught_with_its_cookie_counts_once(console: Console) -> None:
    browser, thief = console.browser(), console.browser()
    back = browser.at_issuer(browser.begin())
    thief.client.cookies.update(browser.client.cookies)
    browser.get(back)
    assert "invalid_grant" in refused(thief, thief.get(back), 403)


def test_a_code_of_another_sign_in_is_refused(console: Console) -> None:
    """Code injection: PKCE binds the code to the browser that asked (RFC 9700 section 4.5)."""
    mallory, victim = console.browser(), console.browser()
    code = told(mallory.at_issuer(mallory.begin(), user="mallory"))["code"]
    back = victim.at_issuer(victim.begin())
    assert "invalid_grant" in refused(victim, victim.get(with_(back, code=code)), 403)


def test_a_code_of_another_client_is_refused(console: Console) -> None:
    browser = console.browser()
    back = browser.at_issuer(with_(browser.begin(), client_id=OTHER_CLIENT))
    assert "invalid_grant" in refused(browser, browser.get(back), 403)


@pytest.mark.parametrize("nonce", [None, "of another sign-in"])
def test_an_id_token_without_the_nonce_is_refused(console: Console, nonce: str | None) -> None:
    browser = console.browser()
    back = browser.at_issuer(with_(browser.begin(), nonce=nonce))
    assert "of another sign-in" in refused(browser, browser.get(back), 403)


def test_without_an_id_token_nobody_signs_in(console: Console) -> None:
    browser = console.browser()
    back = browser.at_issuer(with_(browser.begin(), scope="authentication"))
    refused(browser, browser.get(back), 403)


def test_a_token_that_the_api_would_refuse_is_said_at_the_sign_in(console: Console) -> None:
    browser = console.browser()
    back = browser.at_issuer(with_(browser.begin(), scope="openid reading"))
    assert "lacks the scope authentication" in refused(browser, browser.get(back), 403)


@pytest.mark.parametrize("issuer", [None, "https://evil.example"])
def test_an_answer_of_another_issuer_is_refused(console: Console, issuer: str | None) -> None:
    """Mix-up: RFC 9207."""
    browser = console.browser()
    back = browser.at_issuer(browser.begin())
    assert "Another issuer" in refused(browser, browser.get(with_(back, iss=issuer)), 400)


@pytest.mark.parametrize("code", [None, "", "x", "x" * 5_000, "a&b=c", "\0"])
def test_a_code_that_is_none_is_refused(console: Console, code: str | None) -> None:
    browser = console.browser()
    back = browser.at_issuer(browser.begin())
    answer = browser.get(with_(back, code=code))
    refused(browser, answer, 403 if code and len(code) < 5_000 else 400)


def test_the_words_of_an_answer_are_not_shown(console: Console) -> None:
    words = {"error": "<script>alert(1)</script>", "error_description": "Call 555-1234"}
    browser = console.browser()
    back = browser.at_issuer(browser.begin())
    for answer in (
        browser.get(with_(back, code=None, **words)),
        browser.get(with_(back, code=None, **words)),
    ):
        assert "555-1234" not in answer.text
        assert "<script>alert" not in answer.text


def test_sign_in_is_begun_by_going_there_and_not_by_a_page_that_loads_it(console: Console) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    answer = console.browser().get("/sign-in", **foreign)
    assert (answer.status_code, answer.headers.get("set-cookie")) == (403, None)


def test_a_sign_in_makes_a_new_session(console: Console) -> None:
    """Session fixation: what was there before is no part of it."""
    mallory, victim = console.browser(), console.browser()
    mallory.sign_in("mallory")
    victim.client.cookies.update(mallory.client.cookies)
    before = victim.session
    old = victim.csrf()
    victim.sign_in("dana")
    assert victim.session != before
    assert victim.csrf() != old
    assert (victim.user(), mallory.user()) == ("dana", "mallory")


def test_a_cookie_that_was_changed_is_no_session(console: Console) -> None:
    browser = console.browser()
    browser.sign_in()
    whole = browser.session
    (name,) = browser.client.cookies
    for place in (0, 1, 9, 30, len(whole) // 2, len(whole) - 40):
        changed = whole[:place] + ("A" if whole[place] != "A" else "B") + whole[place + 1 :]
        browser.client.cookies.set(name, changed)
        assert not browser.user()


def test_what_is_sealed_for_another_purpose_or_by_another_is_no_session(console: Console) -> None:
    browser = console.browser()
    browser.begin()
    (pending,) = browser.client.cookies.values()
    name = f"events-{console.url.rpartition(':')[2]}-session"
    content = json.dumps(["i", "root", "acme", "root", "t", 2**40, "", "", 2**40, 2**40]).encode()
    for value in (
        pending,
        Seal((SECRET + "x",), "session", 60).close(content),
        base64.urlsafe_b64encode(content).decode(),
    ):
        browser.client.cookies.clear()
        browser.client.cookies.set(name, value)
        assert not browser.user()


SITES = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.mark.parametrize("headers", SITES)
def test_a_form_of_another_site_does_nothing_even_with_the_token(
    console: Console, headers: dict[str, str]
) -> None:
    browser = console.browser()
    browser.sign_in()
    answer = browser.post("/sign-out", {"csrf": browser.csrf()}, **headers)
    assert answer.status_code == 403
    assert browser.user() == "dana"


def test_a_form_without_the_sessions_own_token_does_nothing(console: Console) -> None:
    browser, mallory = console.browser(), console.browser()
    browser.sign_in()
    mallory.sign_in("mallory")
    for given in ({}, {"csrf": ""}, {"csrf": mallory.csrf()}, {"csrf": "ä"}):
        assert browser.post("/sign-out", given).status_code == 403
    assert browser.user() == "dana"
    own = {"Origin": console.url, "Sec-Fetch-Site": "same-origin"}
    assert browser.post("/sign-out", {"csrf": browser.csrf()}, **own).status_code == 303
    assert not browser.user()


PATHS = [(method, re.sub(r"{[^}]+}", "x", path)) for method, path, _ in PAGES]
WRITES = [path for method, path in PATHS if method != "GET"]


@pytest.mark.parametrize("path", WRITES)
def test_every_page_that_writes_wants_the_sessions_token(console: Console, path: str) -> None:
    browser, mallory = console.browser(), console.browser()
    browser.sign_in()
    mallory.sign_in("mallory")
    for given in ({}, {"csrf": mallory.csrf()}):
        assert browser.post(path, given).status_code == 403
        token = given.get("csrf", "")
        assert browser.post(path, {}, X_CSRF_Token=token).status_code == 403
    for headers in SITES:
        assert browser.post(path, {"csrf": browser.csrf()}, **headers).status_code == 403


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_no_page_is_made_for_nobody(console: Console, method: str, path: str) -> None:
    browser = console.browser()
    answer = browser.get(path) if method == "GET" else browser.post(path, {})
    assert location(answer).startswith("/sign-in?next=")
    assert not answer.text


def test_a_large_body_is_not_read(console: Console) -> None:
    browser = console.browser()
    browser.sign_in()
    assert browser.post("/sign-out", {"csrf": "x" * 2_000_000}).status_code == 413


def test_the_page_of_another_tenant_is_refused_and_the_own_one_shown(console: Console) -> None:
    browser = console.browser()
    browser.sign_in(tenant="acme")
    answer = browser.get("/nowhere?tenant=other")
    assert answer.status_code == 403
    assert "/sign-in?next=%2Fnowhere%3Ftenant%3Dother&amp;tenant=other" in answer.text
    assert browser.get("/nowhere?tenant=acme").status_code == 404


def test_signing_out_ends_the_session_here_and_at_the_issuer(console: Console) -> None:
    browser = console.browser()
    browser.sign_in()
    leaves = location(browser.post("/sign-out", {"csrf": browser.csrf()}))
    assert leaves.startswith(f"{console.issuer}/end-session?")
    assert location(browser.get(leaves)) == f"{console.url}/signed-out"
    assert browser.get(f"{console.url}/signed-out").status_code == 200
    assert not browser.session


def test_a_copy_of_the_cookie_is_no_session_after_signing_out(console: Console) -> None:
    browser, thief = console.browser(), console.browser()
    browser.sign_in()
    thief.client.cookies.update(browser.client.cookies)
    assert thief.user() == "dana"
    browser.post("/sign-out", {"csrf": browser.csrf()})
    assert not thief.user()


SHOWN = ["/nowhere", "/signed-out", "/sign-in/callback", "/healthz", "/static/nothing", "/sign-in"]


@pytest.mark.parametrize("path", SHOWN)
def test_no_page_is_shown_in_a_frame_or_runs_what_is_not_a_file_of_ours(
    console: Console, path: str
) -> None:
    browser = console.browser()
    browser.sign_in()
    headers = browser.get(path).headers
    policy = headers["content-security-policy"].split("; ")
    assert {"default-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} <= set(policy)
    assert f"form-action 'self' {console.issuer}" in policy
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    if path in ("/nowhere", "/signed-out", "/sign-in"):
        assert headers["cache-control"] == "no-store"


def test_a_script_that_asks_without_a_session_is_told_and_not_led_away(console: Console) -> None:
    asked = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
    answer = console.browser().get("/nowhere", **asked, Referer=f"{console.url}/search?range=7d")
    assert answer.status_code == 401
    assert answer.json() == {"sign_in": "/sign-in?next=%2Fsearch%3Frange%3D7d"}


def test_tokens_are_in_no_page_no_address_and_no_log(console: Console) -> None:
    browser = console.browser()
    browser.sign_in()
    for path in ("/nowhere", "/search", "/sign-in/callback?state=x", "/nowhere?tenant=other"):
        browser.get(path)
    for name in re.findall(r'"(/static/[^"]+)"', browser.get("/nowhere").text):
        browser.get(name)
    sealed = browser.session
    browser.post("/sign-out", {"csrf": browser.csrf()})
    content = Seal((SECRET,), "session", 600).open(sealed)
    assert content is not None
    kept = json.loads(content)
    access, refresh = kept[4], kept[6]
    assert jwt.get_unverified_header(access)["typ"] == "at+jwt"
    assert len(refresh) > 40
    log = console.logged()
    assert "Application startup complete" in log
    for secret in (access, access.rpartition(".")[2], refresh, refresh.partition(".")[2], sealed):
        assert secret not in log
        for answer in browser.seen:
            assert secret not in answer.text
            assert secret not in str(answer.url)
            assert secret not in answer.headers.get("location", "")
    codes = [told(str(answer.url)).get("code", "") for answer in browser.seen]
    assert not any(code and code in log for code in codes)


def test_a_refresh_token_of_the_cookie_changes_and_the_session_goes_on(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with running_console(tmp_path_factory.mktemp("short"), lifetime_s=60) as console:
        browser = console.browser()
        browser.sign_in()
        seen = {browser.session}
        for number in range(2, 6):
            assert browser.user() == "dana"
            seen.add(browser.session)
            assert len(seen) == number, "each request was given a new cookie"


def test_behind_a_proxy_the_console_is_where_its_setting_says(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    own = {"EVENTS_CONSOLE__URL": "https://console.example"}
    with running_console(tmp_path_factory.mktemp("proxied"), settings=own) as console:
        answer = console.browser(**{"X-Forwarded-Host": "evil.example"}).get("/sign-in")
        asked = told(location(answer))
        assert asked["redirect_uri"] == "https://console.example/sign-in/callback"
        [cookie] = answer.headers.get_list("set-cookie")
        assert cookie.startswith("__Host-events-sign-in-")
        assert cookie.endswith("; Path=/; HttpOnly; SameSite=Lax; Secure")
        assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_a_console_without_a_secret_shows_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    none = {"EVENTS_SESSION__SECRET": ""}
    with running_console(tmp_path_factory.mktemp("none"), settings=none) as console:
        answer = console.browser().get("/search")
        assert answer.status_code == 503
        assert "EVENTS_SESSION__SECRET" in answer.text
