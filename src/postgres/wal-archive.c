/* SPDX-License-Identifier: Apache-2.0
 *
 * Putting files into the WAL archive and getting them out.
 */
#include "postgres/wal-archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "postgres/wal-list.h"
#include "postgres/wal-object.h"

/* Level 1 is both faster and smaller than 3 on what PostgreSQL writes. */
#define WAL_LEVEL 1

/* A history file has a line a timeline, a .backup file a dozen. */
#define SMALL_LIMIT ((guint64)4 << 20)

#define READ_TRIES 5

/* --- names ------------------------------------------------------------------------------------ */

char *wal_archive_object_name(const WalArchive *archive, const char *name)
{
    WalName parts;

    if (!wal_name_parse(name, &parts))
        return NULL;
    if (parts.kind == WAL_HISTORY)
        return g_strdup_printf("wal/%s/%" G_GUINT64_FORMAT "/%.8s/%s", archive->source,
                               archive->system_identifier, name, name);
    return g_strdup_printf("wal/%s/%" G_GUINT64_FORMAT "/%.8s/%.16s/%s", archive->source,
                           archive->system_identifier, name, name, name);
}

static char *need_object_name(const WalArchive *archive, const char *name, GError **error)
{
    char *object = wal_archive_object_name(archive, name);

    if (object == NULL)
        error_set(error, ERROR_USAGE, "\"%.80s\" is no name of a WAL file", name);
    return object;
}

static Store *store_of(const WalArchive *archive)
{
    return repository_store(archive->repository);
}

/* --- putting ---------------------------------------------------------------------------------- */

typedef struct {
    const WalArchive *archive;
    const char *file; /* its name in the archive */
    WalName name;
    char *object;
    WalPlain plain;
    guint32 segment_size;
} Put;

G_GNUC_PRINTF(3, 4)
static gboolean refuse(const Put *put, GError **error, const char *format, ...)
{
    g_autofree char *why = NULL;
    va_list args;

    va_start(args, format);
    why = g_strdup_vprintf(format, args);
    va_end(args);
    error_set(error, ERROR_REFUSED, "%s is not archived as %s: %s", put->plain.path, put->file,
              why);
    return FALSE;
}

/* The segment must be what its name says, of the cluster that the archive is for. */
static gboolean check_segment(Put *put, GError **error)
{
    guint8 head[WAL_HEADER_SIZE];
    g_autoptr(GError) problem = NULL;
    WalHeader header;

    if (put->plain.size < sizeof head ||
        pread(put->plain.fd, head, sizeof head, 0) != (ssize_t)sizeof head)
        return refuse(put, error, "it is too short for a WAL segment");
    if (!wal_header_read(head, sizeof head, &header, &problem))
        return refuse(put, error, "%s", problem->message);
    put->segment_size = header.segment_size;
    if (put->plain.size != header.segment_size)
        return refuse(put, error,
                      "it has %" G_GUINT64_FORMAT
                      " bytes, and its segments have %" G_GUINT32_FORMAT,
                      put->plain.size, header.segment_size);
    if (put->archive->segment_size != 0 && header.segment_size != put->archive->segment_size)
        return refuse(put, error,
                      "its segments have %" G_GUINT32_FORMAT
                      " bytes, and those of the server %" G_GUINT32_FORMAT,
                      header.segment_size, put->archive->segment_size);
    if (header.system_identifier != put->archive->system_identifier)
        return refuse(put, error,
                      "it has the system identifier %" G_GUINT64_FORMAT
                      ", and the source %s has %" G_GUINT64_FORMAT,
                      header.system_identifier, put->archive->source,
                      put->archive->system_identifier);
    if (!wal_name_fits(&put->name, header.segment_size) ||
        header.address != wal_segment_number(&put->name, header.segment_size) * header.segment_size)
        return refuse(put, error, "its first page is of another place, %X/%X",
                      (guint)(header.address >> 32), (guint)header.address);
    /* A timeline's first segment begins with pages of the timeline before. */
    if (header.timeline == 0 || header.timeline > put->name.timeline)
        return refuse(put, error, "its first page is of timeline %" G_GUINT32_FORMAT,
                      header.timeline);
    return TRUE;
}

static gboolean check_file(Put *put, GError **error)
{
    if (put->name.kind == WAL_SEGMENT || put->name.kind == WAL_PARTIAL)
        return check_segment(put, error);
    if (put->plain.size == 0 || put->plain.size > SMALL_LIMIT)
        return refuse(put, error, "it has %" G_GUINT64_FORMAT " bytes", put->plain.size);
    return TRUE;
}

/* The name is taken. What stands there counts only after it has been read. *ret_broken: it should
 * hold the same, and is damaged, so that writing it again heals the archive. */
static gboolean compare(const Put *put, gboolean *ret_broken, GError **error)
{
    g_autoptr(GError) problem = NULL;
    WalFrame frame;
    guint8 digest[SHA256_SIZE];

    if (!wal_object_frame(put->archive->repository, put->object, &frame, error) ||
        !wal_plain_hash(&put->plain, digest, error))
        return FALSE;
    if (frame.plain_size != put->plain.size ||
        memcmp(frame.plain_sha256, digest, SHA256_SIZE) != 0) {
        (void)refuse(put, error, "other content is archived under this name");
        error_add_hint(error,
                       "two servers archive into one place, or a server was set back without a "
                       "new timeline: give each source an archive of its own");
        return FALSE;
    }
    *ret_broken = !wal_object_check(put->archive->repository, put->object, NULL, &problem);
    if (*ret_broken && !error_is(problem, ERROR_DAMAGED)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    return TRUE;
}

static gboolean write_object(const Put *put, GError **error)
{
    WalFrame frame = {.system_identifier = put->archive->system_identifier,
                      .segment_size = put->segment_size};

    g_strlcpy(frame.name, put->file, sizeof frame.name);
    return wal_object_write(put->archive->repository, put->object, &put->plain, WAL_LEVEL, &frame,
                            error);
}

/* Writes, unless it is there. */
static gboolean put_or_compare(const Put *put, WalPut *ret_put, GError **error)
{
    g_autoptr(GError) problem = NULL;
    StoreInfo info;
    gboolean there = store_stat(store_of(put->archive), put->object, &info, &problem);
    gboolean broken;

    if (!there && error_is(problem, ERROR_NOT_FOUND)) {
        g_clear_error(&problem);
        if (write_object(put, &problem)) {
            *ret_put = WAL_PUT_NEW;
            return TRUE;
        }
        there = error_is(problem, ERROR_EXISTS);
    }
    if (!there) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    if (!compare(put, &broken, error))
        return FALSE;
    *ret_put = broken ? WAL_PUT_NEW : WAL_PUT_SAME;
    if (!broken)
        return TRUE;
    log_write(LOG_WARNING, "%s in %s is damaged: it is written again", put->object,
              store_location(store_of(put->archive)));
    return store_delete(store_of(put->archive), put->object, error) && write_object(put, error);
}

gboolean wal_archive_put(const WalArchive *archive, const char *name, const char *path,
                         WalPut *ret_put, GError **error)
{
    g_autofree char *object = need_object_name(archive, name, error);
    FILE_AUTO_FD fd = -1;
    Put put = {.archive = archive, .file = name, .object = object};
    struct stat info;

    if (object == NULL || !wal_name_parse(name, &put.name))
        return FALSE;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &info) != 0) {
        error_set_errno(error, errno, "cannot open %s", path);
        return FALSE;
    }
    if (!S_ISREG(info.st_mode)) {
        error_set(error, ERROR_REFUSED, "%s is no file", path);
        return FALSE;
    }
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    put.plain = (WalPlain){.fd = fd, .size = (guint64)info.st_size, .path = path};
    return check_file(&put, error) && put_or_compare(&put, ret_put, error);
}

/* --- getting ---------------------------------------------------------------------------------- */

/* Where plain bytes go: a file that is being written, or memory. */
typedef struct {
    int fd;
    const char *path;
    GByteArray *bytes; /* NULL: the file */
    gsize limit;
    guint64 skip; /* bytes at the beginning that are there already */
    guint64 length;
} Target;

static gboolean take_bytes(const void *bytes, gsize length, gpointer data, GError **error)
{
    Target *target = data;
    gsize skip = (gsize)MIN(target->skip, length);

    target->skip -= skip;
    length -= skip;
    bytes = (const guint8 *)bytes + skip;
    if (length == 0)
        return TRUE;
    target->length += length;
    if (target->bytes == NULL)
        return file_write_all(target->fd, bytes, length, target->path, error);
    if (target->length > target->limit) {
        error_set(error, ERROR_LIMIT, "%s is larger than expected", target->path);
        return FALSE;
    }
    g_byte_array_append(target->bytes, bytes, (guint)length);
    return TRUE;
}

/* An object that was moved to another name is as wrong as a broken one. */
static gboolean check_frame(const WalArchive *archive, const char *name, const WalFrame *frame,
                            GError **error)
{
    if (strcmp(frame->name, name) != 0 || frame->system_identifier != archive->system_identifier) {
        error_set(error, ERROR_DAMAGED,
                  "the object of %s holds %s of the system identifier %" G_GUINT64_FORMAT, name,
                  frame->name, frame->system_identifier);
        return FALSE;
    }
    if (archive->segment_size != 0 && frame->segment_size != 0 &&
        frame->segment_size != archive->segment_size) {
        error_set(error, ERROR_DAMAGED,
                  "%s was archived with segments of %" G_GUINT32_FORMAT
                  " bytes, and the server has segments of %" G_GUINT32_FORMAT,
                  name, frame->segment_size, archive->segment_size);
        return FALSE;
    }
    return TRUE;
}

static char *piece_name(const WalArchive *archive, const char *segment, guint32 end)
{
    g_autofree char *object = wal_archive_object_name(archive, segment);

    return g_strdup_printf("%s.%08X.part", object, end);
}

/* A piece that was listed and is gone was superseded meanwhile: that is no absence. Takes the
 * problem. */
static void pass_vanished(GError *problem, GError **error)
{
    if (error_is(problem, ERROR_NOT_FOUND))
        problem->code = ERROR_VANISHED;
    g_propagate_error(error, problem);
}

/* ERROR_NOT_FOUND where there is no piece. The rest of the segment is zeros, as in one that the
 * server has begun. */
static gboolean read_pieces(const WalArchive *archive, const char *segment, Target *target,
                            GError **error)
{
    static const guint8 zeros[64 * 1024];
    g_autoptr(GArray) pieces = NULL;
    WalFrame frame = {0};

    if (!wal_archive_pieces(archive, segment, &pieces, error))
        return FALSE;
    if (pieces->len == 0) {
        error_set(error, ERROR_NOT_FOUND, "%s is not in the archive of source %s", segment,
                  archive->source);
        return FALSE;
    }
    for (guint i = 0; i < pieces->len; i++) {
        const WalPiece *piece = &g_array_index(pieces, WalPiece, i);
        g_autofree char *object = piece_name(archive, segment, piece->end);

        g_autoptr(GError) problem = NULL;

        target->skip = target->length - piece->start;
        if (!wal_object_read(archive->repository, object, take_bytes, target, &frame, &problem)) {
            pass_vanished(g_steal_pointer(&problem), error);
            return FALSE;
        }
        if (!check_frame(archive, segment, &frame, error))
            return FALSE;
    }
    while (target->length < frame.segment_size) {
        gsize length = (gsize)MIN(frame.segment_size - target->length, sizeof zeros);

        if (!take_bytes(zeros, length, target, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean read_once(const WalArchive *archive, const char *name, Target *target,
                          GError **error)
{
    g_autofree char *object = need_object_name(archive, name, error);
    g_autoptr(GError) problem = NULL;
    WalFrame frame;
    WalName parts;

    if (object == NULL || !wal_name_parse(name, &parts))
        return FALSE;
    if (target->bytes == NULL
            ? wal_object_read_into(archive->repository, object, target->fd, target->path, &frame,
                                   &problem)
            : wal_object_read(archive->repository, object, take_bytes, target, &frame, &problem))
        return check_frame(archive, name, &frame, error);
    if (!error_is(problem, ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    if (parts.kind == WAL_SEGMENT)
        return read_pieces(archive, name, target, error);
    error_set(error, ERROR_NOT_FOUND, "%s is not in the archive of source %s", name,
              archive->source);
    return FALSE;
}

static gboolean rewind_target(Target *target, GError **error)
{
    target->length = target->skip = 0;
    if (target->bytes != NULL) {
        g_byte_array_set_size(target->bytes, 0);
        return TRUE;
    }
    if (ftruncate(target->fd, 0) == 0 && lseek(target->fd, 0, SEEK_SET) == 0)
        return TRUE;
    error_set_errno(error, errno, "cannot rewind %s", target->path);
    return FALSE;
}

/* Whoever streams puts pieces together, and a whole segment in their place, while we look: look
 * again then. */
static gboolean read_file(const WalArchive *archive, const char *name, Target *target,
                          GError **error)
{
    for (guint i = 1;; i++) {
        g_autoptr(GError) problem = NULL;
        gboolean present = FALSE;

        if (read_once(archive, name, target, &problem))
            return TRUE;
        if (error_is(problem, ERROR_NOT_FOUND) && !wal_archive_has(archive, name, &present, error))
            return FALSE;
        if (i == READ_TRIES || (!present && !error_is(problem, ERROR_VANISHED))) {
            if (present)
                problem->code = ERROR_VANISHED;
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        if (!rewind_target(target, error))
            return FALSE;
    }
}

/* Absence is proven only by a store that answers: the folder that would hold the file must be one
 * that can be listed. */
static gboolean prove_absence(const WalArchive *archive, GError **error)
{
    g_autofree char *prefix = g_strdup_printf("wal/%s/", archive->source);
    g_autoptr(GPtrArray) parts = NULL;
    StoreInfo info;

    return store_list_parts(store_of(archive), prefix, &parts, error) &&
           store_stat(store_of(archive), "repository.json", &info, error);
}

static gboolean read_or_prove(const WalArchive *archive, const char *name, Target *target,
                              GError **error)
{
    g_autoptr(GError) problem = NULL, doubt = NULL;

    if (read_file(archive, name, target, &problem))
        return TRUE;
    if (error_is(problem, ERROR_NOT_FOUND) && !prove_absence(archive, &doubt)) {
        error_set(error, ERROR_UNREACHABLE, "the repository went away: %s", doubt->message);
        return FALSE;
    }
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

/* A local directory that is missing must not look like a file that the archive does not have. */
static void set_local_error(GError **error, int errnum, const char *verb, const char *path)
{
    g_autoptr(GError) problem = NULL;

    error_set_errno(&problem, errnum, "cannot %s %s", verb, path);
    if (error_is(problem, ERROR_NOT_FOUND))
        problem->code = ERROR_USAGE;
    g_propagate_error(error, g_steal_pointer(&problem));
}

static gboolean place(const Target *target, const char *path, gboolean durable, GError **error)
{
    g_autofree char *directory = g_path_get_dirname(path);

    if (durable && !file_sync(target->fd, target->path, error))
        return FALSE;
    if (rename(target->path, path) != 0) {
        set_local_error(error, errno, "put in place", path);
        return FALSE;
    }
    return !durable || directory_sync(directory, error);
}

gboolean wal_archive_get(const WalArchive *archive, const char *name, const char *path,
                         gboolean durable, GError **error)
{
    /* Always the same name: a killed get leaves one file at most, which the next one replaces. */
    g_autofree char *temporary = g_strconcat(path, ".holdfast-tmp", NULL);
    FILE_AUTO_FD fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    Target target = {.fd = fd, .path = temporary};

    if (fd < 0) {
        set_local_error(error, errno, "create", temporary);
        return FALSE;
    }
    if (read_or_prove(archive, name, &target, error) && place(&target, path, durable, error))
        return TRUE;
    (void)unlink(temporary);
    return FALSE;
}

GBytes *wal_archive_load(const WalArchive *archive, const char *name, gsize limit, GError **error)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    Target target = {.fd = -1, .path = name, .bytes = bytes, .limit = limit};

    if (!read_or_prove(archive, name, &target, error))
        return NULL;
    return g_byte_array_free_to_bytes(g_steal_pointer(&bytes));
}

gboolean wal_archive_has(const WalArchive *archive, const char *name, gboolean *ret_present,
                         GError **error)
{
    g_autofree char *object = need_object_name(archive, name, error);
    g_autoptr(GError) problem = NULL;
    StoreInfo info;

    if (object == NULL)
        return FALSE;
    if (store_stat(store_of(archive), object, &info, &problem)) {
        *ret_present = TRUE;
        return TRUE;
    }
    if (!error_is(problem, ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    *ret_present = FALSE;
    return TRUE;
}

gboolean wal_archive_verify(const WalArchive *archive, const char *name, WalFrame *ret_frame,
                            GError **error)
{
    g_autofree char *object = need_object_name(archive, name, error);
    WalFrame frame;

    if (object == NULL ||
        !wal_object_read(archive->repository, object, NULL, NULL, &frame, error) ||
        !check_frame(archive, name, &frame, error))
        return FALSE;
    if (ret_frame != NULL)
        *ret_frame = frame;
    return TRUE;
}

/* --- pieces ----------------------------------------------------------------------------------- */

static gboolean same_piece(const WalArchive *archive, const char *object, const WalFrame *wanted,
                           GError **error)
{
    WalFrame frame;

    if (!wal_object_read(archive->repository, object, NULL, NULL, &frame, error))
        return FALSE;
    if (frame.start == wanted->start &&
        memcmp(frame.plain_sha256, wanted->plain_sha256, SHA256_SIZE) == 0)
        return TRUE;
    error_set(error, ERROR_REFUSED, "%s is taken by other content", object);
    return FALSE;
}

gboolean wal_archive_put_piece(const WalArchive *archive, const char *segment, guint32 start,
                               const void *bytes, gsize length, GError **error)
{
    g_autofree char *object = piece_name(archive, segment, start + (guint32)length);
    g_autoptr(GError) problem = NULL;
    const WalPlain plain = {.fd = -1, .bytes = bytes, .size = length, .path = segment};
    WalFrame frame = {.system_identifier = archive->system_identifier,
                      .segment_size = archive->segment_size,
                      .start = start};

    g_strlcpy(frame.name, segment, sizeof frame.name);
    if (wal_object_write(archive->repository, object, &plain, WAL_LEVEL, &frame, &problem))
        return TRUE;
    if (error_is(problem, ERROR_EXISTS))
        return same_piece(archive, object, &frame, error);
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

typedef struct {
    const WalArchive *archive;
    const char *segment;
    GArray *pieces;     /* WalPiece */
    guint32 drop_until; /* delete those that end at or before, instead of looking into them */
} PieceSearch;

static gboolean find_piece(const char *object, const StoreInfo *info, gpointer data, GError **error)
{
    PieceSearch *search = data;
    WalObjectName parts;
    g_autoptr(GError) problem = NULL;
    WalFrame frame;
    WalPiece piece;

    if (!wal_object_name_parse(object, &parts) || parts.piece_end == 0 ||
        strcmp(parts.file, search->segment) != 0)
        return TRUE;
    if (search->drop_until != 0)
        return parts.piece_end > search->drop_until ||
               store_delete(store_of(search->archive), object, error);
    if (!wal_object_frame(search->archive->repository, object, &frame, &problem)) {
        pass_vanished(g_steal_pointer(&problem), error);
        return FALSE;
    }
    if (!check_frame(search->archive, search->segment, &frame, error))
        return FALSE;
    if (frame.start + frame.plain_size != parts.piece_end || parts.piece_end > frame.segment_size) {
        error_set(error, ERROR_DAMAGED, "%s does not end where its name says", object);
        return FALSE;
    }
    piece = (WalPiece){(guint32)frame.start, parts.piece_end};
    g_array_append_val(search->pieces, piece);
    return TRUE;
}

static gboolean search_pieces(PieceSearch *search, GError **error)
{
    g_autofree char *object = need_object_name(search->archive, search->segment, error);
    char *slash;

    if (object == NULL)
        return FALSE;
    slash = strrchr(object, '/');
    slash[1] = '\0';
    return store_list(store_of(search->archive), object, find_piece, search, error);
}

gboolean wal_archive_pieces(const WalArchive *archive, const char *segment, GArray **ret_pieces,
                            GError **error)
{
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(WalPiece));
    g_autoptr(GArray) chosen = g_array_new(FALSE, FALSE, sizeof(WalPiece));
    PieceSearch search = {.archive = archive, .segment = segment, .pieces = all};
    guint32 reached = 0;

    if (!search_pieces(&search, error))
        return FALSE;
    for (;;) {
        const WalPiece *best = NULL;

        for (guint i = 0; i < all->len; i++) {
            const WalPiece *piece = &g_array_index(all, WalPiece, i);

            if (piece->start <= reached && piece->end > reached &&
                (best == NULL || piece->end > best->end))
                best = piece;
        }
        if (best == NULL)
            break;
        reached = best->end;
        g_array_append_vals(chosen, best, 1);
    }
    *ret_pieces = g_steal_pointer(&chosen);
    return TRUE;
}

gboolean wal_archive_drop_pieces(const WalArchive *archive, const char *segment, guint32 end,
                                 GError **error)
{
    PieceSearch search = {.archive = archive, .segment = segment, .drop_until = end};

    return search_pieces(&search, error);
}
