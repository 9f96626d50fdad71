/* SPDX-License-Identifier: Apache-2.0
 *
 * What a request goes through on its way: taken apart, routed, its sender known, its fields made
 * words of a command, its paths held against the roots.
 */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/time.h"
#include "service/auth.h"
#include "service/failures.h"
#include "service/fields.h"
#include "service/roots.h"
#include "service/router.h"
#include "service/waker.h"
#include "service/withheld.h"

/* --- requests --------------------------------------------------------------------------------- */

static Request *make(const char *method, const char *target)
{
    g_autoptr(GError) error = NULL;
    Request *request = request_new(method, target, &error);

    g_assert_no_error(error);
    return request;
}

static void refuse_target(const char *target)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Request) request = request_new("GET", target, &error);

    g_assert_null(request);
    g_assert_error(error, ERROR_DOMAIN, ERROR_USAGE);
}

static void test_request(void)
{
    g_autoptr(Request) request = make("GET", "/a%2Fb/c%20d/?x=1&y=a+b%26&&z");
    g_autofree char *long_target = g_strnfill(REQUEST_TARGET_LIMIT + 1, '/');
    g_autoptr(GString) many = g_string_new("/?");
    g_autoptr(GError) error = NULL;
    gint64 number;

    g_assert_cmpstr(request->segments[0], ==, "a/b");
    g_assert_cmpstr(request->segments[1], ==, "c d");
    g_assert_cmpstr(request->segments[2], ==, "");
    g_assert_null(request->segments[3]);
    g_assert_cmpstr(request_query(request, "y"), ==, "a b&");
    g_assert_cmpstr(request_query(request, "z"), ==, "");
    g_assert_true(request_query_number(request, "x", 1, 5, 3, &number, &error));
    g_assert_cmpint(number, ==, 1);
    g_assert_false(request_query_number(request, "x", 2, 5, 3, &number, NULL));
    g_assert_true(request_query_number(request, "none", 2, 5, 3, &number, &error));
    g_assert_cmpint(number, ==, 3);
    for (guint i = 0; i <= REQUEST_QUERY_LIMIT; i++)
        g_string_append_printf(many, "p%u=1&", i);
    refuse_target(long_target);
    refuse_target(many->str);
    refuse_target("nowhere");
    refuse_target("/%zz");
    refuse_target("/%00");
    refuse_target("/%0a");
    refuse_target("/%ff");
    refuse_target("/?a=%ff");
    refuse_target("/?a=1&a=2");
}

static void test_body(void)
{
    static const char *const bad[] = {"{", "[]", "1", "null", "{\"a\":1,\"a\":2}", "\xff", "{}x"};
    g_autofree char *large = g_strnfill(REQUEST_BODY_LIMIT + 1, ' ');
    g_autoptr(Request) request = make("POST", "/");
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_assert_false(request_set_body(request, bad[i], strlen(bad[i]), &error));
        g_assert_error(error, ERROR_DOMAIN, ERROR_USAGE);
        g_clear_error(&error);
    }
    g_assert_false(request_set_body(request, large, strlen(large), &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_LIMIT);
    g_clear_error(&error);
    g_assert_true(request_set_body(request, "", 0, &error));
    g_assert_null(request->body);
    g_assert_true(request_set_body(request, "{\"a\":1}", 7, &error));
    g_assert_true(json_is_object(request->body));
}

/* --- routes ----------------------------------------------------------------------------------- */

static void test_router(void)
{
    static const Route table[] = {
        {"GET", "/", ROLE_NONE, NULL, "root"},
        {"GET", "/backups", ROLE_VIEWER, NULL, "list"},
        {"GET", "/backups/{id}", ROLE_VIEWER, NULL, "one"},
        {"POST", "/backups/{id}/pin", ROLE_OPERATOR, NULL, "pin"},
        {"DELETE", "/backups/{id}/pin", ROLE_ADMIN, NULL, "unpin"},
        {NULL},
    };
    static const struct {
        const char *method, *path, *words, *allowed;
    } cases[] = {
        {"GET", "/", "root", NULL},
        {"HEAD", "/backups", "list", NULL},
        {"GET", "/backups/", NULL, NULL},
        {"GET", "/backups/x", "one", NULL},
        {"DELETE", "/backups/x/pin", "unpin", NULL},
        {"GET", "/backups/x/pin", NULL, "POST, DELETE"},
        {"PATCH", "/backups", NULL, "GET"},
        {"GET", "/backups/x/pin/y", NULL, NULL},
        {"GET", "//", NULL, NULL},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Request) request = make(cases[i].method, cases[i].path);
        g_autofree char *allowed = NULL;
        g_autoptr(GError) error = NULL;
        const Route *route = router_match(table, request, &allowed, &error);

        g_assert_cmpstr(route != NULL ? route->words : NULL, ==, cases[i].words);
        g_assert_cmpstr(allowed, ==, cases[i].allowed);
        g_assert_true((route == NULL) == (error != NULL));
        if (g_strcmp0(cases[i].words, "one") == 0)
            g_assert_cmpstr(request->parameters[0], ==, "x");
    }
}

/* --- who -------------------------------------------------------------------------------------- */

static char *make_directory(void)
{
    char *directory = g_dir_make_tmp("holdfast-rest-XXXXXX", NULL);

    g_assert_nonnull(directory);
    return directory;
}

static void test_tokens(void)
{
    g_autofree char *directory = make_directory();
    g_autofree char *path = g_build_filename(directory, "tokens.json", NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(Tokens) tokens = tokens_open(directory, &error);
    g_autoptr(Tokens) other = tokens_open(directory, &error);
    g_autofree char *token = NULL, *second = NULL, *content = NULL, *name = NULL;
    struct stat status;
    Role role;

    g_assert_cmpuint(tokens_count(tokens), ==, 0);
    g_assert_true(tokens_add(tokens, "grafana", ROLE_VIEWER, &token, &error));
    g_assert_true(tokens_add(tokens, "ci", ROLE_OPERATOR, &second, &error));
    g_assert_cmpstr(token, !=, second);
    g_assert_false(tokens_add(tokens, "ci", ROLE_ADMIN, &second, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_EXISTS);
    g_clear_error(&error);
    g_assert_false(tokens_add(tokens, "No Name", ROLE_ADMIN, &second, &error));
    g_clear_error(&error);
    g_assert_cmpint(g_stat(path, &status), ==, 0);
    g_assert_cmpuint(status.st_mode & 0777, ==, 0600);
    g_assert_true(g_file_get_contents(path, &content, NULL, NULL));
    g_assert_null(strstr(content, token));
    /* Another process sees it after a look. */
    g_assert_false(tokens_find(other, token, &name, &role));
    g_assert_true(tokens_refresh(other, &error));
    g_assert_true(tokens_find(other, token, &name, &role));
    g_assert_cmpstr(name, ==, "grafana");
    g_assert_cmpint(role, ==, ROLE_VIEWER);
    g_clear_pointer(&name, g_free);
    g_assert_false(tokens_find(other, "hf_", &name, &role));
    g_assert_true(tokens_revoke(tokens, "grafana", &error));
    g_assert_true(tokens_refresh(other, &error));
    g_assert_false(tokens_find(other, token, &name, &role));
    g_assert_false(tokens_revoke(tokens, "grafana", &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_NOT_FOUND);
    g_clear_error(&error);
    /* A file that others may read gives access to nobody. */
    g_assert_cmpint(g_chmod(path, 0644), ==, 0);
    g_assert_false(tokens_refresh(other, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_INSECURE_FILE);
    g_assert_cmpuint(tokens_count(other), ==, 0);
    g_assert_true(directory_remove(directory, NULL));
}

static guint check(Auth *auth, const char *header)
{
    g_autoptr(Request) request = make("GET", "/");
    g_autoptr(Response) response = response_new();

    request->address = g_strdup("192.0.2.1");
    if (header != NULL)
        request_set_header(request, "Authorization", header);
    return auth_check(auth, request, response) ? 200 : response->status;
}

static void test_auth(void)
{
    g_autofree char *directory = make_directory();
    g_autoptr(GError) error = NULL;
    g_autoptr(Tokens) tokens = tokens_open(directory, &error);
    g_autoptr(Auth) auth = auth_new(directory, &error);
    g_autofree char *token = NULL, *header = NULL;
    guint last = 0;

    g_assert_false(auth_has_tokens(auth));
    g_assert_true(tokens_add(tokens, "x", ROLE_ADMIN, &token, &error));
    header = g_strconcat("bearer ", token, NULL);
    g_assert_cmpuint(check(auth, header), ==, 200);
    g_assert_cmpuint(check(auth, NULL), ==, 401);
    g_assert_cmpuint(check(auth, "Basic eA=="), ==, 401);
    for (guint i = 0; i < 2 * FAILURES_A_MINUTE; i++)
        last = check(auth, "Bearer wrong");
    g_assert_cmpuint(last, ==, 429);
    g_assert_cmpuint(check(auth, header), ==, 200);
    g_assert_true(directory_remove(directory, NULL));
}

static void test_failures(void)
{
    g_autoptr(Failures) failures = failures_new();
    guint wait;

    for (guint i = 0; i < FAILURES_A_MINUTE; i++) {
        g_autofree char *address = g_strdup_printf("2001:db8::%u", i);

        g_assert_true(failures_count(failures, "192.0.2.1", TIME_SECOND, &wait));
        g_assert_true(failures_count(failures, address, TIME_SECOND, &wait));
    }
    g_assert_false(failures_count(failures, "192.0.2.1", 31 * TIME_SECOND, &wait));
    g_assert_cmpuint(wait, ==, 31);
    /* One network of IPv6 is one. */
    g_assert_false(failures_count(failures, "2001:db8::ffff", 2 * TIME_SECOND, &wait));
    g_assert_true(failures_count(failures, "2001:db8:0:1::1", 2 * TIME_SECOND, &wait));
    g_assert_true(failures_count(failures, "192.0.2.2", 2 * TIME_SECOND, &wait));
    g_assert_true(failures_count(failures, "192.0.2.1", 61 * TIME_SECOND, &wait));
    /* Very many at once are counted together. */
    for (guint i = 0; i < 20000; i++) {
        g_autofree char *address = g_strdup_printf("10.%u.%u.1", i / 256, i % 256);

        (void)failures_count(failures, address, 62 * TIME_SECOND, &wait);
    }
    g_assert_false(failures_count(failures, "198.51.100.1", 62 * TIME_SECOND, &wait));
}

/* --- fields, roots, commands ------------------------------------------------------------------ */

static const GOptionEntry entries[] = {
    {"source", 0, 0, G_OPTION_ARG_FILENAME, NULL, "", ""},
    {"jobs", 0, 0, G_OPTION_ARG_INT, NULL, "", ""},
    {"dry-run", 0, 0, G_OPTION_ARG_NONE, NULL, "", NULL},
    {"tables", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, NULL, "", ""},
    {"secret", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_FILENAME, NULL, "", ""},
    {NULL},
};

/* The words of a body, with blanks between; NULL where it is refused. */
static char *words_of(const char *text)
{
    g_autoptr(json_t) body = json_loads(text, 0, NULL);
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) words = NULL;

    g_assert_nonnull(body);
    if (!fields_to_words(entries, body, builder, &error)) {
        g_assert_error(error, ERROR_DOMAIN, ERROR_USAGE);
        return NULL;
    }
    words = g_strv_builder_end(builder);
    return g_strjoinv(" ", words);
}

static void test_fields(void)
{
    static const struct {
        const char *body, *words;
    } cases[] = {
        {"{}", ""},
        {"{\"source\":\"--help\",\"jobs\":2}", "--source=--help --jobs=2"},
        {"{\"dry_run\":true}", "--dry-run"},
        {"{\"dry_run\":false,\"source\":null}", ""},
        {"{\"tables\":[\"a\",\"b.*\"]}", "--tables=a --tables=b.*"},
        {"{\"tables\":\"a,b\"}", "--tables=a,b"},
        {"{\"dry-run\":true}", NULL},
        {"{\"secret\":\"x\"}", NULL},
        {"{\"config\":\"x\"}", NULL},
        {"{\"jobs\":\"2\"}", NULL},
        {"{\"jobs\":99999999999}", NULL},
        {"{\"dry_run\":1}", NULL},
        {"{\"tables\":[1]}", NULL},
        {"{\"source\":[]}", NULL},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *words = words_of(cases[i].body);

        g_assert_cmpstr(words, ==, cases[i].words);
    }
}

static gboolean is_below(const char *root, const char *format, ...)
{
    const char *const roots[] = {"/nonexistent", root, NULL};
    g_autofree char *path = NULL;
    va_list arguments;

    va_start(arguments, format);
    path = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    return roots_check(roots, path, NULL);
}

/* What a job names is held against the roots once more when it begins. */
static void test_roots_of_a_job(void)
{
    g_autofree char *directory = make_directory();
    g_autofree char *place = g_build_filename(directory, "place", NULL);
    g_autofree char *text =
        g_strdup_printf("[repository]\npath = /r\n[server]\nrestore_roots = %s\n", directory);
    g_autoptr(Config) config = config_parse(text, strlen(text), "x.conf", NULL);
    static const char *const forms[] = {"--target-directory=%s/place/d",
                                        "--wal-directory=%s/place/w",
                                        "--tablespace=/old=%s/place/t"};

    g_assert_cmpint(g_mkdir(place, 0700), ==, 0);
    for (guint i = 0; i < G_N_ELEMENTS(forms); i++) {
        g_auto(GStrv) parts = g_strsplit(forms[i], "%s", 2);
        g_autofree char *word = g_strconcat(parts[0], directory, parts[1], NULL);
        g_autoptr(json_t) words = json_pack("[s, s, s]", "restore", "--force", word);

        g_assert_true(roots_check_words(config, words, NULL));
        g_assert_cmpint(g_rmdir(place), ==, 0);
        g_assert_cmpint(symlink("/tmp", place), ==, 0);
        g_assert_false(roots_check_words(config, words, NULL));
        g_assert_cmpint(g_unlink(place), ==, 0);
        g_assert_cmpint(g_mkdir(place, 0700), ==, 0);
    }
    g_assert_true(directory_remove(directory, NULL));
}

static void test_roots(void)
{
    g_autofree char *directory = make_directory();
    g_autofree char *root = g_build_filename(directory, "root", NULL);
    g_autofree char *out = g_build_filename(root, "out", NULL);
    g_autofree char *dangling = g_build_filename(root, "dangling", NULL);
    g_autofree char *beside = g_build_filename(directory, "rootless", NULL);

    g_assert_cmpint(g_mkdir(root, 0700), ==, 0);
    g_assert_cmpint(g_mkdir(beside, 0700), ==, 0);
    g_assert_cmpint(symlink(directory, out), ==, 0);
    g_assert_cmpint(symlink("/nowhere/at/all", dangling), ==, 0);
    g_assert_true(is_below(root, "%s/a", root));
    g_assert_true(is_below(root, "%s/a/b/c/", root));
    g_assert_true(is_below(root, "%s/../root/a", root));
    g_assert_false(is_below(root, "%s", root));
    g_assert_false(is_below(root, "%s/", root));
    g_assert_false(is_below(root, "%s", beside));
    g_assert_false(is_below(root, "%s/..", root));
    g_assert_false(is_below(root, "%s/a/../../x", root));
    g_assert_false(is_below(root, "%s/out/x", root));
    g_assert_false(is_below(root, "%s/dangling", root));
    g_assert_false(is_below(root, "%s/dangling/x", root));
    g_assert_false(is_below(root, "a"));
    g_assert_false(is_below(root, "/"));
    g_assert_true(is_below("/", "%s/a", root));
    g_assert_true(directory_remove(directory, NULL));
}

static void test_withheld(void)
{
    const char *const plain[] = {"backup", "postgresql", "full", "--source=x", "--jobs=2", NULL};
    const char *const named[] = {"restore", "postgresql", "full", "--tables=secret", NULL};
    g_autoptr(json_t) one = withheld_public(plain, "backup postgresql full");
    g_autoptr(json_t) two = withheld_public(named, "restore postgresql full");
    g_autoptr(json_t) three = withheld_public(named, NULL);
    g_autofree char *text = json_write(two, FALSE);

    g_assert_false(withheld_is(one));
    g_assert_cmpuint(json_array_size(one), ==, 5);
    g_assert_true(withheld_is(two));
    g_assert_null(strstr(text, "secret"));
    g_assert_false(withheld_is(three));
    g_assert_cmpuint(json_array_size(three), ==, 4);
}

/* --- wakers ----------------------------------------------------------------------------------- */

static void count(gpointer connection)
{
    (*(guint *)connection)++;
}

static void test_waker(void)
{
    g_autoptr(Waker) waker = waker_new();
    guint calls = 0;

    waker_wake(waker); /* nobody is there yet */
    waker_bind(waker, &calls, count, count);
    waker_arm(waker);
    g_assert_true(waker_sleep(waker));
    waker_wake(waker);
    waker_wake(waker);
    g_assert_cmpuint(calls, ==, 2);
    waker_arm(waker);
    waker_wake(waker);
    g_assert_false(waker_sleep(waker)); /* what came in between is not lost */
    waker_unbind(waker);
    waker_arm(waker);
    waker_wake(waker);
    g_assert_cmpuint(calls, ==, 2);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    log_set_level(LOG_ERROR);
    g_test_add_func("/rest/request", test_request);
    g_test_add_func("/rest/body", test_body);
    g_test_add_func("/rest/router", test_router);
    g_test_add_func("/rest/tokens", test_tokens);
    g_test_add_func("/rest/auth", test_auth);
    g_test_add_func("/rest/failures", test_failures);
    g_test_add_func("/rest/fields", test_fields);
    g_test_add_func("/rest/roots", test_roots);
    g_test_add_func("/rest/roots-of-a-job", test_roots_of_a_job);
    g_test_add_func("/rest/withheld", test_withheld);
    g_test_add_func("/rest/waker", test_waker);
    return g_test_run();
}
