"""The local OAuth 2.0 and OpenID Connect issuer of one machine: `app` lists its endpoints.

    /authorize: front, authorize, pages -> a code: grants -> /token: tokens, request -> signed: keys

It stands where a real issuer stands in production, and is none: everybody with the folder's one secret is
every tenant, and everybody who can open its page is every user.
"""
