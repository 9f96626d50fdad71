/* SPDX-License-Identifier: Apache-2.0
 *
 * Fingerprints of rows: a keyed 128-bit hash a row, added modulo 2^128. The sum does not depend on
 * the order of the rows, and the sums of parts add up to the sum of the whole: a slice, a table, a
 * database. Equal sums under one key mean equal rows, for all that chance can do (the hash is no
 * proof against malice).
 *
 * A row's bytes, little endian, without padding:
 *
 *     bitmap of NULLs: (columns + 7) / 8 bytes, bit c % 8 of byte c / 8 is column c
 *     each column of fixed width, in order: its bytes as in a block; zeros where it is NULL
 *     each column of variable length, in order: uint32 length, the bytes (NULL: length 0, none);
 *     NCHAR as in a block, UCS-4
 *
 * Its hash is XXH3-128 of them; the seed is the low half of XXH3-128 of the table's name, whose
 * seed in turn is the low half of XXH3-128, under the backup's key, of the columns' names and
 * types: for each column name, NUL, type, NUL, where the type is td_type_name(), of decimals with
 * "(precision,scale)", and never with a length, so that widening a column changes nothing.
 *
 * Threads: a hasher belongs to one thread at a time; the rest is pure.
 */
#ifndef HOLDFAST_TDENGINE_FINGERPRINT_H
#define HOLDFAST_TDENGINE_FINGERPRINT_H

#include "tdengine/block.h"

typedef struct {
    guint64 low, high;
} TdFingerprint;

#define TD_FINGERPRINT_SIZE     16
#define TD_FINGERPRINT_HEX_SIZE 33 /* with the NUL */

void td_fingerprint_add(TdFingerprint *sum, TdFingerprint more);
void td_fingerprint_subtract(TdFingerprint *sum, TdFingerprint less);
gboolean td_fingerprint_equal(TdFingerprint a, TdFingerprint b);

/* 32 lower-case hexadecimal digits, the high half first. */
void td_fingerprint_to_hex(TdFingerprint fingerprint, char hex[TD_FINGERPRINT_HEX_SIZE]);
gboolean td_fingerprint_from_hex(const char *hex, TdFingerprint *ret_fingerprint);

/* As it stands in Parquet: 16 bytes, big endian, so that it reads like the hexadecimal form. */
void td_fingerprint_to_bytes(TdFingerprint fingerprint, guint8 bytes[TD_FINGERPRINT_SIZE]);
TdFingerprint td_fingerprint_from_bytes(const guint8 bytes[TD_FINGERPRINT_SIZE]);

typedef struct TdHasher TdHasher;

/* For rows of these columns (the time column first, tbname and tags not among them). Only name,
 * type, precision and scale of each are looked at. */
TdHasher *td_hasher_new(guint64 key, const TdColumn *columns, guint n_columns);
void td_hasher_free(TdHasher *hasher);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdHasher, td_hasher_free)

/* The seed of one table's rows. The name as it is, without quotes. */
guint64 td_hasher_table_seed(const TdHasher *hasher, const char *table, gsize length);

/* Adds rows [from, from + count) to *sum. As many block columns as the hasher was made for, in its
 * order, of the same types. */
void td_hasher_add(TdHasher *hasher, guint64 table_seed, const TdBlockColumn *columns, guint32 from,
                   guint32 count, TdFingerprint *sum);

#endif
