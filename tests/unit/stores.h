/* SPDX-License-Identifier: Apache-2.0
 *
 * The stores that tests run over: a function is registered once for each kind and receives a fresh
 * one.
 */
#ifndef HOLDFAST_TESTS_UNIT_STORES_H
#define HOLDFAST_TESTS_UNIT_STORES_H

#include <string.h>

#include "base/file.h"
#include "store/store.h"

typedef enum { STORE_POSIX, STORE_MEMORY, STORE_FAULTY_MEMORY, STORE_FAULTY_POSIX } StoreKind;

typedef struct {
    StoreKind kind;
    char *directory; /* scratch, with "store" in it for the posix kinds */
    Store *store;
} StoreFixture;

typedef void (*StoreTest)(StoreFixture *fixture, gconstpointer data);

static inline const char *store_kind_name(StoreKind kind)
{
    static const char *const names[] = {"posix", "memory", "faulty-memory", "faulty-posix"};

    return names[kind];
}

static inline char *fixture_path(const StoreFixture *fixture, const char *name)
{
    return g_build_filename(fixture->directory, name, NULL);
}

static inline Store *open_posix_in(const StoreFixture *fixture)
{
    g_autofree char *path = fixture_path(fixture, "store");
    g_autoptr(GError) error = NULL;
    Store *store = NULL;

    g_assert_true(directory_make(path, 0700, &error));
    store = store_open_posix(path, &error);
    g_assert_no_error(error);
    return store;
}

static inline void store_fixture_open(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    fixture->kind = (StoreKind)GPOINTER_TO_INT(data);
    fixture->directory = g_dir_make_tmp("holdfast-test-XXXXXX", &error);
    g_assert_no_error(error);
    if (fixture->kind == STORE_POSIX || fixture->kind == STORE_FAULTY_POSIX)
        fixture->store = open_posix_in(fixture);
    else
        fixture->store = store_new_memory();
    if (fixture->kind == STORE_FAULTY_MEMORY || fixture->kind == STORE_FAULTY_POSIX)
        fixture->store = store_new_fault(fixture->store);
}

static inline void store_fixture_close(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    store_unref(fixture->store);
    g_assert_true(directory_remove(fixture->directory, &error));
    g_free(fixture->directory);
}

/* Registers /<name>/<kind> for each kind from 0 to `last`. */
static inline void add_store_test(const char *name, StoreKind last, StoreTest test)
{
    for (StoreKind kind = STORE_POSIX; kind <= last; kind++) {
        g_autofree char *path = g_strdup_printf("%s/%s", name, store_kind_name(kind));

        g_test_add(path, StoreFixture, GINT_TO_POINTER((int)kind), store_fixture_open, test,
                   store_fixture_close);
    }
}

/* "name name name" of all objects below a prefix. */
static inline gboolean stores_append_name(const char *name, const StoreInfo *info, gpointer data,
                                          GError **error)
{
    GString *text = data;

    g_string_append_printf(text, "%s%s", text->len > 0 ? " " : "", name);
    return TRUE;
}

static inline char *list_names(Store *store, const char *prefix)
{
    GString *text = g_string_new(NULL);
    g_autoptr(GError) error = NULL;

    g_assert_true(store_list(store, prefix, stores_append_name, text, &error));
    g_assert_no_error(error);
    return g_string_free(text, FALSE);
}

static inline void put_text(Store *store, const char *name, const char *text)
{
    g_autoptr(GError) error = NULL;

    if (!store_put(store, name, text, strlen(text), &error))
        g_error("cannot put %s: %s", name, error->message);
}

#endif
