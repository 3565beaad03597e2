"""ClickHouse without a server: chDB, the engine as a library, behind ClickHouse's HTTP protocol.

For one machine and its own user: it listens on loopback, takes any user, password and role and holds
its data in one folder. Clients that speak to ClickHouse over HTTP work unchanged
(docs/reference/clients.md); not served are progress headers and the native TCP protocol.
"""
