"""The local OAuth 2.0 issuer: tokens for one machine, from `keys`, granted by `app`.

It stands where a real OAuth 2.0 or OIDC issuer stands in production, and is none: everybody with
the folder's one secret is every tenant.
"""
