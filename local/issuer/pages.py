"""The issuer's pages, without script: signing in, signed out, a request that leads nowhere."""

import base64
import hashlib
from collections.abc import Mapping
from html import escape

from starlette.responses import HTMLResponse

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
:root { background: light-dark(#fff, #121212); color: light-dark(#191c22, #eee); }
body { max-width: 24rem; margin: 12vh auto; padding: 0 1rem; }
h1 { font-size: 1.25rem; }
label { display: block; margin-top: 1rem; }
input, button {
  font: inherit; box-sizing: border-box; width: 100%; padding: .5rem .6rem;
  border-radius: .35rem; border: 1px solid GrayText;
}
button {
  margin-top: 1.5rem; border-color: transparent; cursor: pointer;
  background: light-dark(#1d4ed8, #93b4ff); color: light-dark(#fff, #0b1220);
}
:focus-visible { outline: 3px solid light-dark(#1d4ed8, #93b4ff); outline-offset: 2px; }
.wrong { color: light-dark(#b00020, #ff9aa8); }
p { color: light-dark(#444, #bbb); }
"""
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
NAME = 'required maxlength="64" autocapitalize="none" spellcheck="false"'


def sign_in_page(
    asked: Mapping[str, str], tenant: str, user: str, wrong: str, returns_to: str
) -> HTMLResponse:
    """Asks who it is; the form carries the request on. `returns_to` is the client's origin."""
    carried = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(text)}">'
        for name, text in asked.items()
        if name not in ("tenant", "login_hint")
    )
    complaint = f'<p class="wrong" role="alert">{escape(wrong)}</p>' if wrong else ""
    body = f"""<h1>Sign in to {escape(asked["client_id"])}</h1>
<p>This is the local issuer of this machine. It asks for no password:
whoever opens this page may be anybody.</p>
{complaint}<form method="post" action="authorize">{carried}
<label for="tenant">Tenant</label>
<input id="tenant" name="tenant" value="{escape(tenant)}" {NAME} autofocus>
<label for="user">Your name</label>
<input id="user" name="user" value="{escape(user)}" {NAME} autocomplete="username">
<button>Sign in</button></form>"""
    # browsers apply form-action to where the answer to a form leads, too
    return _page("Sign in", body, 400 if wrong else 200, f"'self' {returns_to}")


def told_page(title: str, text: str, status: int) -> HTMLResponse:
    """A page that says one thing."""
    return _page(title, f"<h1>{escape(title)}</h1><p>{escape(text)}</p>", status, "'none'")


def _page(title: str, body: str, status: int, forms_lead_to: str) -> HTMLResponse:
    html = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body><main>{body}</main></body></html>"
    )
    policy = (
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; form-action {forms_lead_to};"
        " frame-ancestors 'none'; base-uri 'none'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(html, status, headers)
