"""`audit --deliveries` as an operator runs it: what is printed, and the exit code."""

import json

import uvloop

from processors.consume.replay import Progress
from processors.consume.step import Halt, Transient
from processors.settings import SetupSettings
from processors.upkeep.acceptance import number_of
from processors.upkeep.audit import Unprovable
from processors.upkeep.commands import connected, quieten
from processors.upkeep.deliveries import report
from processors.upkeep.deliveries.account import Account
from processors.upkeep.deliveries.audit import DeliveriesAudit
from processors.upkeep.deliveries.period import SINCE_DEFAULT, Period, When, period
from processors.upkeep.operator import DONE, INTERRUPTED, NOT_DONE, WRONG, Operator
from service.settings import BadSettings

DELIVERIES_HELP = (
    "Prove instead that each event was delivered to each subscription that it matched, is dead with a"
    " cause, cancelled, or waits; print the rest."
)
SINCE_HELP = (
    f"With --deliveries: events of so long ago and later, 90m, 24h, 7d; {SINCE_DEFAULT} by default."
)
FROM_HELP = "With --deliveries: events received then or later (RFC 3339)."
TO_HELP = "With --deliveries: events received before (RFC 3339)."
NEEDS_DELIVERIES = "Not proven. --since, --from and --to go with --deliveries."


def audit_deliveries(by: Operator, when: When, *, to_end: bool, as_json: bool) -> int:
    """Prove what became of every delivery: see `processors.upkeep.deliveries.audit`."""
    quieten()
    try:
        if to_end:
            raise Unprovable("--to-end does not go with --deliveries: what is on its way waits.")
        asked = period(when)
        with by.bar() as progress:
            account = uvloop.run(_audit(by.settings(), asked, progress))
    except (BadSettings, Unprovable, Halt, Transient) as error:
        by.complain(f"Not proven. {error}")
        return NOT_DONE
    except KeyboardInterrupt:
        return INTERRUPTED
    by.say(json.dumps(report.document(account)) if as_json else "\n".join(report.lines(account)))
    return DONE if account.proven else WRONG


async def _audit(settings: SetupSettings, asked: Period, progress: Progress) -> Account:
    async with connected(settings) as (log, database):
        number = await number_of(await log.topic_id(), log, database)
        audited = DeliveriesAudit(log, database.deliveries(), database.rows(number))
        return await audited(asked, progress)
