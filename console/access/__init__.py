"""Who may look: sign-in at the issuer, and sessions that live in an encrypted cookie.

    sign_in: to the issuer and back -> identity: who that is -> sessions: kept as cookies, sealed
    a request: guard -> sessions: opened, refreshed -> a page

Tokens never reach a page, a script, a URL or a log: they are in cookies that only this process can read.
"""
