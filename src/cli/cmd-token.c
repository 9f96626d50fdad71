/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast token add, list, revoke: who may use the service over HTTP.
 */
#include <string.h>

#include "base/error.h"
#include "cli/commands.h"
#include "service/tokens.h"

static struct {
    char *role;
} options;

static Tokens *open_tokens(CommandRun *run, GError **error)
{
    g_autoptr(Config) config = command_config(run, error);

    return config != NULL ? tokens_open(config_state_directory(config), error) : NULL;
}

static gboolean run_add(CommandRun *run, GError **error)
{
    g_autoptr(Tokens) tokens = NULL;
    g_autofree char *token = NULL;
    const char *name = run->arguments[0];
    Role role;

    if (options.role == NULL) {
        error_set(error, ERROR_USAGE, "which role shall the token have?");
        error_add_hint(error, "--role viewer, --role operator or --role admin");
        return FALSE;
    }
    if (!role_parse(options.role, &role, error))
        return FALSE;
    tokens = open_tokens(run, error);
    if (tokens == NULL || !tokens_add(tokens, name, role, &token, error))
        return FALSE;
    output_json(run->output, json_pack("{s:s, s:s, s:s}", "name", name, "role", role_name(role),
                                       "token", token));
    output_line(run->output, "made the token %s, role %s; it is shown only now:", name,
                role_name(role));
    /* With --quiet too: it is what was asked for, and told only now. */
    if (output_is_quiet(run->output) && !output_is_json(run->output)) {
        g_autofree char *line = g_strconcat(token, "\n", NULL);

        output_bytes(run->output, line, strlen(line));
    }
    output_line(run->output, "%s", token);
    return TRUE;
}

static gboolean run_list(CommandRun *run, GError **error)
{
    static const char *const headings[] = {"NAME", "ROLE", "CREATED", NULL};
    g_autoptr(Tokens) tokens = open_tokens(run, error);
    g_autoptr(OutputTable) table = output_table_new(headings, "lll");
    json_t *list;

    if (tokens == NULL)
        return FALSE;
    list = json_array();
    for (guint i = 0; i < tokens_count(tokens); i++) {
        const Token *token = tokens_get(tokens, i);
        char **cells = g_new0(char *, G_N_ELEMENTS(headings));

        cells[0] = g_strdup(token->name);
        cells[1] = g_strdup(role_name(token->role));
        cells[2] = g_strdup(token->created);
        output_table_add(table, cells);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", token->name, "role",
                                              role_name(token->role), "created", token->created));
    }
    output_json(run->output, list);
    if (tokens_count(tokens) == 0)
        output_line(run->output, "no tokens");
    else
        output_table_print(run->output, table);
    return TRUE;
}

static gboolean run_revoke(CommandRun *run, GError **error)
{
    g_autoptr(Tokens) tokens = open_tokens(run, error);

    if (tokens == NULL || !tokens_revoke(tokens, run->arguments[0], error))
        return FALSE;
    output_json(run->output, json_pack("{s:s, s:b}", "name", run->arguments[0], "revoked", TRUE));
    output_line(run->output, "the token %s is valid no more", run->arguments[0]);
    return TRUE;
}

static const GOptionEntry add_entries[] = {
    {"role", 0, 0, G_OPTION_ARG_FILENAME, &options.role,
     "viewer looks; operator also backs up, verifies, drills, pins, cancels; admin also restores, "
     "cleans up, unpins",
     "ROLE"},
    {NULL},
};

const Command command_token_add = {
    .words = "token add",
    .arguments = "NAME",
    .minimum = 1,
    .maximum = 1,
    .summary = "make a token for the REST interface",
    .description =
        "The token is the last word printed, and is shown only now: what is kept is a hash of it,\n"
        "in a private file of state_directory. Send it as \"Authorization: Bearer TOKEN\". A\n"
        "service that runs takes it at once.",
    .example = "holdfast token add grafana --role viewer",
    .options = add_entries,
    .run = run_add,
};

const Command command_token_list = {
    .words = "token list",
    .arguments = "",
    .summary = "list the tokens of the REST interface",
    .example = "holdfast token list",
    .run = run_list,
};

const Command command_token_revoke = {
    .words = "token revoke",
    .arguments = "NAME",
    .minimum = 1,
    .maximum = 1,
    .summary = "end the validity of a token",
    .description = "A service that runs refuses it from its next request on.",
    .example = "holdfast token revoke grafana",
    .run = run_revoke,
};
