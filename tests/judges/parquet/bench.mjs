// SPDX-License-Identifier: Apache-2.0
//
// DuckDB's part of bench/parquet: loads our file into memory, then writes it and reads it back, timed.
//
//   node bench.mjs OUR_FILE ITS_FILE THREADS RUNS
//
// Prints one line of JSON: for "write" (COPY in the V2 encodings, zstd), "read" (its own file) and "read_ours" the best of
// the runs, as wall and processor seconds.
import { statSync } from 'node:fs'
import { DuckDBInstance } from '@duckdb/node-api'

const [ours, its, threads, runs] = process.argv.slice(2)
const connection = await (await DuckDBInstance.create(':memory:')).connect()
await connection.run(`SET threads = ${threads}`)
await connection.run("SET TimeZone = 'UTC'")
await connection.run(`CREATE TABLE ticks AS SELECT * FROM read_parquet('${ours}')`)

async function timed(run) {
  const best = { seconds: Infinity, cpu: Infinity }
  for (let i = 0; i < Number(runs); i++) {
    const cpu = process.cpuUsage()
    const start = process.hrtime.bigint()
    await run()
    const used = process.cpuUsage(cpu)
    best.seconds = Math.min(best.seconds, Number(process.hrtime.bigint() - start) / 1e9)
    best.cpu = Math.min(best.cpu, (used.user + used.system) / 1e6)
  }
  return best
}

const read = (path) => connection.runAndReadAll(`SELECT sum(epoch_us(ts)), sum(price), sum(bid), sum(ask), sum(volume),
  sum(quantity), sum(strlen(symbol)) FROM read_parquet('${path}')`)

const write = await timed(() => connection.run(
  `COPY ticks TO '${its}' (FORMAT parquet, CODEC 'zstd', PARQUET_VERSION V2)`))
const result = { write: { ...write, bytes: statSync(its).size }, read: await timed(() => read(its)),
  read_ours: await timed(() => read(ours)) }
console.log(JSON.stringify(result))
