/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages: their form, their signature, e-mail, commands; queues that outlive the notifier.
 */
#include "service/notify.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/time.h"
#include "service/notify-private.h"

#define HEAD "[repository]\npath = /r\n"

static void ignore_log(LogLevel level, const char *text, const LogField *fields, gpointer data)
{
}

static Config *parse(const char *text)
{
    g_autoptr(GError) error = NULL;
    Config *config = config_parse(text, strlen(text), "x.conf", &error);

    g_assert_no_error(error);
    return config;
}

static NotifyMessage sample(NotifyKind kind)
{
    return (NotifyMessage){.kind = kind, .source = "main", .subject = "it failed", .text = "why"};
}

/* Judged by Python's hmac. */
static void test_signature(void)
{
    g_autofree char *signature = notify_signature("Jefe", 4, 1700000000, "{\"event\":\"failure\"}");

    g_assert_cmpstr(signature, ==,
                    "sha256=76e0afdfabd967b4873d47d6bd55cadff4300a326bef4a2787bb065dbe8ef212");
}

static void test_check(void)
{
    static const struct {
        const char *text, *problem;
    } cases[] = {
        {"type = webhook\n", "needs a url"},
        {"type = webhook\nurl = ftp://x\n", "needs a url"},
        {"type = email\nurl = http://x\n", "needs a url"},
        {"type = email\nurl = smtp://x\n", "sender"},
        {"type = email\nurl = smtp://x\nfrom = a@b\n", "recipient"},
        {"type = email\nurl = smtp://x\nfrom = a@b\nto = a\n", "no address"},
        {"type = email\nurl = smtp://x\nfrom = a@b\nto = c@d\nuser = u\n", "password_file"},
        {"type = email\nurl = smtp://x\nfrom = a@b\nto = c@d\nuser = u\npassword_file = /p\n"
         "tls = off\n",
         "in the clear"},
        {"type = command\n", "needs a command"},
        {"type = command\ncommand = sh -c \"x\n", "needs a command"},
        {"type = command\ncommand = x\ntimeout = 10ms\n", "timeout"},
        {"type = webhook\nurl = https://x\ncommand = x\n", "\"command\""},
        {"type = command\ncommand = x\nurl = https://x\n", "\"url\""},
        {"type = command\ncommand = x\ntls = off\n", "\"tls\""},
        {"type = webhook\nurl = https://x\nto = a@b\n", "\"to\""},
        {"type = webhook\nurl = https://x\nsecret_file = /nonexistent/s\n", "/nonexistent/s"},
        {"type = webhook\nurl = https://x\nca_file = /nonexistent/c\n", "/nonexistent/c"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strconcat(HEAD "[notify n]\n", cases[i].text, NULL);
        g_autoptr(Config) config = parse(text);
        g_autoptr(GError) error = NULL;

        g_assert_false(notify_check(config, &error));
        g_assert_true(error_is(error, ERROR_CONFIG));
        if (strstr(error->message, cases[i].problem) == NULL)
            g_error("\"%s\" is not in \"%s\"", cases[i].problem, error->message);
    }
}

/* A text of any length, and of any bytes, gives a message that fits into a pipe. */
static void test_body(void)
{
    g_autofree char *text = g_strnfill(100000, 'x');
    g_autoptr(json_t) details = json_object();
    NotifyMessage message = sample(NOTIFY_FAILURE);
    g_autofree char *body = NULL;
    g_autoptr(json_t) json = NULL;

    memcpy(text + NOTIFY_TEXT_LIMIT - 1, "\xe2\x82\xac\xff", 4);
    json_object_set_new(details, "long", json_text(text));
    message.text = text;
    message.details = details;
    body = notify_body(&message, TRUE);
    g_assert_cmpuint(strlen(body), <, 32768);
    g_assert_null(strchr(body, '\n'));
    json = json_loads(body, 0, NULL);
    g_assert_nonnull(json);
    g_assert_cmpstr(json_get_string(json, "event", ""), ==, "failure");
    g_assert_cmpstr(json_get_string(json, "source", ""), ==, "main");
    g_assert_true(json_is_true(json_object_get(json, "test")));
    g_assert_true(json_is_null(json_object_get(json, "details")));
    g_assert_cmpuint(strlen(json_get_string(json, "text", "")), <=, NOTIFY_TEXT_LIMIT);
    g_assert_true(g_str_has_prefix(json_get_string(json, "text", ""), "xxx"));
}

static void test_mail(void)
{
    char *to[] = {"a@x.org", "b@x.org", NULL};
    const NotifyTarget target = {.from = "holdfast@x.org", .to = to};
    static const char body[] =
        "{\"event\":\"failure\",\"host\":\"h\",\"source\":\"main\",\"time\":\"t\","
        "\"subject\":\"Größe\\r\\nBcc: evil@x.org\",\"text\":\"one\\n.\\ntwo\"}";
    g_autofree char *mail = notify_mail(&target, body, 0, "id");
    const char *blank = strstr(mail, "\r\n\r\n");
    g_autofree char *text = NULL;
    gsize length;

    g_assert_nonnull(strstr(mail, "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\n"));
    g_assert_nonnull(strstr(mail, "To: a@x.org, b@x.org\r\n"));
    g_assert_null(strstr(mail, "\r\nBcc:"));
    g_assert_nonnull(strstr(mail, "Subject: =?utf-8?B?"));
    g_assert_nonnull(blank);
    text = (char *)g_base64_decode(blank + 4, &length);
    g_assert_true(g_str_has_prefix(text, "one\n.\ntwo\r\n"));
    for (const char *line = mail; line != NULL; line = strstr(line + 1, "\r\n")) {
        const char *end = strstr(line + 2, "\r\n");

        g_assert_true(end == NULL || end - line < 120);
    }
}

/* --- commands, queues ------------------------------------------------------------------------- */

typedef struct {
    char *directory, *told;
    Store *store;
    Repository *repository;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    log_set_writer(ignore_log, NULL);
    fixture->directory = g_dir_make_tmp("holdfast-notify-XXXXXX", &error);
    fixture->told = g_build_filename(fixture->directory, "told", NULL);
    fixture->store = store_new_memory();
    fixture->repository = repository_create(fixture->store, COMPRESS_DEFAULT, &error);
    g_assert_no_error(error);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    repository_unref(fixture->repository);
    store_unref(fixture->store);
    g_assert_true(directory_remove(fixture->directory, &error));
    g_free(fixture->directory);
    g_free(fixture->told);
    log_set_writer(NULL, NULL);
}

static Config *configure(const Fixture *fixture, const char *command, const char *more)
{
    g_autofree char *text = g_strdup_printf("[general]\nstate_directory = %s\n" HEAD
                                            "[notify n]\ntype = command\ncommand = %s\n%s",
                                            fixture->directory, command, more);

    return parse(text);
}

static Config *configure_appending(const Fixture *fixture)
{
    g_autofree char *command =
        g_strdup_printf("sh -c \"cat >> %s; echo x$PGPASSWORD-$HOLDFAST_EVENT >> %s\"",
                        fixture->told, fixture->told);

    return configure(fixture, command, "on = failure,success\n");
}

/* Until nothing waits; a test that hangs is killed by its time limit. */
static NotifyCount wait_until_idle(Notifier *notifier)
{
    for (;;) {
        g_autoptr(GArray) counts = notify_counts(notifier);
        NotifyCount count = g_array_index(counts, NotifyCount, 0);

        count.name = NULL;
        if (count.waiting == 0)
            return count;
        g_usleep(2000);
    }
}

static guint count_lines(const Fixture *fixture, const char *with)
{
    g_autofree char *content = NULL;
    g_auto(GStrv) lines = NULL;
    guint count = 0;

    if (!g_file_get_contents(fixture->told, &content, NULL, NULL))
        return 0;
    lines = g_strsplit(content, "\n", -1);
    for (guint i = 0; lines[i] != NULL; i++)
        count += strstr(lines[i], with) != NULL;
    return count;
}

static void test_command(Fixture *fixture, gconstpointer data)
{
    g_autoptr(Config) config = configure_appending(fixture);
    g_autoptr(GError) error = NULL;
    g_autofree char *answer = NULL;

    g_assert_true(notify_test(config, "n", &answer, &error));
    g_assert_no_error(error);
    g_assert_cmpstr(answer, ==, "the command ended with exit status 0");
    g_assert_cmpuint(count_lines(fixture, "\"test\":true"), ==, 1);
    g_assert_cmpuint(count_lines(fixture, "secret"), ==, 0);
    g_assert_cmpuint(count_lines(fixture, "x-failure"), ==, 1);
    g_clear_pointer(&answer, g_free);
    g_assert_false(notify_test(config, "m", &answer, &error));
    g_assert_true(error_is(error, ERROR_NOT_FOUND));
}

static void test_command_fails(Fixture *fixture, gconstpointer data)
{
    g_autoptr(Config) failing = configure(fixture, "sh -c \"echo no such luck >&2; exit 3\"", "");
    g_autoptr(Config) hanging = configure(fixture, "sleep 600", "timeout = 1s\n");
    g_autoptr(GError) error = NULL;
    char *answer = NULL;

    g_assert_false(notify_test(failing, "n", &answer, &error));
    g_assert_true(error_is(error, ERROR_SUBPROCESS));
    g_assert_nonnull(strstr(error->message, "no such luck"));
    g_clear_error(&error);
    g_assert_false(notify_test(hanging, "n", &answer, &error));
    g_assert_true(error_is(error, ERROR_TIMEOUT));
}

static void test_kinds(Fixture *fixture, gconstpointer data)
{
    g_autoptr(Config) config = configure_appending(fixture);
    g_autoptr(GError) error = NULL;
    g_autoptr(Notifier) notifier = notify_open(config, fixture->repository, &error);
    const NotifyMessage failure = sample(NOTIFY_FAILURE), success = sample(NOTIFY_SUCCESS),
                        full = sample(NOTIFY_REPOSITORY_FULL);

    g_assert_no_error(error);
    notify_tell(notifier, &failure);
    notify_tell(notifier, &full);
    notify_tell(notifier, &success);
    g_assert_cmpuint(wait_until_idle(notifier).sent, ==, 2);
    g_assert_cmpuint(count_lines(fixture, "\"event\":\"failure\""), ==, 1);
    g_assert_cmpuint(count_lines(fixture, "\"event\":\"success\""), ==, 1);
    g_assert_cmpuint(count_lines(fixture, "\"event\":\"repository-full\""), ==, 0);
}

/* What one notifier could not deliver the next one does, once each and in order; a reload on the way
 * changes nothing in it. */
static void test_taken_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(Config) hanging = configure(fixture, "sleep 600", "on = failure\n");
    g_autoptr(Config) working = configure_appending(fixture);
    g_autoptr(GError) error = NULL;
    g_autoptr(Notifier) notifier = notify_open(hanging, fixture->repository, &error);
    const NotifyMessage message = sample(NOTIFY_FAILURE);

    for (guint i = 0; i < 3; i++)
        notify_tell(notifier, &message);
    notify_free(notifier);
    notifier = notify_open(hanging, fixture->repository, &error);
    g_assert_no_error(error);
    notify_tell(notifier, &message);
    g_assert_true(notify_use_config(notifier, working, &error));
    g_assert_cmpuint(wait_until_idle(notifier).sent, ==, 4);
    g_assert_cmpuint(count_lines(fixture, "\"event\":\"failure\""), ==, 4);
    notify_free(notifier);
    notifier = notify_open(working, fixture->repository, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(wait_until_idle(notifier).sent, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_setenv("PGPASSWORD", "secret", TRUE);
    g_test_add_func("/notify/signature", test_signature);
    g_test_add_func("/notify/check", test_check);
    g_test_add_func("/notify/body", test_body);
    g_test_add_func("/notify/mail", test_mail);
    g_test_add("/notify/command", Fixture, NULL, set_up, test_command, tear_down);
    g_test_add("/notify/command-fails", Fixture, NULL, set_up, test_command_fails, tear_down);
    g_test_add("/notify/kinds", Fixture, NULL, set_up, test_kinds, tear_down);
    g_test_add("/notify/taken-up", Fixture, NULL, set_up, test_taken_up, tear_down);
    return g_test_run();
}
