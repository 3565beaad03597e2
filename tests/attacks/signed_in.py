"""A console with the local issuer, as two processes, and browsers that sign in to it."""

import contextlib
import html
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx

from tests.processes import free_port, running_module

SECRET = "a secret of the tests, of 32 characters"
CLIENT, OTHER_CLIENT = "console", "other"


@dataclass
class Console:
    """The addresses of both, and what the console logged."""

    url: str
    issuer: str
    log: Path
    opened: contextlib.ExitStack

    def browser(self, **headers: str) -> "Browser":
        """A browser without cookies."""
        client = httpx.Client(headers=headers, timeout=60)
        return Browser(self, self.opened.enter_context(client))

    def logged(self) -> str:
        return self.log.read_text()


@dataclass
class Browser:
    """Follows by hand, so that a test can change what is on the way."""

    console: Console
    client: httpx.Client
    seen: list[httpx.Response] = field(default_factory=list)

    def get(self, url: str, **headers: str) -> httpx.Response:
        """GET a path of the console, or another address."""
        return self._noted(self.client.get(self._at(url), headers=headers))

    def post(self, url: str, form: dict[str, str], **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return self._noted(self.client.post(self._at(url), data=form, headers=named))

    def begin(self, path: str = "/nowhere") -> str:
        """Where the console sends one to sign in."""
        return location(self.get("/sign-in?" + str(httpx.QueryParams(next=path))))

    def at_issuer(self, asked: str, user: str = "dana", tenant: str = "acme") -> str:
        """Where the issuer's page leads back to."""
        page = self._noted(httpx.get(asked))
        assert page.status_code == 200, page.text
        found = re.findall(r'type="hidden" name="([a-z_]+)" value="([^"]*)"', page.text)
        form = {name: html.unescape(text) for name, text in found}
        action = asked.partition("?")[0]
        typed = {"user": user, "tenant": tenant}
        return location(self._noted(httpx.post(action, data=form | typed)))

    def sign_in(self, user: str = "dana", tenant: str = "acme", path: str = "/nowhere") -> str:
        """Sign in; where that leads to."""
        back = self.get(self.at_issuer(self.begin(path), user, tenant))
        assert self.session, back.text
        return location(back)

    @property
    def session(self) -> str:
        """The session's cookie; empty when there is none."""
        name = f"events-{urlsplit(self.console.url).port}-session"
        return str(self.client.cookies.get(name, ""))

    def user(self) -> str:
        """Who the console thinks this is; empty when nobody."""
        page = self.get("/nowhere")
        found = re.search(r'<span class="user">(?:<[^>]*>)?([^<]*)', page.text)
        return found[1] if page.status_code == 404 and found else ""

    def csrf(self) -> str:
        """The token of the forms that this session is shown."""
        found = re.search(r'name="csrf" (?:value|content)="([^"]*)"', self.get("/nowhere").text)
        assert found is not None
        return found[1]

    def _at(self, url: str) -> str:
        return url if url.startswith("http") else self.console.url + url

    def _noted(self, answer: httpx.Response) -> httpx.Response:
        self.seen.append(answer)
        return answer


def location(answer: httpx.Response) -> str:
    """Where a redirect leads to."""
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def told(url: str) -> dict[str, str]:
    """The parameters of an address."""
    return dict(parse_qsl(urlsplit(url).query))


def with_(url: str, **changes: str | None) -> str:
    """The address with other parameters; None leaves one out."""
    kept = {name: text for name, text in (told(url) | changes).items() if text is not None}
    return f"{url.partition('?')[0]}?{httpx.QueryParams(kept)}"


@contextlib.contextmanager
def running_issuer(folder: Path, port: int, console: str, lifetime_s: int) -> Iterator[str]:
    """The local issuer with the console's client, and another one at the same addresses."""
    addresses = f"{console}/sign-in/callback,{console}/signed-out"
    arguments = ["--path", str(folder), "--port", str(port), "--lifetime", str(lifetime_s)]
    for client in (CLIENT, OTHER_CLIENT):
        arguments += ["--client", f"{client}={addresses}"]
    url = f"http://127.0.0.1:{port}"
    with running_module("local.issuer", *arguments, ready=f"{url}/healthz"):
        yield url


@contextlib.contextmanager
def running_console(
    folder: Path, lifetime_s: int = 600, settings: Mapping[str, str] | None = None
) -> Iterator[Console]:
    """Both, for as long as the context is open; the API is not there."""
    port = free_port(3)
    url, issuer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}"
    given = {
        "EVENTS_HTTP__PORT": str(port),
        "EVENTS_HTTP__METRICS_PORT": "0",
        "EVENTS_CONSOLE__URL": url,
        "EVENTS_CONSOLE__API_URL": f"http://127.0.0.1:{port + 2}",
        "EVENTS_ACCESS__ISSUER": issuer,
        "EVENTS_ACCESS__JWKS_URL": f"{issuer}/jwks",
        "EVENTS_SESSION__SECRET": SECRET,
    }
    log = folder / "console.log"
    with contextlib.ExitStack() as stack:
        stack.enter_context(running_issuer(folder / "issuer", port + 1, url, lifetime_s))
        environment = os.environ | given | dict(settings or {})
        ready = f"{url}/healthz"
        stack.enter_context(
            running_module("console", ready=ready, environment=environment, output=log)
        )
        yield Console(url, issuer, log, stack)
