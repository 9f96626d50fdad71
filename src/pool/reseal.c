/* SPDX-License-Identifier: Apache-2.0
 *
 * Sealing pool objects for another repository.
 *
 * The key of a sealed object follows from a digest of its plain bytes, so the source is read before
 * anything is sealed. Should it change until it is read again (a disk that fails, somebody who
 * writes to it), other bytes would be sealed under the same key and nonces: so each segment is held
 * against its own hash of the first reading before the seal sees it.
 */
#include "pool/reseal.h"

#include <string.h>

#include "base/error.h"
#include "pool/private.h"
#include "repo/stored.h"

/* The hashes of an object's segments, at most: 32 bytes for each 64 KiB of it. */
#define SEGMENTS_LIMIT ((gsize)4 * 1024 * 1024)

/* One reading of the source. */
typedef struct {
    const PoolReseal *request;
    GByteArray *prints; /* SHA-256 of each plain segment, one after the other */
    gboolean known;     /* they are of an earlier reading; else they are made */
    gsize segments;     /* so far */
    guint8 *segment;
    gsize used;
    Sha256 *stored;
    StoredReader *reader;
    StoredWriter *to; /* or NULL */
    gboolean write_failed;
} Reading;

static gboolean check_print(Reading *reading, const guint8 print[SHA256_SIZE], GError **error)
{
    gsize at = reading->segments * SHA256_SIZE;

    if (reading->segments++ >= SEGMENTS_LIMIT) {
        error_set(error, ERROR_LIMIT, "%s is too large", reading->request->name);
        return FALSE;
    }
    if (!reading->known) {
        g_byte_array_append(reading->prints, print, SHA256_SIZE);
        return TRUE;
    }
    if (at + SHA256_SIZE <= reading->prints->len &&
        memcmp(reading->prints->data + at, print, SHA256_SIZE) == 0)
        return TRUE;
    error_set(error, ERROR_DAMAGED, "%s is not the same when it is read again",
              reading->request->name);
    return FALSE;
}

static gboolean end_segment(Reading *reading, GError **error)
{
    guint8 print[SHA256_SIZE];
    gsize used = reading->used;

    if (used == 0)
        return TRUE;
    reading->used = 0;
    sha256_buffer(reading->segment, used, print);
    if (!check_print(reading, print, error))
        return FALSE;
    reading->write_failed =
        reading->to != NULL && !stored_write(reading->to, reading->segment, used, error);
    return !reading->write_failed;
}

static gboolean take_plain(const void *bytes, gsize length, gpointer data, GError **error)
{
    Reading *reading = data;
    const guint8 *at = bytes;

    while (length > 0) {
        gsize piece = MIN(length, SEAL_SEGMENT_SIZE - reading->used);

        memcpy(reading->segment + reading->used, at, piece);
        reading->used += piece;
        at += piece;
        length -= piece;
        if (reading->used == SEAL_SEGMENT_SIZE && !end_segment(reading, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean take_stored(const void *bytes, gsize length, gpointer data, GError **error)
{
    Reading *reading = data;

    sha256_update(reading->stored, bytes, length);
    return stored_reader_write(reading->reader, bytes, length, error);
}

static gboolean check_end(const Reading *reading, GError **error)
{
    const PoolReseal *request = reading->request;
    guint8 digest[SHA256_SIZE];

    sha256_finish(reading->stored, digest);
    if (memcmp(digest, request->digest, SHA256_SIZE) != 0)
        error_set(error, ERROR_DAMAGED, "%s has another checksum than was recorded", request->name);
    else if (reading->segments * SHA256_SIZE != reading->prints->len)
        error_set(error, ERROR_DAMAGED, "%s is not the same when it is read again", request->name);
    else
        return TRUE;
    return FALSE;
}

/* Reads the source whole, to `to` where it is not NULL; the prints are made by the first reading. */
static gboolean read_source(const PoolReseal *request, GByteArray *prints, StoredWriter *to,
                            GCancellable *cancellable, gboolean *ret_of_source, GError **error)
{
    g_autoptr(Sha256) stored = sha256_new();
    g_autofree guint8 *segment = g_malloc(SEAL_SEGMENT_SIZE);
    g_autoptr(StoredReader) reader = NULL;
    Reading reading = {.request = request,
                       .prints = prints,
                       .known = prints->len > 0,
                       .segment = segment,
                       .stored = stored,
                       .to = to};
    gboolean done;

    reader =
        stored_reader_new(request->source, SEAL_POOL, request->name, take_plain, &reading, error);
    if (reader == NULL)
        return FALSE;
    reading.reader = reader;
    done = store_stream(repository_store(request->source), request->name, take_stored, &reading,
                        cancellable, error) &&
           stored_reader_finish(reader, error) && end_segment(&reading, error) &&
           check_end(&reading, error);
    *ret_of_source = !done && !reading.write_failed;
    return done;
}

/* The name that the object gets: by sealing it for nobody. */
static gboolean find_name(const PoolReseal *request, GByteArray *prints,
                          guint8 ret_content[SEAL_CONTENT_SIZE], PoolName *ret_name,
                          GCancellable *cancellable, gboolean *ret_of_source, GError **error)
{
    g_autoptr(Sha256) hash = sha256_new();
    g_autoptr(StoredWriter) nowhere = NULL;

    if (!read_source(request, prints, NULL, cancellable, ret_of_source, error))
        return FALSE;
    *ret_of_source = FALSE;
    sha256_buffer(prints->data, prints->len, ret_content);
    nowhere = stored_begin_derived(request->target, ret_content, TRUE, hash, error);
    if (nowhere == NULL ||
        !read_source(request, prints, nowhere, cancellable, ret_of_source, error) ||
        !stored_finish(nowhere, &ret_name->size, error))
        return FALSE;
    sha256_finish(hash, ret_name->digest);
    return TRUE;
}

static gboolean write_target(const PoolReseal *request, GByteArray *prints,
                             const guint8 content[SEAL_CONTENT_SIZE], const char *name,
                             GCancellable *cancellable, gboolean *ret_of_source, GError **error)
{
    g_autoptr(StoredWriter) to = stored_begin_derived(request->target, content, FALSE, NULL, error);
    guint64 size;

    return to != NULL && read_source(request, prints, to, cancellable, ret_of_source, error) &&
           stored_finish(to, &size, error) && stored_commit_as(to, name, error);
}

static gboolean set_other(const PoolReseal *request, const char *name, GError **error)
{
    const char *location = store_location(repository_store(request->target));

    error_set(error, ERROR_EXISTS, "%s holds another object under the name %s, or a damaged one",
              location, name);
    error_add_hint(error, "holdfast verify --all --repository %s tells what it belongs to",
                   location);
    return FALSE;
}

gboolean pool_reseal(const PoolReseal *request, GCancellable *cancellable, PoolName *ret_name,
                     gboolean *ret_present, gboolean *ret_of_source, GError **error)
{
    g_autoptr(GByteArray) prints = g_byte_array_new();
    Store *store = repository_store(request->target);
    g_autoptr(GError) problem = NULL;
    g_autofree char *name = NULL;
    guint8 content[SEAL_CONTENT_SIZE];
    PoolName found;
    StoreInfo info;

    *ret_of_source = FALSE;
    if (!find_name(request, prints, content, &found, cancellable, ret_of_source, error))
        return FALSE;
    name = pool_object_name(found.digest);
    *ret_present = pool_object_in_place(store, name, found.digest, found.size);
    if (!*ret_present && store_stat(store, name, &info, NULL))
        return set_other(request, name, error);
    /* Somebody else may be quicker: what is there then must be the very same. */
    if (!*ret_present &&
        !write_target(request, prints, content, name, cancellable, ret_of_source, &problem) &&
        (*ret_of_source || !pool_object_in_place(store, name, found.digest, found.size))) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    *ret_name = found;
    return TRUE;
}
