/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of types.
 */
#include "tdengine/type.h"

#include <string.h>

#define DECIMAL_DIGITS   38
#define DECIMAL64_DIGITS 18

static const struct {
    const char *name;
    guint8 width;
} types[] = {
    [TD_BOOL] = {"BOOL", 1},
    [TD_TINYINT] = {"TINYINT", 1},
    [TD_SMALLINT] = {"SMALLINT", 2},
    [TD_INT] = {"INT", 4},
    [TD_BIGINT] = {"BIGINT", 8},
    [TD_FLOAT] = {"FLOAT", 4},
    [TD_DOUBLE] = {"DOUBLE", 8},
    [TD_VARCHAR] = {"VARCHAR", 0},
    [TD_TIMESTAMP] = {"TIMESTAMP", 8},
    [TD_NCHAR] = {"NCHAR", 0},
    [TD_UTINYINT] = {"TINYINT UNSIGNED", 1},
    [TD_USMALLINT] = {"SMALLINT UNSIGNED", 2},
    [TD_UINT] = {"INT UNSIGNED", 4},
    [TD_UBIGINT] = {"BIGINT UNSIGNED", 8},
    [TD_JSON] = {"JSON", 0},
    [TD_VARBINARY] = {"VARBINARY", 0},
    [TD_DECIMAL] = {"DECIMAL", 16},
    [TD_BLOB] = {"BLOB", 0},
    [TD_MEDIUMBLOB] = {"MEDIUMBLOB", 0},
    [TD_GEOMETRY] = {"GEOMETRY", 0},
    [TD_DECIMAL64] = {"DECIMAL", 8},
};

gboolean td_type_is_known(guint type)
{
    return type < G_N_ELEMENTS(types) && types[type].name != NULL;
}

guint td_type_width(TdType type)
{
    g_return_val_if_fail(td_type_is_known(type), 0);
    return types[type].width;
}

const char *td_type_name(TdType type)
{
    g_return_val_if_fail(td_type_is_known(type), "");
    return types[type].name;
}

/* A number of one or two digits, blanks around it. */
static gboolean parse_number(const char **at, guint *ret_value)
{
    char *end;

    while (**at == ' ')
        (*at)++;
    if (!g_ascii_isdigit(**at))
        return FALSE;
    *ret_value = (guint)MIN(g_ascii_strtoull(*at, &end, 10), 1000);
    while (*end == ' ')
        end++;
    *at = end;
    return TRUE;
}

/* "(18, 4)" or "(18)", with blanks anywhere. */
static gboolean parse_decimal(const char *at, TdType *ret_type, guint *ret_precision,
                              guint *ret_scale)
{
    guint precision, scale = 0;

    while (*at == ' ')
        at++;
    if (*at++ != '(' || !parse_number(&at, &precision))
        return FALSE;
    if (*at == ',') {
        at++;
        if (!parse_number(&at, &scale))
            return FALSE;
    }
    if (strcmp(at, ")") != 0 || precision < 1 || precision > DECIMAL_DIGITS || scale > precision)
        return FALSE;
    *ret_type = precision > DECIMAL64_DIGITS ? TD_DECIMAL : TD_DECIMAL64;
    *ret_precision = precision;
    *ret_scale = scale;
    return TRUE;
}

gboolean td_type_parse(const char *name, TdType *ret_type, guint *ret_precision, guint *ret_scale)
{
    if (g_str_has_prefix(name, "DECIMAL"))
        return parse_decimal(name + strlen("DECIMAL"), ret_type, ret_precision, ret_scale);
    for (guint type = TD_BOOL; type < G_N_ELEMENTS(types); type++) {
        if (!g_str_equal(name, types[type].name) &&
            !(type == TD_VARCHAR && g_str_equal(name, "BINARY")))
            continue;
        *ret_type = (TdType)type;
        *ret_precision = 0;
        *ret_scale = 0;
        return TRUE;
    }
    return FALSE;
}
