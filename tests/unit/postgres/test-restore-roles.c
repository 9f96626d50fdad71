/* SPDX-License-Identifier: Apache-2.0
 *
 * The roles that scripts of pg_restore name.
 */
#include "postgres/restore-roles.h"

#include <string.h>

/* The set's names, sorted and joined. */
static char *names_of(GHashTable *set)
{
    g_autoptr(GList) names =
        g_list_sort(g_hash_table_get_keys(set), (GCompareFunc)(void (*)(void))strcmp);
    GString *text = g_string_new(NULL);

    for (const GList *at = names; at != NULL; at = at->next)
        g_string_append_printf(text, "%s%s", text->len > 0 ? "|" : "", (const char *)at->data);
    return g_string_free(text, FALSE);
}

static void test_statements(void)
{
    static const struct {
        const char *script, *named, *owners;
    } rows[] = {
        {"", "", ""},
        {"ALTER TABLE public.t OWNER TO alice;\n", "alice", "alice"},
        {"ALTER TABLE public.\"OWNER TO x\" OWNER TO \"we \"\"ird\nname\";\n", "we \"ird\nname",
         "we \"ird\nname"},
        {"GRANT SELECT ON TABLE public.t TO bob;\nGRANT ALL ON t TO PUBLIC;\n", "bob", ""},
        {"REVOKE ALL ON TABLE t FROM alice;\nGRANT ALL ON t TO \"B\" WITH GRANT OPTION;\n",
         "B|alice", ""},
        {"SET SESSION AUTHORIZATION carol;\nGRANT ALL ON t TO bob GRANTED BY dan;\n", "bob|dan",
         ""},
        {"CREATE POLICY p ON t TO bob, \"C c\", dan USING ((a > 'x''; TO y'::text));\n",
         "C c|bob|dan", ""},
        {"ALTER DEFAULT PRIVILEGES FOR ROLE alice IN SCHEMA s GRANT SELECT ON TABLES  TO bob;\n",
         "alice|bob", "alice"},
        {"CREATE TABLE t (i int);\n  GRANT ALL ON t TO nobody;\n-- ALTER TABLE OWNER TO nobody;\n",
         "", ""},
        {"ALTER TABLE ONLY t ATTACH PARTITION p FOR VALUES FROM ('a') TO ('b');\n", "", ""},
        {"ALTER TABLE t OWNER TO", "", ""},
        {"ALTER TABLE t OWNER TO \"open", "ope", "ope"},
        {"GRANT 'open", "", ""},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(PgScriptRoles) roles = pg_script_roles(rows[i].script);
        g_autofree char *named = names_of(roles->named);
        g_autofree char *owners = names_of(roles->owners);

        g_assert_cmpstr(named, ==, rows[i].named);
        g_assert_cmpstr(owners, ==, rows[i].owners);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/restore-roles/statements", test_statements);
    return g_test_run();
}
