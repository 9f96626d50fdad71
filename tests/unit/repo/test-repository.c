/* SPDX-License-Identifier: Apache-2.0
 *
 * repository.json: made, opened, refused.
 */
#include "../stores.h"

#include "base/error.h"
#include "repo/repository.h"

static const CompressSpec gzip = {CODEC_GZIP, 2};

static void test_create_open(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Repository) made = repository_create(fixture->store, gzip, &error);
    g_autoptr(Repository) opened = NULL;

    g_assert_no_error(error);
    opened = repository_open(fixture->store, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(repository_id(opened), ==, repository_id(made));
    g_assert_true(g_uuid_string_is_valid(repository_id(opened)));
    g_assert_cmpint(repository_compression(opened).codec, ==, CODEC_GZIP);
    g_assert_cmpint(repository_compression(opened).level, ==, 2);
    g_assert_cmpint(repository_created(opened), ==, repository_created(made));
    g_assert_true(repository_store(opened) == fixture->store);

    g_assert_null(repository_create(fixture->store, gzip, &error));
    g_assert_true(error_is(error, ERROR_EXISTS));
}

static void test_not_there(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(repository_open(fixture->store, &error));
    g_assert_true(error_is(error, ERROR_UNREACHABLE));
    g_assert_nonnull(error_hint(error));
}

static void test_not_empty(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    put_text(fixture->store, "photos/cat.jpg", "meow");
    g_assert_null(repository_create(fixture->store, gzip, &error));
    g_assert_true(error_is(error, ERROR_REFUSED));
    g_assert_nonnull(strstr(error->message, "photos"));
}

static void test_bad_header(StoreFixture *fixture, gconstpointer data)
{
    static const struct {
        const char *text;
        ErrorCode code;
    } cases[] = {
        {"", ERROR_FORMAT},
        {"{}", ERROR_FORMAT},
        {"{\"format_version\": \"1\"}", ERROR_FORMAT},
        {"{\"format_version\": 1}", ERROR_FORMAT},
        {"{\"format_version\": 2}", ERROR_NEWER_FORMAT},
        {"{\"format_version\": 1, \"id\": \"../../x\", \"created\": \"2026-11-22T02:00:00Z\", "
         "\"compression\": \"zstd:1\"}",
         ERROR_FORMAT},
        {"{\"format_version\": 1, \"id\": \"0b5b4c4e-2b9c-4d57-9d5c-0f1f2a3b4c5d\", "
         "\"created\": \"2026-11-22T02:00:00Z\", \"compression\": \"magic\"}",
         ERROR_FORMAT},
    };
    static const char good[] =
        "{\"format_version\": 1, \"id\": \"0b5b4c4e-2b9c-4d57-9d5c-0f1f2a3b4c5d\", \"new\": 1, "
        "\"created\": \"2026-11-22T02:00:00Z\", \"compression\": \"none\"}";
    g_autoptr(GError) error = NULL;
    g_autoptr(Repository) repository = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        put_text(fixture->store, "repository.json", cases[i].text);
        g_assert_null(repository_open(fixture->store, &error));
        g_assert_true(error_is(error, cases[i].code));
        g_clear_error(&error);
        g_assert_true(store_delete(fixture->store, "repository.json", &error));
    }
    put_text(fixture->store, "repository.json", good);
    repository = repository_open(fixture->store, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(repository_id(repository), ==, "0b5b4c4e-2b9c-4d57-9d5c-0f1f2a3b4c5d");
}

/* After a failure there is a repository, or there is none and the result says so. */
static void test_every_fault(StoreFixture *fixture, gconstpointer data)
{
    static const StoreFault faults[] = {STORE_FAULT_ERROR, STORE_FAULT_NO_SPACE, STORE_FAULT_DONE,
                                        STORE_FAULT_SHORT};
    gboolean through = FALSE;

    for (guint64 nth = 1; !through; nth++) {
        through = TRUE;
        for (gsize i = 0; i < G_N_ELEMENTS(faults); i++) {
            g_autoptr(Store) store = store_new_fault(store_new_memory());
            g_autoptr(Repository) made = NULL;
            g_autoptr(Repository) opened = NULL;

            store_fault_arm(store, faults[i], nth, ERROR_IO);
            made = repository_create(store, gzip, NULL);
            if (store_fault_calls(store) >= nth)
                through = FALSE;
            store_fault_arm(store, STORE_FAULT_NONE, 0, 0);
            opened = repository_open(store, NULL);
            g_assert_true((made != NULL) == (opened != NULL));
        }
        g_assert_cmpuint(nth, <, 100);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add_store_test("/repo/repository/create-open", STORE_MEMORY, test_create_open);
    add_store_test("/repo/repository/not-there", STORE_MEMORY, test_not_there);
    add_store_test("/repo/repository/not-empty", STORE_MEMORY, test_not_empty);
    add_store_test("/repo/repository/bad-header", STORE_MEMORY, test_bad_header);
    g_test_add("/repo/repository/every-fault", StoreFixture, GINT_TO_POINTER(STORE_FAULTY_MEMORY),
               store_fixture_open, test_every_fault, store_fixture_close);
    return g_test_run();
}
