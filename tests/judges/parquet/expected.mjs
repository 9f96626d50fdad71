// SPDX-License-Identifier: Apache-2.0
//
// What must be read of a file: a column after the other, each value as its length in 32 bits (all ones: it is missing) and
// its bytes in PLAIN form.
export const MISSING = Symbol('missing')

const MISSING_LENGTH = 0xffffffff

export class Expected {
  constructor(bytes) {
    this.bytes = bytes
    this.at = 0
  }

  next() {
    const length = this.bytes.readUInt32LE(this.at)
    this.at += 4
    if (length === MISSING_LENGTH) return MISSING
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }
}

export class ExpectedWriter {
  constructor() {
    this.parts = []
  }

  // `bytes` is a Buffer or null.
  add(bytes) {
    const head = Buffer.alloc(4)
    head.writeUInt32LE(bytes === null ? MISSING_LENGTH : bytes.length)
    this.parts.push(head)
    if (bytes !== null) this.parts.push(bytes)
  }

  finish() {
    return Buffer.concat(this.parts)
  }
}
