// @clickhouse/client at its defaults; prints what it saw as JSON. Argument: host:port.
import { createClient } from '@clickhouse/client'

const client = createClient({ url: `http://${process.argv[2]}` })
const ask = async (query) => (await client.query({ query, format: 'JSONCompactEachRow' })).json()

await client.command({ query: 'DROP TABLE IF EXISTS of_node' })
await client.command({
  query: 'CREATE TABLE of_node (a UInt64, s String) ENGINE = MergeTree ORDER BY a',
})
const values = Array.from({ length: 1000 }, (_, n) => ({ a: n, s: `text ${n}` }))
const { summary } = await client.insert({ table: 'of_node', values, format: 'JSONEachRow' })
const seen = { written: Number(summary.written_rows) }
const counted = await ask("SELECT count(), max(a) FROM of_node WHERE s != 'text 0'")
seen.rows = counted[0].map(Number)
seen.empty = await ask('SELECT a FROM of_node WHERE a > 5000')
const session = createClient({ url: `http://${process.argv[2]}`, session_id: 'of node' })
await session.command({ query: 'CREATE TEMPORARY TABLE kept (a UInt8)' })
await session.insert({ table: 'kept', values: [{ a: 1 }], format: 'JSONEachRow' })
const kept = await session.query({ query: 'SELECT a FROM kept', format: 'JSONCompactEachRow' })
seen.kept = (await kept.json())[0][0]
try {
  await ask('SELECT * FROM nowhere')
} catch (error) {
  seen.error = error.code === '60'
}
await client.close()
await session.close()
console.log(JSON.stringify(seen))
