/* SPDX-License-Identifier: Apache-2.0
 *
 * The error table: every kind of failure that Holdfast tells apart, with the exit status and the
 * HTTP status that it becomes. All failures travel as GError in one domain; the code is an
 * ErrorCode.
 *
 * A message is lowercase, names the thing (file, table, host) and ends without a full stop. A hint
 * ("what to do now") is kept in the same GError behind the message, so that g_prefix_error() and
 * g_propagate_error() work as everywhere; use error_text() and error_hint() to take the two apart.
 * Messages never hold secrets.
 *
 * Threads: everything here may be called from any thread.
 */
#ifndef HOLDFAST_BASE_ERROR_H
#define HOLDFAST_BASE_ERROR_H

#include <gio/gio.h>

#define ERROR_DOMAIN (error_domain())

typedef enum {
    ERROR_INTERNAL,       /* a promise inside Holdfast was broken: a bug */
    ERROR_USAGE,          /* the command line or the request cannot be understood */
    ERROR_CONFIG,         /* the configuration cannot be used */
    ERROR_INSECURE_FILE,  /* a file that holds secrets can be read by others */
    ERROR_DAMAGED,        /* stored bytes are not what was written, or a count differs */
    ERROR_BUSY,           /* the same operation runs already */
    ERROR_UNREACHABLE,    /* a server or a repository could not be reached */
    ERROR_OBJECTIVE,      /* a recovery objective is missed */
    ERROR_NOT_FOUND,      /* a named thing (backup, table, job, object) is not there */
    ERROR_EXISTS,         /* a thing that was to be made is there already */
    ERROR_REFUSED,        /* understood, but not done: a rule protects the user's data */
    ERROR_PINNED,         /* a pinned backup is not deleted */
    ERROR_NO_SPACE,       /* a file system or a quota is full */
    ERROR_PERMISSION,     /* the operating system or a server denies access */
    ERROR_READ_ONLY,      /* the place cannot be written */
    ERROR_IO,             /* reading, writing or syncing failed otherwise */
    ERROR_FORMAT,         /* bytes that were read do not follow their format */
    ERROR_NEWER_FORMAT,   /* written by a newer Holdfast in a format that this one does not know */
    ERROR_LIMIT,          /* an input is larger than the limit for its kind */
    ERROR_CANCELLED,      /* stopped on request */
    ERROR_TIMEOUT,        /* something took longer than it may */
    ERROR_SERVER,         /* a database server answered with an error */
    ERROR_PRIVILEGE,      /* the database role lacks a privilege */
    ERROR_CLIENT_VERSION, /* a client program is missing or older than the server */
    ERROR_SUBPROCESS,     /* a child program failed */
    ERROR_VANISHED,       /* something (a database, a table) went away during the work */
    ERROR_UNSUPPORTED,    /* known, but not supported here */
    ERROR_CATALOG,        /* the catalog cannot be used */
    ERROR_COUNT_MISMATCH, /* restored rows differ from those that the backup recorded */
    ERROR_LAST            /* number of codes; not a code */
} ErrorCode;

typedef struct {
    ErrorCode code;
    const char *name;    /* stable, for programs: "no-space" */
    int exit_status;     /* 1 to 6 */
    int http_status;     /* 400 to 599 */
    const char *summary; /* one lowercase sentence, for documentation and problem titles */
} ErrorInfo;

GQuark error_domain(void);

/* The table's row for a code; never NULL (unknown codes give the row of ERROR_INTERNAL). */
const ErrorInfo *error_info(ErrorCode code);

/* The table's row for any GError. Foreign domains are translated: G_IO_ERROR_CANCELLED and the like
 * keep their sense, the rest is ERROR_INTERNAL. */
const ErrorInfo *error_info_of(const GError *error);

/* Sets *error (if error is not NULL) as g_set_error() does. */
void error_set(GError **error, ErrorCode code, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* Sets *error from an errno value: ENOSPC, EACCES, EROFS, ENOENT … become their codes, and the
 * system's text is added behind the message: "cannot write /x/y: no space left on device". A
 * fitting hint is added where there is one. */
void error_set_errno(GError **error, int errnum, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* Adds a hint to the error that was just set. Does nothing when there is no error or it has a hint
 * already. */
void error_add_hint(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Moves an error of another domain (GIO, key file, spawn) into ours, keeping its text; one of ours
 * is passed as it is. Takes `source`. */
void error_take(GError **error, ErrorCode code, GError *source);

/* FALSE with ERROR_CANCELLED when it has fired. NULL is allowed: TRUE. */
gboolean error_unless_cancelled(GCancellable *cancellable,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* True when error is ours and has this code. NULL is allowed: false. */
gboolean error_is(const GError *error, ErrorCode code);

/* The message without its hint; free with g_free(). */
char *error_text(const GError *error);

/* The hint inside the error's message, or NULL. Belongs to the error. */
const char *error_hint(const GError *error);

#endif
