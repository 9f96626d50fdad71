// SPDX-License-Identifier: Apache-2.0
//
// Parquet files by other writers, in all their codecs, encodings and page versions, with what must be read of them.
import { writeFileSync } from 'node:fs'
import * as arrow from 'apache-arrow'
import * as wasm from 'parquet-wasm'
import { ExpectedWriter } from './expected.mjs'

const number = (size, method) => (value) => {
  const out = Buffer.alloc(size)
  out[method](value)
  return out
}
const int32 = (value) => number(4, 'writeInt32LE')(Number(value) | 0)
const int64 = (value) => number(8, 'writeBigInt64LE')(BigInt.asIntN(64, BigInt(value)))
const text = (value) => Buffer.from(value, 'utf8')
const wide = (value) => Buffer.from(BigInt.asUintN(128, value).toString(16).padStart(32, '0'), 'hex')

// DuckDB's types, an expression for row i, and how its value stands in a file.
const duckColumns = [
  ['boolean', 'hash(i) % 3 = 0', (v) => Buffer.from([v ? 1 : 0])],
  ['tinyint', '(hash(i) % 256)::INTEGER - 128', int32],
  ['smallint', '(hash(i) % 65536)::INTEGER - 32768', int32],
  ['integer', '(hash(i) % 4294967296)::BIGINT - 2147483648', int32],
  ['bigint', '((hash(i) >> 1)::BIGINT) * (1 - 2 * (i % 2))', int64],
  ['utinyint', 'hash(i) % 256', int32],
  ['usmallint', 'hash(i) % 65536', int32],
  ['uinteger', 'hash(i) % 4294967296', int32],
  ['ubigint', 'hash(i)', int64],
  ['float', "CASE i % 7 WHEN 0 THEN '-0'::FLOAT WHEN 1 THEN 'inf'::FLOAT ELSE hash(i)::FLOAT / 3 END", number(4, 'writeFloatLE')],
  ['double', "CASE i % 7 WHEN 0 THEN '-0'::DOUBLE WHEN 1 THEN '-inf'::DOUBLE ELSE hash(i)::DOUBLE / 7 END", number(8, 'writeDoubleLE')],
  ['date', "DATE '1970-01-01' + (hash(i) % 40000)::INTEGER", (v) => int32(v.days)],
  ['time', "TIME '00:00:00' + INTERVAL (hash(i) % 86400) SECOND", (v) => int64(v.micros)],
  ['timestamp', 'make_timestamp(((hash(i) % 4000000000000000)::BIGINT))', (v) => int64(v.micros)],
  ['timestamptz', 'make_timestamp(((hash(i) % 4000000000000000)::BIGINT))::TIMESTAMPTZ', (v) => int64(v.micros)],
  ['timestamp_ms', 'make_timestamp(((hash(i) % 4000000000000)::BIGINT * 1000))::TIMESTAMP_MS', (v) => int64(v.millis)],
  ['timestamp_ns', 'make_timestamp_ns((hash(i) % 4000000000000000000)::BIGINT)', (v) => int64(v.nanos)],
  ['decimal(4,1)', '((hash(i) % 2000)::INTEGER - 1000)::DECIMAL(9,1) / 10', (v) => int32(v.value)],
  ['decimal(9,2)', '((hash(i) % 200000)::INTEGER - 100000)::DECIMAL(18,2) / 10', (v) => int32(v.value)],
  ['decimal(18,6)', '((hash(i) % 2000000000)::BIGINT - 1000000000)::DECIMAL(18,6) / 1000', (v) => int64(v.value)],
  ['decimal(38,10)', '((hash(i) % 2000000000)::BIGINT - 1000000000)::DECIMAL(38,10) * 1000000', (v) => wide(v.value)],
  ['varchar', "CASE i % 5 WHEN 0 THEN '' ELSE 'sensor-' || (hash(i) % 1000)::VARCHAR || 'é€' END", text],
  ['blob', "encode('b' || (i // 3)::VARCHAR)", (v) => Buffer.from(v.bytes)],
  ['uuid', "md5(i::VARCHAR)::UUID", (v) => Buffer.from(v.toString().replaceAll('-', ''), 'hex')],
  ['varchar', "'prefix-' || lpad(i::VARCHAR, 10, '0')", text],
  ['integer', 'i // 100', int32],
  ['bigint', '1700000000000 + i * 1000 + hash(i) % 50', int64],
]

const nullsOf = { none: 'false', some: 'hash(i + 77) % 4 = 0', all: 'true' }

async function duckExpected(connection) {
  const writer = new ExpectedWriter()
  const result = await connection.runAndReadAll('SELECT * FROM source')
  const columns = result.getColumns()
  const count = result.columnCount
  for (let c = 0; c < count; c++) {
    const plain = duckColumns[c % duckColumns.length][2]
    for (const value of columns[c] ?? []) writer.add(value === null ? null : plain(value))
  }
  return writer.finish()
}

async function* duckFiles(connection, directory, mode) {
  const codecs = ['uncompressed', 'snappy', 'gzip', 'zstd', 'lz4_raw', 'brotli']
  // The last has three row groups.
  const [many, group] = mode === 'full' ? [130000, 50000] : [26000, 10240]
  for (const rows of [0, 1, 9, 4096, many]) {
    const list = []
    for (const [nulls, test] of Object.entries(nullsOf)) {
      for (const [c, [type, expression]] of duckColumns.entries()) {
        list.push(`CASE WHEN ${test} THEN NULL ELSE ${expression} END::${type} AS "${type}-${nulls}-${c}"`)
      }
    }
    await connection.run(`CREATE OR REPLACE TABLE source AS SELECT ${list.join(', ')} FROM range(${rows}) t(i)`)
    const expected = await duckExpected(connection)
    for (const codec of rows > 5000 ? ['zstd'] : codecs) {
      for (const version of ['V1', 'V2']) {
        for (const dictionary of ['', ', DICTIONARY_SIZE_LIMIT 1']) {
          const name = `duckdb-${codec}-${version}-${rows}${dictionary ? '-plain' : ''}`
          await connection.run(`COPY source TO '${directory}/${name}.parquet'
            (FORMAT parquet, CODEC '${codec}', PARQUET_VERSION ${version}, ROW_GROUP_SIZE ${group}${dictionary})`)
          yield { name, expected }
        }
      }
    }
  }
}

// Arrow columns: a type, a value for row i, its PLAIN form, and the encodings that parquet-rs has for it.
const common = [wasm.Encoding.PLAIN]
const numbers = [...common, wasm.Encoding.DELTA_BINARY_PACKED, wasm.Encoding.BYTE_STREAM_SPLIT]
const strings = [...common, wasm.Encoding.DELTA_LENGTH_BYTE_ARRAY, wasm.Encoding.DELTA_BYTE_ARRAY]
const arrowColumns = [
  ['bool', new arrow.Bool(), (i) => i % 3 === 0, (v) => Buffer.from([v ? 1 : 0]), [...common, wasm.Encoding.RLE]],
  ['int8', new arrow.Int8(), (i) => (i * 37) % 256 - 128, int32, numbers],
  ['int16', new arrow.Int16(), (i) => (i * 7919) % 65536 - 32768, int32, numbers],
  ['int32', new arrow.Int32(), (i) => (i * 7919 * 104729) | 0, int32, numbers],
  ['int64', new arrow.Int64(), (i) => BigInt.asIntN(64, BigInt(i) * 0x9e3779b97f4a7c15n), int64, numbers],
  ['uint32', new arrow.Uint32(), (i) => (i * 7919 * 104729) >>> 0, int32, numbers],
  ['uint64', new arrow.Uint64(), (i) => BigInt.asUintN(64, BigInt(i) * 0x9e3779b97f4a7c15n), int64, numbers],
  ['float', new arrow.Float32(), (i) => Math.fround(i / 7), number(4, 'writeFloatLE'), [...common, wasm.Encoding.BYTE_STREAM_SPLIT]],
  ['double', new arrow.Float64(), (i) => i / 7, number(8, 'writeDoubleLE'), [...common, wasm.Encoding.BYTE_STREAM_SPLIT]],
  ['utf8', new arrow.Utf8(), (i) => 'name-' + (i * 31) % 977 + 'é', text, strings],
  ['sorted', new arrow.Utf8(), (i) => 'sensor-' + String(i).padStart(8, '0'), text, strings],
  ['binary', new arrow.Binary(), (i) => Buffer.from([i & 255, 255, 0, 128].slice(0, i % 5)), (v) => Buffer.from(v), strings],
]

function arrowTable(rows, nulls) {
  const columns = {}
  const writer = new ExpectedWriter()
  for (const [name, type, make, plain] of arrowColumns) {
    const values = Array.from({ length: rows }, (_, i) =>
      nulls === 'all' || (nulls === 'some' && (i * 13) % 4 === 0) ? null : make(i))
    columns[name] = arrow.vectorFromArray(values, type)
    for (const value of values) writer.add(value === null ? null : plain(value))
  }
  return { table: new arrow.Table(columns), expected: writer.finish() }
}

function arrowProperties(codec, version, encoding) {
  let builder = new wasm.WriterPropertiesBuilder()
    .setCompression(wasm.Compression[codec])
    .setWriterVersion(wasm.WriterVersion[version])
    .setDataPageSizeLimit(4000)
    .setWriteBatchSize(500)
    .setMaxRowGroupSize(3000)
    .setDictionaryEnabled(encoding === 'dictionary')
  for (const [name, , , , encodings] of arrowColumns) {
    if (encoding !== 'dictionary' && encoding < encodings.length) builder = builder.setColumnEncoding(name, encodings[encoding])
  }
  return builder.build()
}

function* arrowFiles(directory) {
  const codecs = ['UNCOMPRESSED', 'SNAPPY', 'GZIP', 'ZSTD', 'LZ4', 'LZ4_RAW', 'BROTLI']
  for (const rows of [0, 1, 9, 10000]) {
    for (const nulls of ['none', 'some', 'all']) {
      const { table, expected } = arrowTable(rows, nulls)
      for (const codec of codecs) {
        for (const version of ['V1', 'V2']) {
          for (const encoding of ['dictionary', 0, 1, 2]) {
            const name = `arrow-${codec}-${version}-${encoding}-${nulls}-${rows}`
            const input = wasm.Table.fromIPCStream(arrow.tableToIPC(table, 'stream'))
            const bytes = wasm.writeParquet(input, arrowProperties(codec, version, encoding))
            writeFileSync(`${directory}/${name}.parquet`, bytes)
            yield { name, expected }
          }
        }
      }
    }
  }
}

export async function* foreignFiles(connection, directory, mode) {
  yield* duckFiles(connection, directory, mode)
  yield* arrowFiles(directory)
}
