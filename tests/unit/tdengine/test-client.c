/* SPDX-License-Identifier: Apache-2.0
 *
 * The client against a gateway in a thread, which answers with recorded blocks and fails where a
 * test wants it to.
 */
#include "tdengine/client.h"

#include "base/json.h"
#include "fake.h"

#include <signal.h>
#include <string.h>

#define BLOCKS   GOLDEN "/tdengine/blocks"
#define PASSWORD "s3cret"
#define TIMEOUT  60 /* seconds: never waited for */

/* What the gateway does, and what it saw. Only its thread writes; the tests read after an answer. */
typedef struct {
    /* to do */
    guint cut_query;  /* this many queries are cut off instead of answered */
    guint cut_fetch;  /* this fetch of a connection (from 1) is cut off */
    guint fail_fetch; /* this fetch is answered with code 24 */
    guint conflicts;  /* this many statements are refused with code 979 */
    gboolean go_away; /* for ever, at the first fetch */
    /* seen */
    guint queries, fetches, released, executed, prepared, bound;
    char *database; /* of the last login */
    /* of the open result */
    json_t *recording;
    guint next_block;
} Gateway;

static void gateway_clear(Gateway *gateway)
{
    g_free(gateway->database);
    json_decref(gateway->recording);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Gateway, gateway_clear)

/* --- the gateway: answers --------------------------------------------------------------------- */

static void put(GByteArray *array, guint64 value, guint size)
{
    value = GUINT64_TO_LE(value);
    g_byte_array_append(array, (const guint8 *)&value, size);
}

static void answer(Fake *fake, guint64 request, const char *action, guint code, const char *more)
{
    g_autofree char *text = g_strdup_printf(
        "{\"code\":%u,\"message\":\"%s\",\"action\":\"%s\",\"req_id\":%" G_GUINT64_FORMAT
        ",\"timing\":1%s}",
        code, code != 0 ? "as asked" : "", action, request, more);

    fake_send_text(fake, text);
}

static void answer_block(Fake *fake, guint64 request, guint64 result, guint code,
                         const guint8 *block, gsize length)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    put(bytes, G_MAXUINT64, 8);
    put(bytes, 7, 8);
    put(bytes, 1, 2);
    put(bytes, 12345, 8);
    put(bytes, request, 8);
    put(bytes, code, 4);
    put(bytes, 0, 4);
    put(bytes, result, 8);
    put(bytes, block == NULL, 1);
    if (block != NULL) {
        put(bytes, length, 4);
        g_byte_array_append(bytes, block, (guint)length);
    }
    fake_send(fake, TRUE, TD_FRAME_BINARY, bytes->data, bytes->len);
}

/* The recording of a query. */
static json_t *find_recording(const char *sql)
{
    g_autoptr(GDir) directory = g_dir_open(BLOCKS, 0, NULL);

    for (const char *name; (name = g_dir_read_name(directory)) != NULL;) {
        g_autofree char *path = g_build_filename(BLOCKS, name, NULL);
        g_autoptr(json_t) json = NULL;

        if (!g_str_has_suffix(name, ".json") || g_str_has_prefix(name, "ws_reply"))
            continue;
        json = json_load_file(path, JSON_ALLOW_NUL, NULL);
        if (g_str_equal(json_get_string(json, "sql", ""), sql))
            return g_steal_pointer(&json);
    }
    return NULL;
}

static char *number_list(const json_t *columns, const char *key)
{
    g_autoptr(GString) text = g_string_new("[");

    for (guint i = 0; i < json_array_size(columns); i++)
        g_string_append_printf(text, "%s%u", i > 0 ? "," : "",
                               (guint)json_get_uint(json_array_get(columns, i), key, 0));
    return g_strconcat(text->str, "]", NULL);
}

static void answer_recording(Fake *fake, guint64 request, const json_t *recording)
{
    const json_t *columns = json_object_get(recording, "columns");
    g_autoptr(json_t) names = json_array();
    g_autofree char *names_text = NULL;
    g_autofree char *types = number_list(columns, "type");
    g_autofree char *lengths = number_list(columns, "bytes");
    g_autofree char *precisions = number_list(columns, "precision");
    g_autofree char *scales = number_list(columns, "scale");
    g_autofree char *more = NULL;

    for (guint i = 0; i < json_array_size(columns); i++)
        json_array_append(names, json_object_get(json_array_get(columns, i), "name"));
    names_text = json_write(names, FALSE);
    more = g_strdup_printf(
        ",\"id\":7,\"is_update\":false,\"affected_rows\":0,\"fields_count\":%zu,"
        "\"fields_names\":%s,\"fields_types\":%s,\"fields_lengths\":%s,\"precision\":%u,"
        "\"fields_precisions\":%s,\"fields_scales\":%s",
        json_array_size(columns), names_text, types, lengths,
        (guint)json_get_uint(recording, "precision", 0), precisions, scales);
    answer(fake, request, "binary_query", 0, more);
}

static void handle_query(const FakeMessage *message, Gateway *gateway, guint64 request,
                         const char *sql)
{
    static const char done[] = ",\"id\":0,\"is_update\":true,\"affected_rows\":3,"
                               "\"fields_count\":0,\"fields_names\":null,\"precision\":0";

    if (g_str_equal(sql, "NO SUCH")) {
        answer(message->fake, request, "binary_query", 9731, "");
        return;
    }
    gateway->queries++;
    if (gateway->cut_query > 0 && !g_str_equal(sql, "SELECT SERVER_VERSION()")) {
        gateway->cut_query--;
        fake_cut(message->fake);
        return;
    }
    if (g_str_has_prefix(sql, "USE ") || g_str_has_prefix(sql, "CREATE ")) {
        const gboolean refused = gateway->conflicts > 0;

        gateway->conflicts -= refused;
        answer(message->fake, request, "binary_query", refused ? 979 : 0, refused ? "" : done);
        return;
    }
    json_decref(gateway->recording);
    gateway->next_block = 0;
    gateway->recording =
        g_str_equal(sql, "SELECT SERVER_VERSION()")
            ? json_loads("{\"columns\":[{\"name\":\"v\",\"type\":8,\"bytes\":9}]}", 0, NULL)
            : find_recording(sql);
    g_assert_nonnull(gateway->recording);
    answer_recording(message->fake, request, gateway->recording);
}

/* The one block that was not recorded: "3.3.7.5.alpha". */
static void answer_version(Fake *fake, guint64 request)
{
    static const char version[] = "3.3.7.5.alpha";
    const guint size = sizeof version - 1;
    g_autoptr(GByteArray) block = g_byte_array_new();

    put(block, 1, 4);
    put(block, 28 + 9 + 4 + 2 + size + 1, 4);
    put(block, 1, 4);
    put(block, 1, 4);
    put(block, 0x80000000, 4);
    put(block, 0, 8);
    put(block, TD_VARCHAR, 1);
    put(block, 11, 4);
    put(block, 2 + size, 4);
    put(block, 0, 4);
    put(block, size, 2);
    g_byte_array_append(block, (const guint8 *)version, size);
    put(block, 0, 1);
    answer_block(fake, request, 7, 0, block->data, block->len);
}

static void handle_fetch(const FakeMessage *message, Gateway *gateway, guint64 request)
{
    const json_t *files = json_object_get(gateway->recording, "files");
    const char *name = json_string_value(json_array_get(files, gateway->next_block));
    g_autofree char *path = g_build_filename(BLOCKS, name, NULL);
    g_autofree char *block = NULL;
    gsize length;

    if (files == NULL && gateway->next_block++ == 0) {
        answer_version(message->fake, request);
        return;
    }
    if (files != NULL) {
        gateway->fetches++;
        if (gateway->go_away) {
            fake_go_away(message->fake);
            return;
        }
        if (gateway->fetches == gateway->cut_fetch) {
            fake_cut(message->fake);
            return;
        }
        if (gateway->fetches == gateway->fail_fetch) {
            answer_block(message->fake, request, 7, 24, NULL, 0);
            return;
        }
    }
    if (name == NULL) {
        answer_block(message->fake, request, 7, 0, NULL, 0);
        return;
    }
    g_assert_true(g_file_get_contents(path, &block, &length, NULL));
    answer_block(message->fake, request, 7, 0, (const guint8 *)block, length);
    gateway->next_block++;
}

static void handle_binary(const FakeMessage *message, Gateway *gateway)
{
    guint64 head[3];
    g_autofree char *sql = NULL;

    g_assert_cmpuint(message->length, >=, sizeof head + 2);
    memcpy(head, message->data, sizeof head);
    g_assert_cmpmem(message->data + sizeof head, 2, "\1\0", 2);
    if (head[2] == 6) {
        sql = g_strndup((const char *)message->data + 30, message->length - 30);
        handle_query(message, gateway, head[0], sql);
    } else if (head[2] == 7) {
        g_assert_cmpuint(head[1], ==, 7);
        handle_fetch(message, gateway, head[0]);
    } else {
        g_assert_cmpuint(head[2], ==, 9);
        gateway->bound++;
        answer(message->fake, head[0], "stmt2_bind", 0, "");
    }
}

static void handle_text(const FakeMessage *message, Gateway *gateway)
{
    g_autoptr(json_t) json =
        json_loadb((const char *)message->data, message->length, JSON_ALLOW_NUL, NULL);
    const json_t *args = json_object_get(json, "args");
    const char *action = json_get_string(json, "action", "");
    const guint64 request = json_get_uint(args, "req_id", 0);

    if (g_str_equal(action, "conn")) {
        const gboolean known = g_str_equal(json_get_string(args, "password", ""), PASSWORD);

        g_free(gateway->database);
        gateway->database = g_strdup(json_get_string(args, "db", NULL));
        answer(message->fake, request, action, known ? 0 : 855, "");
    } else if (g_str_equal(action, "stmt2_init")) {
        gateway->prepared++;
        answer(message->fake, request, action, 0, ",\"stmt_id\":4");
    } else if (g_str_equal(action, "stmt2_exec")) {
        gateway->executed++;
        if (gateway->executed == 2)
            fake_cut(message->fake);
        else
            answer(message->fake, request, action, gateway->executed == 3 ? 1547 : 0,
                   ",\"stmt_id\":4,\"affected\":2");
    } else if (g_str_equal(action, "free_result")) {
        gateway->released++;
    } else {
        answer(message->fake, request, action, 0, "");
    }
}

static void handle(const FakeMessage *message)
{
    if (message->opcode == TD_FRAME_TEXT)
        handle_text(message, message->user_data);
    else if (message->opcode == TD_FRAME_BINARY)
        handle_binary(message, message->user_data);
}

/* --- helpers ---------------------------------------------------------------------------------- */

static TdClient *connected_for(Fake *fake, guint timeout)
{
    const TdOptions options = {.url = fake_url(fake), .password = PASSWORD, .timeout = timeout};
    g_autoptr(GError) error = NULL;
    TdClient *client = td_client_connect(&options, NULL, &error);

    g_assert_no_error(error);
    return client;
}

static TdClient *connected(Fake *fake)
{
    return connected_for(fake, TIMEOUT);
}

/* The query that came in three blocks. */
static char *many_sql(void)
{
    g_autofree char *path = g_build_filename(BLOCKS, "seq_many.json", NULL);
    g_autoptr(json_t) json = json_load_file(path, JSON_ALLOW_NUL, NULL);

    return g_strdup(json_get_string(json, "sql", NULL));
}

static guint read_all(TdResult *result, GError **error)
{
    guint rows = 0;

    for (const TdBlock *block; (block = td_result_next(result, error)) != NULL;)
        rows += block->rows;
    return rows;
}

static guint many_rows(void)
{
    g_autofree char *path = g_build_filename(BLOCKS, "seq_many.json", NULL);
    g_autoptr(json_t) json = json_load_file(path, JSON_ALLOW_NUL, NULL);

    return (guint)json_array_size(json_object_get(json, "rows"));
}

/* --- connection ------------------------------------------------------------------------------- */

static void test_connect(void)
{
    g_auto(Gateway) gateway = {0};
    g_autoptr(Fake) fake = fake_start(handle, &gateway);
    g_autoptr(TdClient) client = connected(fake);

    g_assert_cmpstr(td_client_server_version(client), ==, "3.3.7.5");
    g_assert_cmpstr(td_client_transport(client), ==, "websocket");
    g_assert_null(td_client_transport_note(client));
    g_assert_null(gateway.database);
}

/* A library that cannot be used: WebSocket goes on, and says why. */
static void expect_note(const char *library, const char *word)
{
    g_auto(Gateway) gateway = {0};
    g_autoptr(Fake) fake = fake_start(handle, &gateway);
    const TdOptions options = {.url = fake_url(fake),
                               .password = PASSWORD,
                               .library = library,
                               .timeout = TIMEOUT};
    g_autoptr(TdClient) client = td_client_connect(&options, NULL, NULL);

    g_assert_nonnull(client);
    g_assert_cmpstr(td_client_transport(client), ==, "websocket");
    g_assert_nonnull(strstr(td_client_transport_note(client), word));
}

static void test_no_library(void)
{
    expect_note("/nonexistent/libtaos.so", "cannot be loaded");
    expect_note("libc.so.6", "neither a path nor auto");
}

static void test_refused(void)
{
    g_auto(Gateway) gateway = {0};
    g_autoptr(Fake) fake = fake_start(handle, &gateway);
    const TdOptions options = {.url = fake_url(fake), .password = "wr0ng", .timeout = TIMEOUT};
    g_autoptr(GError) error = NULL;

    g_assert_null(td_client_connect(&options, NULL, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_PERMISSION);
    g_assert_nonnull(strstr(error->message, "0x0357"));
    g_assert_null(strstr(error->message, "wr0ng"));
}

static void test_server_error(void)
{
    g_auto(Gateway) gateway = {0};
    g_autoptr(Fake) fake = fake_start(handle, &gateway);
    g_autoptr(TdClient) client = connected(fake);
    g_autoptr(GError) error = NULL;

    g_assert_null(td_client_query(client, "NO SUCH", NULL, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_SERVER);
    g_assert_cmphex(td_error_code(error), ==, 0x2603);
    g_prefix_error(&error, "table %s: ", "x");
    g_assert_cmphex(td_error_code(error), ==, 0x2603);
    g_clear_error(&error);
    g_assert_cmphex(td_error_code(NULL), ==, 0);
    g_assert_true(td_client_use(client, "db", NULL, &error)); /* the connection goes on */
    g_assert_cmpuint(fake_connections(fake), ==, 1);
}

/* --- results ---------------------------------------------------------------------------------- */

static void test_result(void)
{
    g_auto(Gateway) gateway = {0};
    g_autoptr(Fake) fake = fake_start(handle, &gateway);
    g_autoptr(TdClient) client = connected(fake);
    g_autofree char *sql = many_sql();
    g_autoptr(TdResult) result = td_client_query(client, sql, NULL, NULL);
    g_autoptr(GError) error = NULL;
    const TdColumn *columns;
    guint n;

    g_assert_nonnull(result);
    columns = td_result_columns(result, &n);
    g_assert_cmpuint(n, >, 1);
    g_assert_cmpuint(columns[0].type, ==, TD_TIMESTAMP);
    g_assert_cmpuint(td_result_precision(result), ==, TD_MILLISECONDS);
    /* Nothing else may be asked meanwhile. */
    g_assert_false(td_client_execute(client, "CREATE x", NULL, NULL, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_INTERNAL);
    g_clear_error(&error);
    g_assert_cmpuint(read_all(result, &error), ==, many_rows());
    g_assert_no_error(error);
    g_assert_cmpuint(fake_look(fake, &gateway.fetches), ==, 4); /* three blocks and the end */
    g_assert_null(td_result_next(result, &error));              /* the end stays the end */
    g_assert_no_error(error);
    g_assert_true(td_client_execute(client, "CREATE x", NULL, NULL, &error));
}

/* Freed with a fetch in flight: its answer is dropped, the server's result released. */
static void test_freed_early(void)
{
    g_auto(Gateway) gateway = {0};
    g_autoptr(Fake) fake = fake_start(handle, &gateway);
    g_autoptr(TdClient) client = connected(fake);
    g_autofree char *sql = many_sql();
    TdResult *result = td_client_query(client, sql, NULL, NULL);
    gint64 affected = 0;

    g_assert_nonnull(td_result_next(result, NULL));
    td_result_free(result);
    g_assert_true(td_client_execute(client, "CREATE x", &affected, NULL, NULL));
    g_assert_cmpint(affected, ==, 3);
    g_assert_true(td_client_execute(client, "CREATE x", NULL, NULL, NULL));
    g_assert_cmpuint(fake_look(fake, &gateway.released), ==, 1);
    g_assert_cmpuint(fake_connections(fake), ==, 1);
}

static void test_rows(void)
{
    g_auto(Gateway) gateway = {0};
    g_autoptr(Fake) fake = fake_start(handle, &gateway);
    g_autoptr(TdClient) client = connected(fake);
    g_autoptr(GPtrArray) rows = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *sql = many_sql();
    char **row;

    rows = td_client_query_rows(client, "SELECT 1, 'x', 1.5, null, true", 1, NULL, NULL);
    g_assert_nonnull(rows);
    g_assert_cmpuint(rows->len, ==, 1);
    row = g_ptr_array_index(rows, 0);
    g_assert_cmpstr(row[0], ==, "1");
    g_assert_cmpstr(row[1], ==, "x");
    g_assert_cmpstr(row[2], ==, "1.5");
    g_assert_null(row[3]);
    g_assert_cmpstr(row[4], ==, "true");
    g_assert_null(td_client_query_rows(client, sql, 10, NULL, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_LIMIT);
    g_assert_true(td_client_use(client, "db", NULL, NULL)); /* the connection goes on */
}

/* --- lost connections ------------------------------------------------------------------------- */

/* Before the first block a query is repeated, in the database that was in use. */
static void test_repeated(void)
{
    g_auto(Gateway) gateway = {.cut_query = 1, .cut_fetch = 1};
    g_autoptr(Fake) fake = fake_start(handle, &gateway);
    g_autoptr(TdClient) client = connected(fake);
    g_autofree char *sql = many_sql();
    g_autoptr(TdResult) result = NULL;
    g_autoptr(GError) error = NULL;

    fake_change(fake, &gateway.cut_query, 0);
    g_assert_true(td_client_use(client, "my db", NULL, NULL));
    fake_change(fake, &gateway.cut_query, 1);
    result = td_client_query(client, sql, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(read_all(result, &error), ==, many_rows());
    g_assert_no_error(error);
    g_assert_cmpuint(fake_connections(fake), ==, 3);
    g_assert_cmpstr(gateway.database, ==, "my db");
}

/* After it, it is not. */
static void expect_broken_off(Gateway *gateway)
{
    g_autoptr(Fake) fake = fake_start(handle, gateway);
    g_autoptr(TdClient) client = connected(fake);
    g_autofree char *sql = many_sql();
    g_autoptr(TdResult) result = td_client_query(client, sql, NULL, NULL);
    g_autoptr(GError) error = NULL;

    g_assert_cmpuint(read_all(result, &error), <, many_rows());
    g_assert_error(error, ERROR_DOMAIN, ERROR_UNREACHABLE);
    g_clear_error(&error);
    g_assert_null(td_result_next(result, &error)); /* an error, never an end */
    g_assert_nonnull(error);
    g_assert_cmpuint(fake_look(fake, &gateway->queries), ==, 2); /* one for the version */
    g_clear_error(&error);
    g_assert_true(td_client_execute(client, "CREATE x", NULL, NULL, &error)); /* anew */
}

static void test_broken_off(void)
{
    g_auto(Gateway) cut = {.cut_fetch = 3};
    g_auto(Gateway) failing = {.fail_fetch = 2};

    expect_broken_off(&cut);
    expect_broken_off(&failing);
}

/* A statement is never said twice by itself. */
static void test_execute_lost(void)
{
    g_auto(Gateway) gateway = {.cut_query = 1};
    g_autoptr(Fake) fake = fake_start(handle, &gateway);
    g_autoptr(TdClient) client = connected(fake);
    g_autoptr(GError) error = NULL;

    g_assert_false(td_client_execute(client, "CREATE x", NULL, NULL, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_UNREACHABLE);
    g_assert_nonnull(strstr(error_hint(error), "not known"));
    g_assert_cmpuint(fake_look(fake, &gateway.queries), ==, 2);
    g_assert_true(td_client_execute(client, "CREATE x", NULL, NULL, NULL));
    g_assert_cmpuint(fake_look(fake, &gateway.queries), ==, 3);
}

/* Refused because another change is under way: that passes. */
static void test_conflict(void)
{
    g_auto(Gateway) gateway = {.conflicts = 2};
    g_autoptr(Fake) fake = fake_start(handle, &gateway);
    g_autoptr(TdClient) client = connected(fake);
    g_autoptr(GError) error = NULL;

    g_assert_true(td_client_execute(client, "CREATE x", NULL, NULL, &error));
    g_assert_cmpuint(fake_look(fake, &gateway.queries), ==, 4);
}

static void test_gone(void)
{
    g_auto(Gateway) gateway = {.go_away = TRUE};
    g_autoptr(Fake) fake = fake_start(handle, &gateway);
    g_autoptr(TdClient) client = connected_for(fake, 3);
    g_autofree char *sql = many_sql();
    g_autoptr(TdResult) result = td_client_query(client, sql, NULL, NULL);
    g_autoptr(GError) error = NULL;

    g_assert_null(td_result_next(result, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_UNREACHABLE);
}

/* --- writes ----------------------------------------------------------------------------------- */

static gboolean insert_two(TdInsert *insert, GError **error)
{
    static const gint64 times[] = {1, 2};
    const TdBinding column = {TD_TIMESTAMP, NULL, (const guint8 *)times, NULL};
    const TdInsertTable table = {"t", 2, NULL, &column};
    gint64 affected = 0;

    if (!td_insert_execute(insert, &table, 1, &affected, error))
        return FALSE;
    g_assert_cmpint(affected, ==, 2);
    return TRUE;
}

static void test_insert(void)
{
    g_auto(Gateway) gateway = {0};
    g_autoptr(Fake) fake = fake_start(handle, &gateway);
    g_autoptr(TdClient) client = connected(fake);
    g_autoptr(TdInsert) insert =
        td_insert_prepare(client, "INSERT INTO ? VALUES(?)", 0, 1, NULL, NULL);
    g_autoptr(GError) error = NULL;

    g_assert_nonnull(insert);
    g_assert_true(insert_two(insert, &error));
    g_assert_false(insert_two(insert, &error)); /* the connection is cut at the second */
    g_assert_error(error, ERROR_DOMAIN, ERROR_UNREACHABLE);
    g_clear_error(&error);
    g_assert_cmpuint(fake_look(fake, &gateway.executed), ==, 2);
    g_assert_false(insert_two(insert, &error)); /* prepared anew; refused */
    g_assert_cmphex(td_error_code(error), ==, 0x060b);
    g_clear_error(&error);
    g_assert_true(insert_two(insert, &error));
    g_assert_cmpuint(fake_look(fake, &gateway.prepared), ==, 3);
    g_assert_cmpuint(fake_look(fake, &gateway.bound), ==, 4);
}

static gboolean write_recorded(TdClient *client, const char *name, const TdColumn *columns,
                               guint n_columns, guint32 n_rows, GError **error)
{
    g_autofree char *path = g_build_filename(BLOCKS, name, NULL);
    g_autofree char *block = NULL;
    gsize length;

    g_assert_true(g_file_get_contents(path, &block, &length, NULL));
    return td_client_write_block(client, "t", columns, n_columns, n_rows, (const guint8 *)block,
                                 length, NULL, error);
}

/* Blocks that are never sent: a BLOB ends the gateway, wrong columns shift the data. */
static void test_write_block_refused(void)
{
    static const TdColumn blob[] = {{"ts", TD_TIMESTAMP, 8, 0, 0}, {"b", TD_BLOB, 4194304, 0, 0}};
    static const TdColumn text[] = {{"ts", TD_TIMESTAMP, 8, 0, 0}, {"s", TD_VARCHAR, 10, 0, 0}};
    g_auto(Gateway) gateway = {0};
    g_autoptr(Fake) fake = fake_start(handle, &gateway);
    g_autoptr(TdClient) client = connected(fake);
    g_autofree char *path = g_build_filename(BLOCKS, "ms_blob.bin", NULL);
    g_autofree char *block = NULL;
    g_autoptr(GError) error = NULL;
    gsize length;
    guint32 rows;

    g_assert_true(g_file_get_contents(path, &block, &length, NULL));
    memcpy(&rows, block + 8, sizeof rows);
    g_assert_false(write_recorded(client, "ms_blob.bin", blob, 2, rows, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_UNSUPPORTED);
    g_clear_error(&error);
    g_assert_false(write_recorded(client, "ms_blob.bin", blob, 2, rows + 1, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_FORMAT);
    g_clear_error(&error);
    g_assert_false(write_recorded(client, "ms_bigint.bin", text, 2, 6, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_FORMAT);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tdengine/client/connect", test_connect);
    g_test_add_func("/tdengine/client/no-library", test_no_library);
    g_test_add_func("/tdengine/client/refused", test_refused);
    g_test_add_func("/tdengine/client/server-error", test_server_error);
    g_test_add_func("/tdengine/client/result", test_result);
    g_test_add_func("/tdengine/client/freed-early", test_freed_early);
    g_test_add_func("/tdengine/client/rows", test_rows);
    g_test_add_func("/tdengine/client/repeated", test_repeated);
    g_test_add_func("/tdengine/client/broken-off", test_broken_off);
    g_test_add_func("/tdengine/client/execute-lost", test_execute_lost);
    g_test_add_func("/tdengine/client/conflict", test_conflict);
    g_test_add_func("/tdengine/client/gone", test_gone);
    g_test_add_func("/tdengine/client/insert", test_insert);
    g_test_add_func("/tdengine/client/write-block-refused", test_write_block_refused);
    return g_test_run();
}
