"""Audit, rebuild and accept-log as an operator runs them: what is printed, and the exit code.

`events audit` and `python -m processors audit` are both this: the first knows the local stack and has
a progress bar, the second is in the production image. Results go to standard output, everything
else to standard error.
"""

import contextlib
import json
import logging
from collections.abc import AsyncIterator
from typing import Literal

import uvloop

from processors.consume.replay import Log, Progress
from processors.consume.step import Halt, Transient
from processors.settings import SetupSettings
from processors.upkeep import report
from processors.upkeep.acceptance import NotACopy, accept, number_of
from processors.upkeep.account import Account
from processors.upkeep.audit import Audit, Unprovable
from processors.upkeep.database import Database
from processors.upkeep.operator import DONE, INTERRUPTED, NOT_DONE, WRONG, Operator
from processors.upkeep.rebuild import Outcome, Rebuild
from processors.upkeep.swap import Refused
from service.clickhouse import ClickHouse
from service.settings import BadSettings

AGAIN = "Run it again: it goes on where it stopped."


def audit(by: Operator, *, to_end: bool, as_json: bool) -> int:
    """Prove that ClickHouse says what the log says: see `processors.upkeep.audit`."""
    quieten()
    try:
        with by.bar() as progress:
            account = uvloop.run(_audit(by.settings(), to_end, progress))
    except (BadSettings, Unprovable, Halt, Transient) as error:
        by.complain(f"Not proven. {error}")
        return NOT_DONE
    except KeyboardInterrupt:
        return INTERRUPTED
    _show(by, account, as_json)
    return DONE if account.proven else WRONG


async def _audit(settings: SetupSettings, to_end: bool, progress: Progress) -> Account:
    async with connected(settings) as (log, database):
        number = await number_of(await log.topic_id(), log, database)
        return await Audit(log, number, database)(to_end=to_end, progress=progress)


def rebuild(by: Operator, *, yes: bool, keep_old: bool, as_json: bool) -> int:
    """Replay the log into a fresh table and swap it in: see `processors.upkeep.rebuild`."""
    quieten()
    try:
        settings = by.settings()
        if not yes:
            by.ask(f"Replace the table of events in {settings.clickhouse.url}?")
        with by.bar() as progress:
            account, swapped, kept = uvloop.run(_rebuild(settings, keep_old, progress))
    except (BadSettings, Unprovable, Refused, Halt) as error:
        by.complain(f"Not rebuilt. {error}")
        return NOT_DONE
    except Transient as error:
        by.complain(f"Not rebuilt yet. {error}\n{AGAIN}")
        return NOT_DONE
    except KeyboardInterrupt:
        by.complain(f"Not rebuilt yet. {AGAIN}")
        return INTERRUPTED
    _show(by, account, as_json)
    if not swapped:
        by.complain(
            f"Nothing was swapped: the table in use stays. The fresh one is kept as {kept}; look at it,"
            " or drop it to begin anew."
        )
        return WRONG
    if kept:
        by.note(f"The old table is kept: {kept}.")
    if not account.proven:
        by.complain(
            "If all that is missing cannot be had, drop the old table and run it again to end this."
        )
        return WRONG
    return DONE


async def _rebuild(settings: SetupSettings, keep_old: bool, progress: Progress) -> Outcome:
    async with connected(settings) as (log, database):
        number = await number_of(await log.topic_id(), log, database)
        return await Rebuild(log, number, database)(keep_old=keep_old, progress=progress)


def accept_log(by: Operator, kind: Literal["new", "copy"]) -> int:
    """Say what a topic is that was made anew: see `processors.upkeep.acceptance`."""
    quieten()
    try:
        with by.bar() as progress:
            number = uvloop.run(_accept(by.settings(), kind, progress))
    except NotACopy as error:
        by.complain(f"It is no copy of the log that the table was made from. {error}")
        return WRONG
    except (BadSettings, Unprovable, Transient) as error:
        by.complain(f"Not accepted. {error}")
        return NOT_DONE
    by.say(f"Accepted as log {number}.")
    return DONE


async def _accept(settings: SetupSettings, kind: Literal["new", "copy"], progress: Progress) -> int:
    async with connected(settings) as (log, database):
        return await accept(kind, log, database, progress)


@contextlib.asynccontextmanager
async def connected(settings: SetupSettings) -> AsyncIterator[tuple[Log, Database]]:
    """Both servers, for as long as the context is open."""
    clickhouse = ClickHouse(settings.clickhouse, settings.tables.cluster)
    try:
        async with Log.connected(settings.kafka) as log:
            yield log, Database(clickhouse, settings.clickhouse)
    finally:
        await clickhouse.close()


def _show(by: Operator, account: Account, as_json: bool) -> None:
    if as_json:
        by.say(json.dumps(report.document(account)))
    else:
        by.say("\n".join(report.lines(account)))


def quieten() -> None:
    """Have the Kafka client log nothing."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what matters is raised
