/* SPDX-License-Identifier: Apache-2.0
 *
 * The notify socket. It must not be inherited: a job's messages would be taken for the service's.
 */
#include "service/systemd.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"

void systemd_notify(const char *state)
{
    const char *path = g_getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    gsize length = path != NULL ? strlen(path) : 0;
    FILE_AUTO_FD fd = -1;

    if (length < 2 || length >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(address.sun_path, path, length);
    /* "@" stands for the zero byte of the abstract name space. */
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
}

void systemd_beat(void)
{
    const char *wanted = g_getenv("WATCHDOG_USEC");
    const char *pid = g_getenv("WATCHDOG_PID");

    /* Set for another process: it is not ours to answer. */
    if (wanted != NULL && (pid == NULL || g_ascii_strtoll(pid, NULL, 10) == (gint64)getpid()))
        systemd_notify("WATCHDOG=1");
}

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

void systemd_log(LogLevel level, const char *text, gpointer data)
{
    static const int priorities[] = {3, 4, 6, 7}; /* of syslog(3) */
    g_autofree char *line = g_strdup_printf("<%d>%s", priorities[level], text);
    g_autofree char *whole = NULL;

    g_strdelimit(line, "\r\n", ' ');
    whole = g_strconcat(line, "\n", NULL);
    if (!file_write_all(STDERR_FILENO, whole, strlen(whole), "standard error", NULL))
        return; /* there is no place left to tell it */
}
