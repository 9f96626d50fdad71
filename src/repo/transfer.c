/* SPDX-License-Identifier: Apache-2.0
 *
 * Taking objects from one repository into another.
 */
#include "repo/transfer.h"

#include <string.h>

#include "base/error.h"
#include "repo/stored.h"

/* Reading one object: its stored bytes are hashed, what is inside them is hashed or written on. */
typedef struct {
    Sha256 *stored, *plain;
    guint64 size; /* stored */
    StoredReader *reader;
    StoredWriter *to; /* NULL: only hashed */
    gboolean write_failed;
} Passage;

static gboolean pass_plain(const void *bytes, gsize length, gpointer data, GError **error)
{
    Passage *passage = data;

    if (passage->to == NULL) {
        sha256_update(passage->plain, bytes, length);
        return TRUE;
    }
    passage->write_failed = !stored_write(passage->to, bytes, length, error);
    return !passage->write_failed;
}

static gboolean pass_stored(const void *bytes, gsize length, gpointer data, GError **error)
{
    Passage *passage = data;

    sha256_update(passage->stored, bytes, length);
    passage->size += length;
    return stored_reader_write(passage->reader, bytes, length, error);
}

/* What was read of an object. */
typedef struct {
    guint8 stored[SHA256_SIZE], plain[SHA256_SIZE];
    guint64 size;
} Fingerprint;

static gboolean read_object(Repository *from, const TransferRequest *request, StoredWriter *to,
                            GCancellable *cancellable, Fingerprint *ret_print,
                            gboolean *ret_write_failed, GError **error)
{
    g_autoptr(Sha256) stored = sha256_new();
    g_autoptr(Sha256) plain = sha256_new();
    g_autoptr(StoredReader) reader = NULL;
    Passage passage = {.stored = stored, .plain = plain, .to = to};
    gboolean done;

    *ret_write_failed = FALSE;
    reader = stored_reader_new(from, request->role, request->name, pass_plain, &passage, error);
    if (reader == NULL)
        return FALSE;
    passage.reader = reader;
    done = store_stream(repository_store(from), request->name, pass_stored, &passage, cancellable,
                        error) &&
           stored_reader_finish(reader, error);
    *ret_write_failed = passage.write_failed;
    if (!done)
        return FALSE;
    sha256_finish(stored, ret_print->stored);
    sha256_finish(plain, ret_print->plain);
    ret_print->size = passage.size;
    return TRUE;
}

static gboolean check_digest(const TransferRequest *request, const guint8 digest[SHA256_SIZE],
                             GError **error)
{
    if (request->digest == NULL || memcmp(request->digest, digest, SHA256_SIZE) == 0)
        return TRUE;
    error_set(error, ERROR_DAMAGED, "%s has another checksum than was recorded", request->name);
    return FALSE;
}

static gboolean read_source(const TransferRequest *request, StoredWriter *to,
                            GCancellable *cancellable, Fingerprint *ret_print,
                            gboolean *ret_of_source, GError **error)
{
    gboolean write_failed;
    gboolean done =
        read_object(request->source, request, to, cancellable, ret_print, &write_failed, error) &&
        check_digest(request, ret_print->stored, error);

    *ret_of_source = !done && !write_failed;
    return done;
}

static gboolean is_raw(const TransferRequest *request)
{
    return !repository_is_encrypted(request->source) && !repository_is_encrypted(request->target);
}

/* Whether what stands in the target is the object. Where bytes pass as they are and their digest is
 * recorded, the source need not be asked. */
static gboolean compare(const TransferRequest *request, const Fingerprint *there,
                        GCancellable *cancellable, gboolean *ret_same, gboolean *ret_of_source,
                        GError **error)
{
    Fingerprint wanted;

    if (is_raw(request) && request->digest != NULL) {
        *ret_same = memcmp(request->digest, there->stored, SHA256_SIZE) == 0;
        return TRUE;
    }
    if (!read_source(request, NULL, cancellable, &wanted, ret_of_source, error))
        return FALSE;
    *ret_same = memcmp(wanted.plain, there->plain, SHA256_SIZE) == 0;
    return TRUE;
}

static gboolean set_other(const TransferRequest *request, GError **error)
{
    error_set(error, ERROR_EXISTS, "%s holds another object under the name %s, or a damaged one",
              store_location(repository_store(request->target)), request->name);
    error_add_hint(error, "holdfast verify --all --repository %s tells what it belongs to",
                   store_location(repository_store(request->target)));
    return FALSE;
}

/* Looks at what the target has under the name. After TRUE either result->present is set, or the
 * name is free. */
static gboolean look_at_target(const TransferRequest *request, GCancellable *cancellable,
                               TransferResult *result, gboolean *ret_of_source, GError **error)
{
    Store *store = repository_store(request->target);
    g_autoptr(GError) problem = NULL;
    Fingerprint there;
    gboolean same = FALSE, ignored;

    if (read_object(request->target, request, NULL, cancellable, &there, &ignored, &problem)) {
        if (!compare(request, &there, cancellable, &same, ret_of_source, error))
            return FALSE;
    } else if (error_is(problem, ERROR_NOT_FOUND)) {
        return TRUE;
    } else if (!error_is(problem, ERROR_DAMAGED) && !error_is(problem, ERROR_FORMAT)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    if (!same)
        return request->replace ? store_delete(store, request->name, error)
                                : set_other(request, error);
    memcpy(result->digest, there.stored, SHA256_SIZE);
    result->size = there.size;
    result->present = TRUE;
    return TRUE;
}

static gboolean write_target(const TransferRequest *request, GCancellable *cancellable,
                             TransferResult *result, gboolean *ret_of_source, GError **error)
{
    g_autoptr(Sha256) hash = is_raw(request) ? NULL : sha256_new();
    g_autoptr(StoredWriter) to =
        stored_begin(request->target, request->role, request->name, hash, error);
    Fingerprint read;

    if (to == NULL || !read_source(request, to, cancellable, &read, ret_of_source, error) ||
        !stored_finish(to, &result->size, error) || !stored_commit(to, error))
        return FALSE;
    if (hash != NULL)
        sha256_finish(hash, result->digest);
    else
        memcpy(result->digest, read.stored, SHA256_SIZE);
    return TRUE;
}

gboolean transfer_object(const TransferRequest *request, GCancellable *cancellable,
                         TransferResult *ret_result, gboolean *ret_of_source, GError **error)
{
    g_autoptr(GError) problem = NULL;
    TransferResult result = {0};

    *ret_of_source = FALSE;
    if (!look_at_target(request, cancellable, &result, ret_of_source, error))
        return FALSE;
    if (!result.present && !write_target(request, cancellable, &result, ret_of_source, &problem)) {
        /* Somebody else was quicker, or the answer was lost: what stands there tells. */
        if (*ret_of_source || !error_is(problem, ERROR_EXISTS)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        if (!look_at_target(request, cancellable, &result, ret_of_source, error))
            return FALSE;
        if (!result.present) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
    }
    *ret_result = result;
    return TRUE;
}
