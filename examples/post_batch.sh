#!/usr/bin/env bash
# Post a file of at most 10,000 events (NDJSON) as one batch with curl: compressed, repeated safely.
#
#     TOKEN=$(events token) examples/post_batch.sh FILE NAME
#
# NAME names this posting: the same FILE posted again under the same NAME counts once. curl repeats
# lost connections and a refused request (429, 503) as Retry-After says. Prints the answer: of a 207,
# look at the items; those with 503 are brought in by running it again.
set -euo pipefail
usage="Usage: TOKEN=\$(events token) examples/post_batch.sh FILE NAME"
: "${TOKEN:?$usage}" "${1:?$usage}" "${2:?$usage}"
gzip -c "$1" | curl -sS --fail-with-body --max-time 30 \
  --retry 5 --retry-all-errors --retry-max-time 60 \
  "${EVENTS_API:-http://127.0.0.1:8800}/api/v1/events:batch" \
  -H "Authorization: Bearer $TOKEN" -H "X-TWC-Tenant: ${EVENTS_TENANT:-acme}" \
  -H "Content-Type: application/x-ndjson" -H "Content-Encoding: gzip" \
  -H "Idempotency-Key: $2" --data-binary @-
