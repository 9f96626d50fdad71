/* SPDX-License-Identifier: Apache-2.0
 *
 * Tests of what is read of a server's vnode.json and current.json, in the form of 3.3.7.5, and of
 * everything else, which is refused.
 */
#include "tdengine/file-sets.h"

#include <string.h>

#include "base/error.h"

#define DAY 86400000

static const char vnode_json[] =
    "{\"config\": {\"vgId\": \"3\", \"mountVgId\": \"0\", \"dbname\": \"1.market\", \"precision\": "
    "\"0\", \"daysPerFile\": \"1440\", \"syncCfg.replicaNum\": \"1\"}, \"state\": {\"commit "
    "version\": \"20\", \"commit ID\": \"2\", \"commit term\": \"1\"}}";

static const char current_json[] =
    "{\"fmtv\":1,\"fset\":["
    "{\"fid\":-1,\"stt lvl\":[{\"level\":0,\"files\":[{\"fid\":-1,\"size\":9,\"minVer\":2,"
    "\"maxVer\":4}]}],\"last compact\":0,\"last commit\":5,\"last migrate\":0},"
    "{\"fid\":10,\"head\":{\"size\":826,\"minVer\":2,\"maxVer\":7},\"data\":{\"maxVer\":7},"
    "\"sma\":{\"maxVer\":7},\"stt lvl\":[],\"last commit\":1},"
    "{\"fid\":11,\"head\":{\"maxVer\":3},\"data\":{\"maxVer\":3},\"sma\":{\"maxVer\":3},"
    "\"tomb\":{\"size\":730,\"minVer\":3,\"maxVer\":11},\"stt lvl\":[],\"last commit\":1},"
    "{\"fid\":12,\"stt lvl\":[{\"level\":0,\"files\":[{\"maxVer\":1},{\"maxVer\":12}]},"
    "{\"level\":1,\"files\":[{\"maxVer\":2}]}],\"last commit\":1}]}";

/* The text with one part replaced, which must be in it; free with g_free(). */
static char *replaced(const char *text, const char *part, const char *by)
{
    const char *found = strstr(text, part);

    g_assert_nonnull(found);
    return g_strdup_printf("%.*s%s%s", (int)(found - text), text, by, found + strlen(part));
}

static void test_vnode(void)
{
    g_auto(TdVnode) vnode = {0};
    GError *error = NULL;

    g_assert_true(td_vnode_parse(vnode_json, strlen(vnode_json), "v", &vnode, &error));
    g_assert_no_error(error);
    g_assert_cmpint(vnode.id, ==, 3);
    g_assert_cmpstr(vnode.database, ==, "market");
    g_assert_cmpint(vnode.replicas, ==, 1);
    g_assert_cmpint(vnode.committed, ==, 20);
    g_assert_cmpint(vnode.unit, ==, DAY);
}

static void test_vnode_precision(void)
{
    g_autofree char *text = replaced(vnode_json, "\"precision\": \"0\"", "\"precision\": \"2\"");
    g_auto(TdVnode) vnode = {0};

    g_assert_true(td_vnode_parse(text, strlen(text), "v", &vnode, NULL));
    g_assert_cmpint(vnode.unit, ==, DAY * G_GINT64_CONSTANT(1000000));
}

static void test_vnode_refused(void)
{
    static const char *const changes[][2] = {
        {"\"vgId\": \"3\"", "\"vgId\": 3"},
        {"\"vgId\": \"3\"", "\"vgId\": \"0\""},
        {"\"1.market\"", "\"market\""},
        {"\"1.market\"", "\"1.\""},
        {"\"precision\": \"0\"", "\"precision\": \"3\""},
        {"\"1440\"", "\"0\""},
        {"\"1440\"", "\"99999999999\""},
        {"\"1440\"", "\"1440d\""},
        {"syncCfg.replicaNum", "replicas"},
        {"commit version", "version"},
        {"\"20\"", "\"-2\""},
        {"\"20\"", "\"18446744073709551615\""},
        {"\"state\"", "\"states\""},
        {"\"config\": {", "\"config\": 1, \"other\": {"},
        {"}}", "}"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(changes); i++) {
        g_autofree char *text = replaced(vnode_json, changes[i][0], changes[i][1]);
        g_autoptr(GError) error = NULL;
        TdVnode vnode = {0};

        g_assert_false(td_vnode_parse(text, strlen(text), "the vnode 3", &vnode, &error));
        g_assert_error(error, ERROR_DOMAIN, ERROR_FORMAT);
        g_assert_nonnull(strstr(error->message, "the vnode 3"));
        g_assert_null(vnode.database);
    }
}

static void expect_dirty(gint64 since, const gint64 *days, guint n_days)
{
    g_autoptr(GArray) dirty = g_array_new(FALSE, FALSE, sizeof(TdPlace));
    GError *error = NULL;

    g_assert_true(
        td_file_sets_parse(current_json, strlen(current_json), "c", DAY, since, dirty, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(dirty->len, ==, n_days);
    for (guint i = 0; i < n_days; i++) {
        g_assert_cmpint(g_array_index(dirty, TdPlace, i).from, ==, days[i] * DAY);
        g_assert_cmpint(g_array_index(dirty, TdPlace, i).to, ==, (days[i] + 1) * DAY);
    }
}

/* Any kind of file counts: of rows, of deletions, not merged yet. */
static void test_dirty(void)
{
    const gint64 all[] = {-1, 10, 11, 12};

    expect_dirty(-1, all, 4);
    expect_dirty(3, all, 4);
    expect_dirty(4, all + 1, 3);
    expect_dirty(7, all + 2, 2);
    expect_dirty(11, all + 3, 1);
    expect_dirty(12, NULL, 0);
}

static void test_refused(void)
{
    static const char *const changes[][2] = {
        {"\"fmtv\":1", "\"fmtv\":2"},
        {"\"fmtv\":1,", ""},
        {"\"fset\"", "\"sets\""},
        {"\"fid\":-1,\"stt", "\"fid\":\"1\",\"stt"},
        {"\"fid\":-1,\"stt", "\"fid\":9223372036854775,\"stt"},
        {"\"maxVer\":12", "\"maxVer\":\"12\""},
        {"\"tomb\":{\"size\":730,\"minVer\":3,\"maxVer\":11}", "\"tomb\":{\"size\":730}"},
        {"\"tomb\"", "\"blob\""}, /* a kind of file that is not known */
        {"\"last compact\":0", "\"last compact\":{\"maxVer\":0}"},
        {"\"stt lvl\":[]", "\"stt lvl\":{}"},
        {"\"files\"", "\"file\""},
        {"1}]}", "1}]"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(changes); i++) {
        g_autofree char *text = replaced(current_json, changes[i][0], changes[i][1]);
        g_autoptr(GArray) dirty = g_array_new(FALSE, FALSE, sizeof(TdPlace));
        g_autoptr(GError) error = NULL;

        g_assert_false(
            td_file_sets_parse(text, strlen(text), "the vnode 3", DAY, 0, dirty, &error));
        g_assert_error(error, ERROR_DOMAIN, ERROR_FORMAT);
        g_assert_nonnull(strstr(error->message, "the vnode 3"));
        g_assert_cmpuint(dirty->len, ==, 0);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/file-sets/vnode", test_vnode);
    g_test_add_func("/file-sets/vnode-precision", test_vnode_precision);
    g_test_add_func("/file-sets/vnode-refused", test_vnode_refused);
    g_test_add_func("/file-sets/dirty", test_dirty);
    g_test_add_func("/file-sets/refused", test_refused);
    return g_test_run();
}
