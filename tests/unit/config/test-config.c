/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration: what is read, what is refused, and how the refusal reads.
 */
#include "config/config.h"

#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "config/keys.h"
#include "config/values.h"

#define HEAD "[repository]\npath = /r\n"
#define PG   "[source a]\nengine = postgresql\n"
#define TD   "[source t]\nengine = tdengine\n"

static Config *parse(const char *text, GError **error)
{
    return config_parse(text, strlen(text), "x.conf", error);
}

/* The text is refused with this message and hint (NULL: none). */
static void assert_refused(const char *text, const char *message, const char *hint)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Config) config = parse(text, &error);
    g_autofree char *got = NULL;

    g_assert_null(config);
    g_assert_nonnull(error);
    g_assert_true(error_is(error, ERROR_CONFIG));
    got = error_text(error);
    g_assert_cmpstr(got, ==, message);
    g_assert_cmpstr(error_hint(error), ==, hint);
}

static void test_read(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Config) config =
        parse("# comment\n[general]\nstate_directory=/s\ntime_zone = Europe/Berlin\n" HEAD
              "[source  market]\nengine = postgresql\r\njobs = 4\nrate=2M\n"
              "databases = one , two\\,three\nconninfo = password='a\\'b;#=c'\n"
              "tolerance = 5%\nrto = 10m\n" TD "recent = 3h\ntopic = on\n",
              &error);
    const ConfigSource *source;

    g_assert_no_error(error);
    g_assert_cmpstr(config_repository_path(config), ==, "/r");
    g_assert_cmpstr(config_state_directory(config), ==, "/s");
    g_assert_cmpstr(g_time_zone_get_identifier(config_time_zone(config)), ==, "Europe/Berlin");
    g_assert_null(config_get(config, "repository", "compression"));
    g_assert_cmpstr(config_get(config, "retention", "keep_days"), ==, "30");
    g_assert_cmpuint(config_source_count(config), ==, 2);
    source = config_source(config, 0);
    g_assert_cmpstr(source->name, ==, "market");
    g_assert_cmpstr(source->method, ==, "physical");
    g_assert_cmpuint(source->jobs, ==, 4);
    g_assert_cmpuint(source->rate, ==, 2 * 1024 * 1024);
    g_assert_cmpuint(g_strv_length(source->databases), ==, 2);
    g_assert_cmpstr(source->databases[0], ==, "one");
    g_assert_cmpstr(source->databases[1], ==, "two,three");
    g_assert_cmpstr(source->conninfo, ==, "password='a\\'b;#=c'");
    g_assert_cmpfloat_with_epsilon(source->tolerance, 0.05, 1e-9);
    g_assert_cmpint(source->rto, ==, 10 * TIME_MINUTE);
    source = config_source(config, 1);
    g_assert_cmpint(source->recent, ==, 3 * TIME_HOUR);
    g_assert_true(source->topic);
    g_assert_cmpstr(source->user, ==, "root");
    g_assert_null(source->method);
    g_assert_null(source->databases);
}

static void test_unknown(void)
{
    assert_refused("[repositry]\n", "x.conf:1: unknown section [repositry]",
                   "did you mean [repository]?");
    assert_refused(HEAD PG "conninf = x\n", "x.conf:5: unknown key \"conninf\" in [source a]",
                   "did you mean conninfo?");
    assert_refused("[zzzzzzzzz]\n", "x.conf:1: unknown section [zzzzzzzzz]", NULL);
    assert_refused("[source]\n", "x.conf:1: section [source] needs a name",
                   "for example: [source main]");
    assert_refused("[server x]\n", "x.conf:1: section [server] takes no name", "write [server]");
    assert_refused("[source A]\n", "x.conf:1: \"A\" cannot be the name of a section",
                   "names are 1 to 40 of a to z, 0 to 9 and _, with - inside");
}

static void test_twice(void)
{
    assert_refused(HEAD "[general]\n[repository]\n",
                   "x.conf:4: [repository] was given in line 1 already", "keep one of the two");
    assert_refused("[source a]\nengine=tdengine\n[source  a]\n",
                   "x.conf:3: [source a] was given in line 1 already", "keep one of the two");
    assert_refused(HEAD "path = /b\n", "x.conf:3: key \"path\" was given in line 2 already",
                   "keep one of the two");
}

static void test_form(void)
{
    assert_refused("path = /r\n", "x.conf:1: a key stands before the first section",
                   "put it below [general], [repository] or the section it belongs to");
    /* A stray line might be a password: it is not quoted. */
    assert_refused(HEAD "geheim\n", "x.conf:3: neither [section], key = value nor # comment", NULL);
    assert_refused("[repository\n", "x.conf:1: a section is written [NAME]", NULL);
    assert_refused("[general]\nlog_level = \xff\n", "x.conf: not a text file in UTF-8", NULL);
}

static void test_values(void)
{
    assert_refused("[repository]\npath = r\n", "x.conf:2: key \"path\": \"r\" is no absolute path",
                   "write the path from the root on: /…");
    assert_refused(HEAD PG "jobs = 0\n",
                   "x.conf:5: key \"jobs\": \"0\" is no whole number from 1 to 128", NULL);
    assert_refused(HEAD PG "method = logicl\n",
                   "x.conf:5: key \"method\": \"logicl\" is none of physical, logical",
                   "did you mean logical?");
    assert_refused(HEAD "key = hunter2\n",
                   "x.conf:3: key \"key\": it is none of passphrase-file=F, key-file=F, "
                   "command=CMD",
                   NULL);
    assert_refused("[general]\ntime_zone = Mars/Base\n",
                   "x.conf:2: key \"time_zone\": there is no time zone \"Mars/Base\"",
                   "use a name such as Europe/Berlin or UTC");
    assert_refused("[server]\nlisten = 127.0.0.1\n",
                   "x.conf:2: key \"listen\": \"127.0.0.1\" is neither ADDRESS:PORT nor unix:PATH",
                   NULL);
}

/* [retention NAME] refines [retention], key by key. */
static void test_named(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Config) config = parse(HEAD PG TD "[retention]\nkeep_days = 7\nkeep_full = 2\n"
                                                "[retention a]\nkeep_full = 0\nkeep_monthly = 12\n",
                                     &error);

    g_assert_no_error(error);
    g_assert_cmpstr(config_get_named(config, "retention", "a", "keep_days"), ==, "7");
    g_assert_cmpstr(config_get_named(config, "retention", "a", "keep_full"), ==, "0");
    g_assert_cmpstr(config_get_named(config, "retention", "a", "keep_monthly"), ==, "12");
    g_assert_cmpstr(config_get_named(config, "retention", "t", "keep_monthly"), ==, "0");
    g_assert_null(config_get_named(config, "retention", "t", "wal_days"));
}

static void test_whole(void)
{
    assert_refused(HEAD "[source a]\n", "x.conf:3: [source a] has no key \"engine\"",
                   "for example: engine = postgresql");
    assert_refused(HEAD TD "method = logical\n",
                   "x.conf:5: key \"method\" is for sources with engine = postgresql; [source t] "
                   "is tdengine",
                   "remove the line, or correct the engine");
    assert_refused(HEAD PG "[retention weather]\nkeep_days = 3\n",
                   "x.conf:5: there is no [source weather]", NULL);
    assert_refused(HEAD "[source market]\nengine = postgresql\n[schedule x]\n"
                        "command = cleanup\ncron = @daily\nsource = markt\n",
                   "x.conf:8: there is no [source markt]", "did you mean market?");
    assert_refused(HEAD "[schedule x]\ncommand = cleanup\n",
                   "x.conf:3: [schedule x] has no key \"cron\"", "for example: cron = 0 3 * * *");
    assert_refused(HEAD "[schedule x]\ncommand = holdfast cleanup\ncron = @daily\n",
                   "x.conf:4: key \"command\": \"holdfast cleanup\" is no command that can be "
                   "scheduled",
                   "write only the words behind holdfast");
}

/* Every cron field: what is right and what is not. */
static void test_cron(void)
{
    static const char *const good[] = {"0 3 * * *", "*/5 0-23/2 1,15 jan-mar,Dec mon-fri",
                                       "59 23 31 12 7", "@hourly", "0,30 * * * sun"};
    static const char *const bad[] = {"",           "0 3 * *",      "60 * * * *",
                                      "0 24 * * *", "0 0 0 * *",    "0 0 * 13 *",
                                      "0 0 * * 8",  "5-1 * * * *",  "*/0 * * * *",
                                      "@never",     "0 0 * * mon-", "0 0 * foo *"};
    const ConfigKey *key = config_key_find("schedule", "cron");

    for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_true(config_value_check(key, good[i], &error));
        g_assert_no_error(error);
    }
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_false(config_value_check(key, bad[i], &error));
        g_assert_true(error_is(error, ERROR_CONFIG));
    }
}

/* Every key's default must pass its own check, and every section must be known. */
static void test_table(void)
{
    for (const ConfigKey *row = config_keys; row->section != NULL; row++) {
        g_autoptr(GError) error = NULL;

        g_assert_nonnull(config_section_find(row->section));
        g_assert_true(config_key_find(row->section, row->key) == row);
        g_assert_true(g_str_has_suffix(row->help, "."));
        if (row->fallback != NULL)
            g_assert_true(config_value_check(row, row->fallback, &error));
        g_assert_no_error(error);
    }
}

static void test_list(void)
{
    g_auto(GStrv) items = config_list_split(" a ,b\\ ,, \\\\c\\,d ");
    g_auto(GStrv) none = config_list_split("  ");

    g_assert_cmpuint(g_strv_length(items), ==, 4);
    g_assert_cmpstr(items[0], ==, "a");
    g_assert_cmpstr(items[1], ==, "b ");
    g_assert_cmpstr(items[2], ==, "");
    g_assert_cmpstr(items[3], ==, "\\c,d");
    g_assert_cmpuint(g_strv_length(none), ==, 0);
}

static void test_find_source(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Config) config = parse(HEAD "[source market]\nengine = postgresql\n"
                                          "[source news]\nengine = postgresql\n"
                                          "method = logical\n" TD,
                                     &error);
    g_autofree char *text = NULL;

    g_assert_no_error(error);
    g_assert_nonnull(config_find_source(config, "market", NULL, NULL, &error));
    g_assert_nonnull(config_find_source(config, NULL, "tdengine", NULL, &error));
    g_assert_cmpstr(config_find_source(config, NULL, NULL, "logical", &error)->name, ==, "news");
    g_assert_no_error(error);
    g_assert_null(config_find_source(config, NULL, "postgresql", NULL, &error));
    g_assert_true(error_is(error, ERROR_USAGE));
    text = error_text(error);
    g_assert_cmpstr(text, ==, "several sources fit: market, news");
    g_clear_error(&error);
    g_assert_null(config_find_source(config, "markt", NULL, NULL, &error));
    g_assert_true(error_is(error, ERROR_NOT_FOUND));
    g_assert_cmpstr(error_hint(error), ==, "did you mean market?");
    g_clear_error(&error);
    g_assert_null(config_find_source(config, "t", "postgresql", NULL, &error));
    g_assert_true(error_is(error, ERROR_USAGE));
}

/* --repository alone: the sources of a configuration that is there are not known. */
static void test_find_source_bare(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Config) config = config_new_bare("/srv/backup");

    g_assert_null(config_find_source(config, "market", "postgresql", NULL, &error));
    g_assert_true(error_is(error, ERROR_NOT_FOUND));
    g_assert_nonnull(strstr(error_hint(error), "--config"));
}

static void test_template(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = config_template("/srv/backups", "zstd:3", NULL);
    g_autoptr(Config) config = parse(text, &error);

    g_assert_no_error(error);
    g_assert_cmpstr(config_repository_path(config), ==, "/srv/backups");
    g_assert_cmpstr(config_get(config, "repository", "compression"), ==, "zstd:3");
    g_assert_cmpuint(config_source_count(config), ==, 0);
    for (const ConfigKey *row = config_keys; row->section != NULL; row++) {
        g_autofree char *line = g_strdup_printf("%s = ", row->key);

        g_assert_nonnull(strstr(text, line));
    }
}

static void test_file(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *directory = g_dir_make_tmp("holdfast-config-XXXXXX", &error);
    g_autofree char *path = g_build_filename(directory, "holdfast.conf", NULL);
    g_autoptr(Config) config = NULL;

    g_assert_no_error(error);
    g_assert_null(config_load(path, &error));
    g_assert_true(error_is(error, ERROR_CONFIG));
    g_clear_error(&error);
    g_assert_true(g_file_set_contents(path, HEAD, -1, &error));
    g_assert_cmpint(g_chmod(path, 0644), ==, 0);
    g_assert_null(config_load(path, &error));
    g_assert_true(error_is(error, ERROR_INSECURE_FILE));
    g_assert_nonnull(strstr(error_hint(error), "chmod"));
    g_clear_error(&error);
    g_assert_cmpint(g_chmod(path, 0600), ==, 0);
    config = config_load(path, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(config_path(config), ==, path);
    g_remove(path);
    g_rmdir(directory);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/config/read", test_read);
    g_test_add_func("/config/unknown", test_unknown);
    g_test_add_func("/config/twice", test_twice);
    g_test_add_func("/config/form", test_form);
    g_test_add_func("/config/values", test_values);
    g_test_add_func("/config/whole", test_whole);
    g_test_add_func("/config/named", test_named);
    g_test_add_func("/config/cron", test_cron);
    g_test_add_func("/config/table", test_table);
    g_test_add_func("/config/list", test_list);
    g_test_add_func("/config/find-source", test_find_source);
    g_test_add_func("/config/find-source-bare", test_find_source_bare);
    g_test_add_func("/config/template", test_template);
    g_test_add_func("/config/file", test_file);
    return g_test_run();
}
