/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA256SUMS: the list of everything that a backup needs, in coreutils' format ("<64 hex> <path>"),
 * paths relative to the backup's folder ("data/…", "../../pool/…", "../../wal/…"), closed by the
 * comment "# end N objects" so that a cut list is noticed. Written last, it is the commit of a
 * backup.
 */
#ifndef HOLDFAST_REPO_CHECKSUMS_H
#define HOLDFAST_REPO_CHECKSUMS_H

#include "codec/hash.h"

#define CHECKSUMS_NAME "SHA256SUMS"

/* What a reader takes at most: 100 TB in packs of 64 MiB are 1.6 million objects, a line for a pack
 * has 145 bytes. */
#define CHECKSUMS_SIZE_LIMIT  (512 * 1024 * 1024)
#define CHECKSUMS_COUNT_LIMIT 4000000

typedef struct {
    char *path; /* as written */
    guint8 digest[SHA256_SIZE];
} ChecksumEntry;

typedef struct Checksums Checksums;

Checksums *checksums_new(void);
void checksums_free(Checksums *checksums);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Checksums, checksums_free)

/* A path that is there already gets the new digest. */
void checksums_add(Checksums *checksums, const char *path, const guint8 digest[SHA256_SIZE]);
guint checksums_count(const Checksums *checksums);
const ChecksumEntry *checksums_entry(const Checksums *checksums, guint index);
const ChecksumEntry *checksums_find(const Checksums *checksums, const char *path);

/* The file's bytes, entries sorted by path. Free with g_free(). */
char *checksums_write(Checksums *checksums, gsize *ret_length);

/* Trusts nothing: malformed lines, doubled or unsafe paths (absolute, "..", but for the two
 * prefixes above), a missing end line or a wrong number in it are ERROR_DAMAGED, more entries than
 * the limit ERROR_LIMIT. `what` names the file in errors. */
Checksums *checksums_read(const char *bytes, gsize length, const char *what,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
