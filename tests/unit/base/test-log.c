/* SPDX-License-Identifier: Apache-2.0
 *
 * The log: levels, the writer, and the shape of a line.
 */
#include "base/log.h"

#include "base/error.h"
#include "base/time.h"

#include <string.h>

static void keep(LogLevel level, const char *text, const LogField *fields, gpointer data)
{
    g_string_append_printf(data, "%d %s|", (int)level, text);
}

static void test_levels(void)
{
    g_autoptr(GString) seen = g_string_new(NULL);

    g_assert_cmpint(log_level(), ==, LOG_WARNING);
    log_set_writer(keep, seen);
    log_write(LOG_ERROR, "one %d", 1);
    log_write(LOG_WARNING, "two");
    log_write(LOG_INFO, "dropped");
    log_set_level(LOG_DEBUG);
    log_write(LOG_DEBUG, "three");
    log_set_level(LOG_ERROR);
    log_write(LOG_WARNING, "dropped");
    log_set_level(LOG_WARNING);
    log_set_writer(NULL, NULL);
    g_assert_cmpstr(seen->str, ==, "0 one 1|1 two|3 three|");
}

static void test_parse(void)
{
    g_autoptr(GError) error = NULL;
    LogLevel level = LOG_ERROR;

    g_assert_true(log_level_parse("debug", &level, &error));
    g_assert_cmpint(level, ==, LOG_DEBUG);
    g_assert_false(log_level_parse("Debug", &level, &error));
    g_assert_true(error_is(error, ERROR_USAGE));
    g_assert_cmpint(level, ==, LOG_DEBUG);
}

static gint64 stopped_clock(gpointer data)
{
    return 0;
}

/* One message is one line, whatever a server's text in it says. */
static void test_line(void)
{
    if (g_test_subprocess()) {
        time_set_source(stopped_clock, NULL);
        log_write(LOG_WARNING, "skipped\n1970-01-01T00:00:00Z error: forged\xff");
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr(
        "1970-01-01T00:00:00Z warning: skipped 1970-01-01T00:00:00Z error: forged\xef\xbf\xbd\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/base/log/levels", test_levels);
    g_test_add_func("/base/log/parse", test_parse);
    g_test_add_func("/base/log/line", test_line);
    return g_test_run();
}
