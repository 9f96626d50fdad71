// SPDX-License-Identifier: Apache-2.0
//
// Compares our Parquet files with what three independent implementations read, and theirs with what we read.
//
//   node judge.mjs PARQUET_JUDGE DIRECTORY [full]
//
// PARQUET_JUDGE is the program built from parquet-judge.c, which tells the form of what is expected.
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { DuckDBInstance } from '@duckdb/node-api'
import { parquetRead } from 'hyparquet'
import { asyncBufferFromFile } from 'hyparquet/src/node.js'
import { compressors } from 'hyparquet-compressors'
import { readParquet } from 'parquet-wasm'
import * as arrow from 'apache-arrow'
import { foreignFiles } from './foreign.mjs'
import { Expected, MISSING } from './expected.mjs'

const [judge, directory, mode] = process.argv.slice(2)
let passed = 0
let failed = 0

function report(name, problem) {
  if (problem) {
    failed++
    console.log(`not ok - ${name}: ${problem}`)
  } else {
    passed++
  }
}

// A column that a reader gives is right where its values in PLAIN form are the expected bytes. Readers that go through a
// JavaScript number lose the payload of NaN, and then every NaN is as good as another.
function compare(expected, column, rows, valueAt, loose) {
  for (let i = 0; i < rows; i++) {
    const wanted = expected.next()
    const got = valueAt(i)
    if (wanted === MISSING || got === null || got === undefined) {
      if (wanted === MISSING && (got === null || got === undefined)) continue
      return `row ${i} is ${got}, expected ${wanted === MISSING ? 'nothing' : wanted.toString('hex')}`
    }
    const bytes = Buffer.isBuffer(got) ? got : plain(column, got)
    if (bytes === undefined) {
      if (got instanceof Micros ? got.isTimeOf(wanted) : isCloseDecimal(column, got, wanted)) continue
    } else if (bytes.equals(wanted) || (loose && bothNaN(column, bytes, wanted))) {
      continue
    }
    return `row ${i} is ${got} (${bytes?.toString('hex')}), expected ${wanted.toString('hex')}`
  }
  return undefined
}

function bothNaN(column, a, b) {
  if (column.type === 'DOUBLE') return Number.isNaN(a.readDoubleLE()) && Number.isNaN(b.readDoubleLE())
  if (column.type === 'FLOAT') return Number.isNaN(a.readFloatLE()) && Number.isNaN(b.readFloatLE())
  return false
}

function bigEndian(bytes) {
  return BigInt.asIntN(8 * bytes.length, BigInt('0x' + bytes.toString('hex')))
}

function unscaled(column, wanted) {
  if (column.type === 'INT32') return BigInt(wanted.readInt32LE())
  if (column.type === 'INT64') return wanted.readBigInt64LE()
  return bigEndian(wanted)
}

// hyparquet makes a number of every decimal.
function isCloseDecimal(column, got, wanted) {
  const value = Number(unscaled(column, wanted)) / 10 ** column.scale
  return Math.abs(got - value) <= Math.abs(value) * 1e-12
}

// A value in PLAIN form; undefined where it has lost its exactness.
function plain(column, value) {
  const out = Buffer.alloc(column.type === 'INT32' || column.type === 'FLOAT' ? 4 : 8)
  if (typeof value === 'string') return Buffer.from(value, 'utf8')
  if (value instanceof Micros) return undefined
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.length)
  switch (column.type) {
    case 'BOOLEAN':
      return Buffer.from([value ? 1 : 0])
    case 'INT32':
      if (column.logical.startsWith('DECIMAL') && typeof value !== 'bigint') return undefined
      out.writeInt32LE(Number(BigInt.asIntN(32, BigInt(value))))
      return out
    case 'INT64':
      if (column.logical.startsWith('DECIMAL') && typeof value !== 'bigint') return undefined
      out.writeBigInt64LE(BigInt.asIntN(64, BigInt(value)))
      return out
    case 'FLOAT':
      out.writeFloatLE(value)
      return out
    case 'DOUBLE':
      out.writeDoubleLE(value)
      return out
  }
  if (typeof value !== 'bigint') return undefined
  return Buffer.from(BigInt.asUintN(128, value).toString(16).padStart(32, '0'), 'hex')
}

// DuckDB has instants in microseconds only: of nanoseconds it gives the microsecond that they are in.
class Micros {
  constructor(value) {
    this.value = value
  }

  isTimeOf(wanted) {
    const nanos = wanted.readBigInt64LE() - this.value * 1000n
    return nanos > -1000n && nanos < 1000n
  }
}

// DuckDB: values of its own classes for what JavaScript has not.
function fromDuck(column, value) {
  if (value === null || typeof value !== 'object') return value
  if (value.bytes !== undefined) return value.bytes
  if (value.nanos !== undefined) return value.nanos
  if (value.micros !== undefined) {
    if (column.unit === 2) return new Micros(value.micros)
    return column.unit === 0 ? value.micros / 1000n : value.micros
  }
  if (value.millis !== undefined) return value.millis
  if (value.value !== undefined) return value.value
  throw new Error(`unknown DuckDB value ${value.constructor.name}`)
}

// What a column is for DuckDB, for Arrow, and for readers that only know converted types: by its name in the samples, since
// the words that we have for a type are what is judged.
const typesOf = {
  boolean: ['BOOLEAN', 'Bool', null],
  int32: ['INTEGER', 'Int32', null],
  int64: ['BIGINT', 'Int64', null],
  float: ['FLOAT', 'Float32', null],
  double: ['DOUBLE', 'Float64', null],
  bytes: ['BLOB', 'Binary', null],
  fixed: ['BLOB', 'FixedSizeBinary[5]', null],
  string: ['VARCHAR', 'Utf8', 'UTF8'],
  json: ['JSON', 'Utf8', 'JSON'],
  int8: ['TINYINT', 'Int8', 'INT_8'],
  int16: ['SMALLINT', 'Int16', 'INT_16'],
  signed32: ['INTEGER', 'Int32', 'INT_32'],
  signed64: ['BIGINT', 'Int64', 'INT_64'],
  uint8: ['UTINYINT', 'Uint8', 'UINT_8'],
  uint16: ['USMALLINT', 'Uint16', 'UINT_16'],
  uint32: ['UINTEGER', 'Uint32', 'UINT_32'],
  uint64: ['UBIGINT', 'Uint64', 'UINT_64'],
  ms: ['TIMESTAMP WITH TIME ZONE', 'Timestamp<MILLISECOND, UTC>', 'TIMESTAMP_MILLIS'],
  us: ['TIMESTAMP WITH TIME ZONE', 'Timestamp<MICROSECOND, UTC>', 'TIMESTAMP_MICROS'],
  ns: ['TIMESTAMP WITH TIME ZONE', 'Timestamp<NANOSECOND, UTC>', null],
  local: ['TIMESTAMP', 'Timestamp<MICROSECOND>', null],
  decimal9: ['DECIMAL(9,2)', 'Decimal[9e+2]', 'DECIMAL'],
  decimal18: ['DECIMAL(18,6)', 'Decimal[18e+6]', 'DECIMAL'],
  decimal38: ['DECIMAL(38,10)', 'Decimal[38e+10]', 'DECIMAL'],
}

async function typesAreUnderstood(connection, path, item) {
  const rows = async (sql) => new Map((await connection.runAndReadAll(sql)).getRows().map(([name, ...rest]) => [name, rest]))
  const duck = await rows(`DESCRIBE SELECT * FROM read_parquet('${path}')`)
  const schema = await rows(`SELECT name, converted_type, repetition_type FROM parquet_schema('${path}')`)
  const { fields } = arrow.tableFromIPC(readParquet(new Uint8Array(readFileSync(path))).intoIPCStream()).schema
  for (const { name } of item.columns) {
    const [kind, , , nulls] = name.split('-')
    const field = fields.find((candidate) => candidate.name === name)
    const [converted, repetition] = schema.get(name)
    const got = [duck.get(name)[0], String(field.type), converted]
    if (String(got) !== String(typesOf[kind])) return `column ${name} is ${got}, expected ${typesOf[kind]}`
    if (field.nullable !== (nulls !== '0')) return `column ${name} is ${field.nullable ? '' : 'not '}nullable`
    if (repetition !== (nulls === '0' ? 'REQUIRED' : 'OPTIONAL')) return `column ${name} is ${repetition}`
  }
}

// Long files are read a column at a time: JavaScript's values take much memory.
function* groupsOf(item) {
  if (item.rows < 100000) yield item.columns
  else for (const column of item.columns) yield [column]
}

async function readWithDuck(connection, path, item, expected) {
  for (const group of groupsOf(item)) {
    const list = group.map((column) => `"${column.name}"`).join(', ')
    const result = await connection.runAndReadAll(`SELECT ${list} FROM read_parquet('${path}')`)
    const columns = item.rows > 0 ? result.getColumns() : []
    for (const [c, column] of group.entries()) {
      const values = columns[c] ?? []
      if (values.length !== item.rows) return `column ${column.name} has ${values.length} rows`
      const problem = compare(expected, column, item.rows, (i) => fromDuck(column, values[i]), true)
      if (problem) return `column ${column.name}: ${problem}`
    }
  }
}

// DuckDB leaves out what statistics say cannot be equal to a value: it must find as many rows as without them.
async function filterWithDuck(connection, path) {
  await connection.run(`CREATE OR REPLACE TABLE plain AS SELECT * FROM read_parquet('${path}')`)
  const names = (await connection.runAndReadAll('DESCRIBE plain')).getRows()
  for (const [name, type] of names.filter(([column]) => column.includes('-AUTO-'))) {
    const sample = await connection.runAndReadAll(
      `SELECT "${name}"::VARCHAR, count(*) FROM plain WHERE "${name}" IS NOT NULL GROUP BY "${name}" ORDER BY hash("${name}") LIMIT 3`)
    for (const [text, count] of sample.getRows()) {
      const literal = `'${text.replaceAll("'", "''")}'::${type}`
      const found = await connection.runAndReadAll(`SELECT count(*) FROM read_parquet('${path}') WHERE "${name}" = ${literal}`)
      if (found.getRows()[0][0] !== count) return `column ${name}: ${found.getRows()[0][0]} rows are ${literal}, not ${count}`
    }
  }
}

async function readWithHyparquet(path, item, expected) {
  const file = await asyncBufferFromFile(path)
  const raw = (value) => value
  const parsers = {
    timestampFromMilliseconds: raw,
    timestampFromMicroseconds: raw,
    timestampFromNanoseconds: raw,
    stringFromBytes: raw,
    jsonFromBytes: raw,
  }
  for (const group of groupsOf(item)) {
    const columns = new Map(group.map((column) => [column.name, []]))
    await parquetRead({
      file, compressors, parsers, utf8: false, columns: [...columns.keys()],
      onChunk: (chunk) => {
        const values = columns.get(chunk.columnName)
        for (let i = 0; i < chunk.columnData.length; i++) values[chunk.rowStart + i] = chunk.columnData[i]
      },
    })
    for (const column of group) {
      const values = columns.get(column.name)
      if (values.length !== item.rows) return `column ${column.name} has ${values.length} rows`
      const problem = compare(expected, column, item.rows, (i) => values[i], true)
      if (problem) return `column ${column.name}: ${problem}`
    }
  }
}

// Values of an Arrow vector from its buffers, so that nothing is converted on the way.
function arrowValue(column, type, data, i) {
  if (data.nullCount > 0 && !(data.nullBitmap[(data.offset + i) >> 3] & (1 << ((data.offset + i) & 7)))) return null
  const at = i
  if (arrow.DataType.isBool(type)) {
    const bit = data.offset + i
    return Buffer.from([(data.values[bit >> 3] >> (bit & 7)) & 1])
  }
  if (data.valueOffsets) {
    return Buffer.from(data.values.subarray(Number(data.valueOffsets[at]), Number(data.valueOffsets[at + 1])))
  }
  const bytes = Buffer.from(data.values.buffer, data.values.byteOffset, data.values.byteLength)
  if (arrow.DataType.isDecimal(type)) {
    const low = bytes.readBigUInt64LE(16 * at)
    return (bytes.readBigInt64LE(16 * at + 8) << 64n) | low
  }
  if (arrow.DataType.isFixedSizeBinary(type)) {
    return bytes.subarray(type.byteWidth * at, type.byteWidth * (at + 1))
  }
  const width = data.values.BYTES_PER_ELEMENT
  const narrow = bytes.subarray(width * at, width * (at + 1))
  if (width >= 4) return narrow
  return arrow.DataType.isInt(type) ? data.values[at] : narrow
}

function readWithArrow(path, item, expected) {
  const bytes = new Uint8Array(readFileSync(path))
  for (const group of groupsOf(item)) {
    const names = group.length === item.columns.length ? undefined : group.map((column) => column.name)
    const table = arrow.tableFromIPC(readParquet(bytes, { columns: names }).intoIPCStream())
    if (table.numRows !== item.rows) return `${table.numRows} rows`
    for (const column of group) {
      const vector = table.getChild(column.name)
      for (const data of vector?.data ?? []) {
        const problem = compare(expected, column, data.length, (i) => arrowValue(column, vector.type, data, i), false)
        if (problem) return `column ${column.name}: ${problem}`
      }
    }
  }
}

async function guard(name, run) {
  try {
    report(name, await run())
  } catch (error) {
    report(name, error.message.split('\n')[0])
  }
}

async function judgeOurs(connection) {
  execFileSync(judge, ['write', directory, ...(mode === 'full' ? ['full'] : [])])
  for (const item of JSON.parse(readFileSync(`${directory}/cases.json`, 'utf8'))) {
    const path = `${directory}/${item.name}.parquet`
    const bytes = readFileSync(`${directory}/${item.name}.expected`)
    await guard(`duckdb reads ${item.name}`, () => readWithDuck(connection, path, item, new Expected(bytes)))
    await guard(`hyparquet reads ${item.name}`, () => readWithHyparquet(path, item, new Expected(bytes)))
    await guard(`parquet-wasm reads ${item.name}`, () => readWithArrow(path, item, new Expected(bytes)))
    if (item.rows === 9 && item.name.includes('ZSTD')) await guard(`types of ${item.name}`, () => typesAreUnderstood(connection, path, item))
    // What is found hangs on statistics, which no codec changes.
    if (item.rows === 4096 && (mode === 'full' || item.name.includes('ZSTD'))) await guard(`duckdb finds in ${item.name}`, () => filterWithDuck(connection, path))
  }
}

// Many files are checked by one process; where one of them is wrong, each by its own, for the name.
async function checkTheirs(names) {
  const pair = (name) => [`${directory}/${name}.parquet`, `${directory}/${name}.expected`]
  const check = (some) => execFileSync(judge, ['check', ...some.flatMap(pair)], { stdio: 'pipe' })
  try {
    check(names)
    for (const name of names) report(`we read ${name}`)
  } catch {
    for (const name of names) await guard(`we read ${name}`, () => { check([name]) })
  }
  for (const name of names) for (const path of pair(name)) unlinkSync(path)
}

// What other writers are to have used, or their files prove less than they seem to.
const encodingsOf = {
  duckdb: ['PLAIN', 'PLAIN_DICTIONARY', 'RLE_DICTIONARY', 'DELTA_BINARY_PACKED', 'DELTA_LENGTH_BYTE_ARRAY', 'BYTE_STREAM_SPLIT'],
  arrow: ['PLAIN', 'RLE_DICTIONARY', 'RLE', 'DELTA_BINARY_PACKED', 'DELTA_LENGTH_BYTE_ARRAY', 'DELTA_BYTE_ARRAY', 'BYTE_STREAM_SPLIT'],
}

async function judgeTheirs(connection) {
  let names = []
  const used = { duckdb: new Set(), arrow: new Set() }
  for await (const { name, expected } of foreignFiles(connection, directory, mode)) {
    const lists = await connection.runAndReadAll(`SELECT DISTINCT encodings FROM parquet_metadata('${directory}/${name}.parquet')`)
    for (const [list] of lists.getRows()) for (const encoding of (list ?? '').split(/, */)) used[name.split('-')[0]].add(encoding)
    writeFileSync(`${directory}/${name}.expected`, expected)
    names.push(name)
    if (names.length === 50) await checkTheirs(names.splice(0))
  }
  await checkTheirs(names)
  for (const [writer, encodings] of Object.entries(encodingsOf)) {
    const unused = encodings.filter((encoding) => !used[writer].has(encoding))
    report(`${writer} used its encodings`, unused.length > 0 && `not ${unused}, but ${[...used[writer]]}`)
  }
  await nestedIsRefused(connection)
}

// A file with a column that is no leaf is refused by name, not read wrongly.
async function nestedIsRefused(connection) {
  const kinds = { list: '[1, 2]', struct: "{'a': 1}", map: "MAP {'a': 1}" }
  for (const [kind, expression] of Object.entries(kinds)) {
    const path = `${directory}/${kind}.parquet`
    await connection.run(`COPY (SELECT 1 AS flat, ${expression} AS deep) TO '${path}' (FORMAT parquet)`)
    writeFileSync(`${directory}/${kind}.expected`, '')
    await guard(`a ${kind} is refused`, () => {
      const { status, stderr } = spawnSync(judge, ['check', path, `${directory}/${kind}.expected`], { encoding: 'utf8' })
      if (status === 0 || !/deep.*nested/.test(stderr)) return `exit status ${status}: ${stderr}`
    })
  }
}

const instance = await DuckDBInstance.create(':memory:')
const connection = await instance.connect()
await connection.run("SET TimeZone = 'UTC'")
await connection.run('SET threads = 2')
await judgeOurs(connection)
await judgeTheirs(connection)
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 && passed > 0 ? 0 : 1)
