/* SPDX-License-Identifier: Apache-2.0
 *
 * One suite over all stores: whatever is written for one of them must hold for the others.
 */
#include "../stores.h"

#include <string.h>

#include "base/error.h"
#include "base/time.h"

static void test_names(void)
{
    g_autofree char *longest = g_strnfill(1000, 'a');
    g_autofree char *longer = g_strnfill(1001, 'a');
    static const char *const good[] = {"a", "a/b", "A.z_=+-9/x", "..a", "a..", ".hidden"};
    static const char *const bad[] = {"",      "/",        "/a",   "a/",       "a//b", ".",
                                      "..",    "a/..",     "../a", "a/./b",    "a b",  "a\\b",
                                      ".tmp-", "a/.tmp-x", "a\n",  "\xc3\xa4", "a:b"};

    for (gsize i = 0; i < G_N_ELEMENTS(good); i++)
        g_assert_true(store_name_valid(good[i]));
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_false(store_name_valid(bad[i]));
    g_assert_true(store_name_valid(longest));
    g_assert_false(store_name_valid(longer));
}

static void test_bad_names(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *outside = fixture_path(fixture, "outside");
    StoreInfo info;

    g_assert_false(store_put(fixture->store, "../outside", "x", 1, &error));
    g_assert_true(error_is(error, ERROR_INTERNAL));
    g_assert_false(g_file_test(outside, G_FILE_TEST_EXISTS));
    g_clear_error(&error);
    g_assert_false(store_stat(fixture->store, "/etc/passwd", &info, &error));
    g_assert_true(error_is(error, ERROR_INTERNAL));
    g_clear_error(&error);
    g_assert_false(store_list(fixture->store, "a", NULL, NULL, &error));
    g_assert_true(error_is(error, ERROR_INTERNAL));
}

static void test_put_get(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(GBytes) empty = NULL;
    StoreInfo info;
    gint64 before, after;

    g_assert_true(store_time(fixture->store, &before, &error));
    put_text(fixture->store, "a/b/c", "hello");
    put_text(fixture->store, "empty", "");
    g_assert_true(store_time(fixture->store, &after, &error));
    bytes = store_get(fixture->store, "a/b/c", 5, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), "hello", 5);
    empty = store_get(fixture->store, "empty", 0, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(g_bytes_get_size(empty), ==, 0);
    g_assert_true(store_stat(fixture->store, "a/b/c", &info, &error));
    g_assert_cmpuint(info.size, ==, 5);
    g_assert_cmpint(info.modified, >=, before);
    g_assert_cmpint(info.modified, <=, after);

    g_assert_null(store_get(fixture->store, "a/b/c", 4, &error));
    g_assert_true(error_is(error, ERROR_LIMIT));
    g_clear_error(&error);
    g_assert_null(store_get(fixture->store, "a/b", 100, &error));
    g_assert_true(error_is(error, ERROR_NOT_FOUND));
    g_clear_error(&error);
    g_assert_null(store_get(fixture->store, "a/b/c/d", 100, &error));
    g_assert_true(error_is(error, ERROR_NOT_FOUND));
}

static void test_no_overwrite(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes = NULL;
    g_autofree char *names = NULL;

    put_text(fixture->store, "a/x", "first");
    g_assert_false(store_put(fixture->store, "a/x", "second", 6, &error));
    g_assert_true(error_is(error, ERROR_EXISTS));
    g_clear_error(&error);
    bytes = store_get(fixture->store, "a/x", 100, &error);
    g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), "first", 5);
    names = list_names(fixture->store, "");
    g_assert_cmpstr(names, ==, "a/x");
}

static void test_invisible_before_commit(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(StoreWriter) writer = store_begin(fixture->store, "a/x", &error);
    g_autoptr(StoreWriter) dropped = store_begin(fixture->store, "b/y", &error);
    g_autofree char *before = NULL;
    g_autofree char *after = NULL;
    g_autoptr(GPtrArray) parts = NULL;
    StoreInfo info;

    g_assert_true(store_write(writer, "12", 2, &error));
    g_assert_true(store_write(writer, "", 0, &error));
    g_assert_true(store_write(writer, "345", 3, &error));
    g_assert_true(store_write(dropped, "x", 1, &error));
    before = list_names(fixture->store, "");
    g_assert_cmpstr(before, ==, "");
    g_assert_false(store_stat(fixture->store, "a/x", &info, NULL));
    g_assert_true(store_commit(writer, &error));
    g_assert_no_error(error);
    after = list_names(fixture->store, "");
    g_assert_cmpstr(after, ==, "a/x");
    /* "b" holds nothing but an unfinished object. */
    g_assert_true(store_list_parts(fixture->store, "", &parts, &error));
    g_assert_cmpuint(parts->len, ==, 1);
}

static void test_named_late(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(StoreWriter) writer = store_begin_below(fixture->store, "pool/", &error);
    g_autoptr(StoreWriter) second = store_begin_below(fixture->store, "pool/", &error);
    g_autoptr(StoreWriter) stray = store_begin_below(fixture->store, "pool/", &error);
    g_autoptr(StoreWriter) dropped = store_begin_below(fixture->store, "pool/", &error);
    g_autoptr(GBytes) bytes = NULL;
    g_autofree char *before = NULL;
    g_autofree char *after = NULL;

    g_assert_no_error(error);
    g_assert_true(store_write(writer, "late", 4, &error));
    g_assert_true(store_write(second, "other", 5, &error));
    g_assert_true(store_write(dropped, "x", 1, &error));
    before = list_names(fixture->store, "");
    g_assert_cmpstr(before, ==, "");
    g_assert_true(store_commit_as(writer, "pool/aa/x", &error));
    g_assert_no_error(error);
    bytes = store_get(fixture->store, "pool/aa/x", 100, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), "late", 4);
    g_assert_false(store_commit_as(second, "pool/aa/x", &error));
    g_assert_true(error_is(error, ERROR_EXISTS));
    g_clear_error(&error);
    g_assert_false(store_commit_as(stray, "elsewhere/x", &error));
    g_assert_true(error_is(error, ERROR_INTERNAL));
    g_clear_error(&error);
    g_assert_false(store_commit(stray, &error));
    g_assert_true(error_is(error, ERROR_INTERNAL));
    after = list_names(fixture->store, "");
    g_assert_cmpstr(after, ==, "pool/aa/x");
}

static guint8 pattern(gsize index)
{
    return (guint8)((index * 2654435761u) >> 13);
}

static gboolean check_pattern(const void *bytes, gsize length, gpointer data, GError **error)
{
    gsize *offset = data;

    g_assert_cmpuint(length, <=, 1024 * 1024);
    for (gsize i = 0; i < length; i++)
        g_assert_cmpuint(((const guint8 *)bytes)[i], ==, pattern(*offset + i));
    *offset += length;
    return TRUE;
}

static gboolean stop_stream(const void *bytes, gsize length, gpointer data, GError **error)
{
    error_set(error, ERROR_VANISHED, "enough");
    return FALSE;
}

/* Pieces of many sizes, across every buffer's border. */
static void test_large(StoreFixture *fixture, gconstpointer data)
{
    const gsize size = 3 * 1024 * 1024 + 17;
    static const gsize pieces[] = {1, 1000, 262143, 262144, 3, 262145, 700000};
    g_autofree guint8 *bytes = g_malloc(size);
    g_autoptr(GError) error = NULL;
    g_autoptr(StoreWriter) writer = store_begin(fixture->store, "big", &error);
    guint8 window[100];
    gsize done = 0, got, streamed = 0;

    for (gsize i = 0; i < size; i++)
        bytes[i] = pattern(i);
    for (gsize i = 0; done < size; i++) {
        gsize piece = MIN(pieces[i % G_N_ELEMENTS(pieces)], size - done);

        g_assert_true(store_write(writer, bytes + done, piece, &error));
        done += piece;
    }
    g_assert_true(store_commit(writer, &error));
    g_assert_true(store_stream(fixture->store, "big", check_pattern, &streamed, NULL, &error));
    g_assert_cmpuint(streamed, ==, size);
    g_assert_true(store_read(fixture->store, "big", 1000000, window, sizeof window, &got, &error));
    g_assert_cmpmem(window, got, bytes + 1000000, sizeof window);
    g_assert_true(store_read(fixture->store, "big", size - 7, window, sizeof window, &got, &error));
    g_assert_cmpmem(window, got, bytes + size - 7, 7);
    g_assert_true(store_read(fixture->store, "big", size, window, sizeof window, &got, &error));
    g_assert_cmpuint(got, ==, 0);
    g_assert_true(
        store_read(fixture->store, "big", G_MAXUINT64, window, sizeof window, &got, &error));
    g_assert_cmpuint(got, ==, 0);
}

static void test_stream_stops(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GCancellable) cancellable = g_cancellable_new();

    put_text(fixture->store, "x", "12345");
    g_assert_false(store_stream(fixture->store, "x", stop_stream, NULL, NULL, &error));
    g_assert_true(error_is(error, ERROR_VANISHED));
    g_clear_error(&error);
    g_cancellable_cancel(cancellable);
    g_assert_false(store_stream(fixture->store, "x", stop_stream, NULL, cancellable, &error));
    g_assert_true(error_is(error, ERROR_CANCELLED));
    g_clear_error(&error);
    g_assert_false(store_stream(fixture->store, "y", stop_stream, NULL, NULL, &error));
    g_assert_true(error_is(error, ERROR_NOT_FOUND));
}

/* A directory walk must give what sorting whole names gives: "a-b" comes before "a/b", "a0" behind
 * it. */
static void test_list_order(StoreFixture *fixture, gconstpointer data)
{
    static const char *const names[] = {"a0",     "a/b",     "a-b",  "a.b",  "a/b.c",
                                        "a/b-/z", "a/b0/x",  "a+/x", "a=/x", "a_/x",
                                        "A/b",    "b/c/d/e", "b/c.d"};
    g_autofree char *all = NULL;
    g_autofree char *some = NULL;
    g_autofree char *none = NULL;
    g_autoptr(GPtrArray) parts = NULL;
    g_autoptr(GPtrArray) top = NULL;
    g_autofree char *joined = NULL;
    g_autoptr(GError) error = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        put_text(fixture->store, names[i], "");
    all = list_names(fixture->store, "");
    g_assert_cmpstr(all, ==, "A/b a+/x a-b a.b a/b a/b-/z a/b.c a/b0/x a0 a=/x a_/x b/c.d b/c/d/e");
    some = list_names(fixture->store, "a/");
    g_assert_cmpstr(some, ==, "a/b a/b-/z a/b.c a/b0/x");
    none = list_names(fixture->store, "q/r/");
    g_assert_cmpstr(none, ==, "");
    g_assert_true(store_list_parts(fixture->store, "a/", &parts, &error));
    g_ptr_array_add(parts, NULL);
    joined = g_strjoinv(" ", (char **)parts->pdata);
    g_assert_cmpstr(joined, ==, "b b- b.c b0");
    g_assert_true(store_list_parts(fixture->store, "", &top, &error));
    g_assert_cmpuint(top->len, ==, 9);
}

static gboolean count_and_delete(const char *name, const StoreInfo *info, gpointer data,
                                 GError **error)
{
    gpointer *context = data;

    *(guint *)context[1] += 1;
    return store_delete(context[0], name, error);
}

static gboolean stop_list(const char *name, const StoreInfo *info, gpointer data, GError **error)
{
    guint *count = data;

    if (++*count < 3)
        return TRUE;
    error_set(error, ERROR_VANISHED, "enough");
    return FALSE;
}

/* More than a page, deleted from inside the list. */
static void test_list_long(StoreFixture *fixture, gconstpointer data)
{
    guint count = 0, stopped = 0;
    gpointer context[] = {fixture->store, &count};
    g_autoptr(GError) error = NULL;
    g_autofree char *rest = NULL;

    for (guint i = 0; i < 170; i++) {
        g_autofree char *name = g_strdup_printf("d/%u/%u", i % 7, i);

        put_text(fixture->store, name, "x");
    }
    g_assert_false(store_list(fixture->store, "d/", stop_list, &stopped, &error));
    g_assert_true(error_is(error, ERROR_VANISHED));
    g_assert_cmpuint(stopped, ==, 3);
    g_clear_error(&error);
    g_assert_true(store_list(fixture->store, "", count_and_delete, context, &error));
    g_assert_cmpuint(count, ==, 170);
    rest = list_names(fixture->store, "");
    g_assert_cmpstr(rest, ==, "");
}

static void test_delete(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    StoreInfo info;

    put_text(fixture->store, "a/b/x", "1");
    put_text(fixture->store, "a/y", "2");
    g_assert_true(store_delete(fixture->store, "a/b/x", &error));
    g_assert_true(store_delete(fixture->store, "a/b/x", &error));
    g_assert_true(store_delete(fixture->store, "never/was", &error));
    g_assert_no_error(error);
    g_assert_false(store_stat(fixture->store, "a/b/x", &info, &error));
    g_assert_true(error_is(error, ERROR_NOT_FOUND));
    g_clear_error(&error);
    g_assert_true(store_stat(fixture->store, "a/y", &info, &error));
    /* The name is free again. */
    put_text(fixture->store, "a/b/x", "3");
}

static void test_free_space(StoreFixture *fixture, gconstpointer data)
{
    guint64 bytes = 0;
    g_autoptr(GError) error = NULL;

    g_assert_true(store_free_space(fixture->store, &bytes, &error));
    if (fixture->kind == STORE_MEMORY)
        g_assert_cmpuint(bytes, ==, G_MAXUINT64);
    else
        g_assert_cmpuint(bytes, >, 0);
    g_assert_nonnull(store_location(fixture->store));
}

#define THREADS 4
#define ROUNDS  60

/* Puts and deletes below shared directories, which come and go; one name is fought for. */
static gpointer hammer(gpointer data)
{
    Store *store = data;
    guint won = 0;

    for (guint i = 0; i < ROUNDS; i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *own =
            g_strdup_printf("shared/deep/er/%p-%u", (gpointer)g_thread_self(), i);
        g_autofree char *fought = g_strdup_printf("fought/%u", i);

        if (!store_put(store, own, "mine", 4, &error))
            g_error("cannot put %s: %s", own, error->message);
        if (!store_delete(store, own, &error))
            g_error("cannot delete %s: %s", own, error->message);
        if (store_put(store, fought, "x", 1, &error))
            won++;
        else
            g_assert_true(error_is(error, ERROR_EXISTS));
    }
    return GUINT_TO_POINTER(won);
}

static void test_threads(StoreFixture *fixture, gconstpointer data)
{
    GThread *threads[THREADS];
    guint won = 0;
    g_autofree char *rest = NULL;

    for (guint i = 0; i < THREADS; i++)
        threads[i] = g_thread_new("hammer", hammer, fixture->store);
    for (guint i = 0; i < THREADS; i++)
        won += GPOINTER_TO_UINT(g_thread_join(threads[i]));
    g_assert_cmpuint(won, ==, ROUNDS);
    rest = list_names(fixture->store, "shared/");
    g_assert_cmpstr(rest, ==, "");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/names", test_names);
    add_store_test("/store/bad-names", STORE_FAULTY_POSIX, test_bad_names);
    add_store_test("/store/put-get", STORE_FAULTY_POSIX, test_put_get);
    add_store_test("/store/no-overwrite", STORE_FAULTY_POSIX, test_no_overwrite);
    add_store_test("/store/invisible", STORE_FAULTY_POSIX, test_invisible_before_commit);
    add_store_test("/store/named-late", STORE_FAULTY_POSIX, test_named_late);
    add_store_test("/store/large", STORE_FAULTY_POSIX, test_large);
    add_store_test("/store/stream-stops", STORE_FAULTY_POSIX, test_stream_stops);
    add_store_test("/store/list-order", STORE_FAULTY_POSIX, test_list_order);
    add_store_test("/store/list-long", STORE_FAULTY_POSIX, test_list_long);
    add_store_test("/store/delete", STORE_FAULTY_POSIX, test_delete);
    add_store_test("/store/free-space", STORE_FAULTY_POSIX, test_free_space);
    add_store_test("/store/threads", STORE_FAULTY_POSIX, test_threads);
    return g_test_run();
}
