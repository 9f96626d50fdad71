/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages to the journal: the datagrams, at a socket of the test's own, and what is done without
 * one.
 */
#include "service/systemd.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

typedef struct {
    char *directory, *path;
    int fd;
    SystemdJournal *journal;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    fixture->directory = g_dir_make_tmp("hf-journal-XXXXXX", NULL);
    fixture->path = g_build_filename(fixture->directory, "socket", NULL);
    g_strlcpy(address.sun_path, fixture->path, sizeof(address.sun_path));
    fixture->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    g_assert_cmpint(bind(fixture->fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    fixture->journal = systemd_journal_new(fixture->path);
    log_set_writer(systemd_log, fixture->journal);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    log_set_writer(NULL, NULL);
    systemd_journal_free(fixture->journal);
    file_close_fd(&fixture->fd);
    (void)g_unlink(fixture->path);
    (void)g_rmdir(fixture->directory);
    g_free(fixture->path);
    g_free(fixture->directory);
}

/* The datagram that was sent: a local one is there at once. */
static char *received(const Fixture *fixture)
{
    static char bytes[256 * 1024];
    gssize length = recv(fixture->fd, bytes, sizeof(bytes), 0);

    g_assert_cmpint(length, >, 0);
    return g_strndup(bytes, (gsize)length);
}

static void test_fields(Fixture *fixture, gconstpointer data)
{
    g_autofree char *plain = NULL;
    g_autofree char *whole = NULL;

    log_write(LOG_ERROR, "cannot write %s", "/x");
    plain = received(fixture);
    g_assert_cmpstr(plain, ==, "PRIORITY=3\nSYSLOG_IDENTIFIER=holdfast\nMESSAGE=cannot write /x\n");
    log_write_fields(LOG_FIELDS({"job", "j1"}, {"source", NULL}, {"code", "busy"}), LOG_WARNING,
                     "job %s", "j1");
    whole = received(fixture);
    g_assert_cmpstr(whole, ==,
                    "PRIORITY=4\nSYSLOG_IDENTIFIER=holdfast\nMESSAGE=job j1\nHOLDFAST_JOB=j1\n"
                    "HOLDFAST_CODE=busy\n");
}

/* Nothing that stands in a text becomes a field. */
static void test_forged(Fixture *fixture, gconstpointer data)
{
    g_autofree char *told = NULL;

    log_write_fields(LOG_FIELDS({"user", "a\nPRIORITY=0"}), LOG_WARNING, "x\nMESSAGE=y\xff");
    told = received(fixture);
    g_assert_cmpstr(told, ==,
                    "PRIORITY=4\nSYSLOG_IDENTIFIER=holdfast\nMESSAGE=x MESSAGE=y\xef\xbf\xbd\n"
                    "HOLDFAST_USER=a PRIORITY=0\n");
}

static void test_long(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *told = NULL;

    for (guint i = 0; i < 100000; i++)
        g_string_append(text, "ä");
    log_write(LOG_WARNING, "%s", text->str);
    told = received(fixture);
    g_assert_true(g_utf8_validate(told, -1, NULL));
    g_assert_cmpuint(strlen(told), <, 50 * 1024);
    g_assert_cmpuint(strlen(told), >, 48 * 1024);
}

/* A journal that is away: the text goes to standard error, with its level. */
static void test_away(void)
{
    if (g_test_subprocess()) {
        g_autoptr(SystemdJournal) journal = systemd_journal_new("/nonexistent/socket");

        log_set_writer(systemd_log, journal);
        log_write_fields(LOG_FIELDS({"job", "j1"}), LOG_WARNING, "one\ntwo");
        log_set_writer(NULL, NULL);
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr("<4>one two\n");
}

/* Only where the variable names our own standard error is there a journal behind it. */
static void test_has_journal(void)
{
    struct stat info;
    g_autofree char *own = NULL;

    g_assert_cmpint(fstat(STDERR_FILENO, &info), ==, 0);
    own = g_strdup_printf("%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT, (guint64)info.st_dev,
                          (guint64)info.st_ino);
    g_unsetenv("JOURNAL_STREAM");
    g_assert_false(systemd_has_journal());
    g_setenv("JOURNAL_STREAM", "1:1", TRUE);
    g_assert_false(systemd_has_journal());
    g_setenv("JOURNAL_STREAM", own, TRUE);
    g_assert_true(systemd_has_journal());
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/systemd/fields", Fixture, NULL, set_up, test_fields, tear_down);
    g_test_add("/systemd/forged", Fixture, NULL, set_up, test_forged, tear_down);
    g_test_add("/systemd/long", Fixture, NULL, set_up, test_long, tear_down);
    g_test_add_func("/systemd/away", test_away);
    g_test_add_func("/systemd/has-journal", test_has_journal);
    return g_test_run();
}
