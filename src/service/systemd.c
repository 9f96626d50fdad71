/* SPDX-License-Identifier: Apache-2.0
 *
 * The sockets of systemd. They must not be inherited: a job's messages would be taken for the
 * service's.
 */
#include "service/systemd.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
/* The journal cuts lines of standard error at 48 KiB; a datagram of that size always fits. */
#define VALUE_LIMIT (48 * 1024)

struct SystemdJournal {
    int fd; /* or -1 */
    struct sockaddr_un address;
    socklen_t length;
};

/* FALSE: that is no path of a socket. */
static gboolean make_address(const char *path, struct sockaddr_un *ret_address,
                             socklen_t *ret_length)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    gsize length = path != NULL ? strlen(path) : 0;

    if (length < 2 || length >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@'))
        return FALSE;
    memcpy(address.sun_path, path, length);
    /* "@" stands for the zero byte of the abstract name space. */
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    *ret_address = address;
    *ret_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    return TRUE;
}

static gboolean send_datagram(int fd, const char *bytes, gsize size,
                              const struct sockaddr_un *address, socklen_t length)
{
    gssize sent;

    do {
        sent = sendto(fd, bytes, size, MSG_NOSIGNAL, (const struct sockaddr *)address, length);
    } while (sent < 0 && errno == EINTR);
    return sent >= 0;
}

/* --- states ----------------------------------------------------------------------------------- */

void systemd_notify(const char *state)
{
    struct sockaddr_un address;
    socklen_t length;
    FILE_AUTO_FD fd = -1;

    if (!make_address(g_getenv("NOTIFY_SOCKET"), &address, &length))
        return;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        (void)send_datagram(fd, state, strlen(state), &address, length);
}

void systemd_beat(void)
{
    const char *wanted = g_getenv("WATCHDOG_USEC");
    const char *pid = g_getenv("WATCHDOG_PID");

    /* Set for another process: it is not ours to answer. */
    if (wanted != NULL && (pid == NULL || g_ascii_strtoll(pid, NULL, 10) == (gint64)getpid()))
        systemd_notify("WATCHDOG=1");
}

/* --- the journal ------------------------------------------------------------------------------ */

gboolean systemd_has_journal(void)
{
    const char *stream = g_getenv("JOURNAL_STREAM");
    g_autofree char *own = NULL;
    struct stat info;

    if (stream == NULL || fstat(STDERR_FILENO, &info) != 0)
        return FALSE;
    own = g_strdup_printf("%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT, (guint64)info.st_dev,
                          (guint64)info.st_ino);
    return strcmp(stream, own) == 0;
}

SystemdJournal *systemd_journal_new(const char *path)
{
    SystemdJournal *journal = g_new0(SystemdJournal, 1);

    journal->fd = -1;
    if (make_address(path != NULL ? path : JOURNAL_SOCKET, &journal->address, &journal->length))
        journal->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return journal;
}

void systemd_journal_free(SystemdJournal *journal)
{
    if (journal == NULL)
        return;
    file_close_fd(&journal->fd);
    g_free(journal);
}

/* A value without line feeds stands behind "="; log_line() takes them out. */
static void add_field(GString *message, const char *prefix, const char *name, const char *value)
{
    g_autofree char *upper = g_ascii_strup(name, -1);
    g_autofree char *line = log_line(value);

    if (strlen(line) > VALUE_LIMIT)
        *g_utf8_find_prev_char(line, line + VALUE_LIMIT + 1) = '\0';
    g_string_append_printf(message, "%s%s=%s\n", prefix, upper, line);
}

static void write_line(int priority, const char *text)
{
    g_autofree char *clean = log_line(text);
    g_autofree char *line = g_strdup_printf("<%d>%s\n", priority, clean);

    if (!file_write_all(STDERR_FILENO, line, strlen(line), "standard error", NULL))
        return; /* there is no place left to tell it */
}

void systemd_log(LogLevel level, const char *text, const LogField *fields, gpointer data)
{
    static const int priorities[] = {3, 4, 6, 7}; /* of syslog(3) */
    const SystemdJournal *journal = data;
    g_autoptr(GString) message = g_string_new(NULL);

    g_string_append_printf(message, "PRIORITY=%d\nSYSLOG_IDENTIFIER=holdfast\n", priorities[level]);
    add_field(message, "", "MESSAGE", text);
    for (; fields != NULL && fields->name != NULL; fields++) {
        if (fields->value != NULL)
            add_field(message, "HOLDFAST_", fields->name, fields->value);
    }
    if (journal->fd < 0 ||
        !send_datagram(journal->fd, message->str, message->len, &journal->address, journal->length))
        write_line(priorities[level], text);
}
