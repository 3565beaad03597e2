"""The parts of sign-in, joined from the settings."""

from console.access.identity import Identity
from console.access.issuer import Issuer
from console.access.pending import Pendings
from console.access.refresh import Refreshing
from console.access.sessions import Sessions
from console.access.settings import SessionSettings, SignInSettings
from console.access.sign_in import CALLBACK, Parts
from service.connections import Access


def parts_of(
    url: str, access: Access, sign_in: SignInSettings, session: SessionSettings
) -> Parts | None:
    """Those of the console at `url`; None without a secret, when nobody can sign in."""
    if not session.secrets:
        return None
    issuer = Issuer(access.issuer, sign_in, f"{url}{CALLBACK}")
    identity = Identity(access, sign_in.client_id)
    sessions = Sessions(url, session, Refreshing(issuer, identity))
    return Parts(issuer, identity, sessions, Pendings(url, session.secrets))
