/* SPDX-License-Identifier: Apache-2.0
 *
 * A source's section as a structure.
 */
#include "config/source.h"

#include "base/size.h"
#include "config/values.h"

/* A section whose values are known to be well formed: a parser that fails here is a mistake of
 * ours. */
typedef struct {
    const Config *config;
    char *section;
} Section;

static char *get_text(const Section *section, const char *key)
{
    return g_strdup(config_get(section->config, section->section, key));
}

static guint64 get_size(const Section *section, const char *key)
{
    const char *text = config_get(section->config, section->section, key);
    guint64 bytes = 0;

    if (text != NULL && !size_parse(text, &bytes, NULL))
        g_return_val_if_reached(0);
    return bytes;
}

static gint64 get_duration(const Section *section, const char *key)
{
    const char *text = config_get(section->config, section->section, key);
    gint64 duration = 0;

    if (text != NULL && !duration_parse(text, &duration, NULL))
        g_return_val_if_reached(0);
    return duration;
}

static double get_fraction(const Section *section, const char *key)
{
    const char *text = config_get(section->config, section->section, key);
    double fraction = 0;

    if (text != NULL && !percent_parse(text, &fraction, NULL))
        g_return_val_if_reached(0);
    return fraction;
}

static gboolean get_boolean(const Section *section, const char *key)
{
    const char *text = config_get(section->config, section->section, key);
    gboolean value = FALSE;

    if (text != NULL && !config_boolean_parse(text, &value, NULL))
        g_return_val_if_reached(FALSE);
    return value;
}

static char **get_list(const Section *section, const char *key)
{
    const char *text = config_get(section->config, section->section, key);
    g_auto(GStrv) items = text != NULL ? config_list_split(text) : NULL;

    return items != NULL && items[0] != NULL ? g_steal_pointer(&items) : NULL;
}

static void build_postgresql(ConfigSource *source, const Section *section)
{
    source->conninfo = get_text(section, "conninfo");
    source->method = get_text(section, "method");
    source->access = get_text(section, "access");
    source->archive_async = get_boolean(section, "archive_async");
    source->archive_queue_max = get_size(section, "archive_queue_max");
}

static void build_tdengine(ConfigSource *source, const Section *section)
{
    source->url = get_text(section, "url");
    source->user = get_text(section, "user");
    source->password_file = get_text(section, "password_file");
    source->token_file = get_text(section, "token_file");
    source->ca_file = get_text(section, "ca_file");
    source->library = get_text(section, "library");
    source->timeout = get_duration(section, "timeout");
    source->mode = get_text(section, "mode");
    source->topic = get_boolean(section, "topic");
    source->recent = get_duration(section, "recent");
    source->scan_below = get_duration(section, "scan_below");
}

ConfigSource *config_source_build(const Config *config, const char *name)
{
    ConfigSource *source = g_new0(ConfigSource, 1);
    g_autofree char *group = g_strconcat("source ", name, NULL);
    const Section section = {config, group};

    source->name = g_strdup(name);
    source->engine = get_text(&section, "engine");
    /* The number was checked against its range, which fits. */
    source->jobs = (guint)g_ascii_strtoull(config_get(config, group, "jobs"), NULL, 10);
    source->rate = get_size(&section, "rate");
    source->databases = get_list(&section, "databases");
    source->data_directory = get_text(&section, "data_directory");
    source->verify = get_text(&section, "verify");
    source->tolerance = get_fraction(&section, "tolerance");
    source->rto = get_duration(&section, "rto");
    source->rpo = get_duration(&section, "rpo");
    if (g_str_equal(source->engine, "tdengine"))
        build_tdengine(source, &section);
    else if (g_str_equal(source->engine, "postgresql"))
        build_postgresql(source, &section);
    return source;
}

void config_source_free(ConfigSource *source)
{
    if (source == NULL)
        return;
    g_free(source->name);
    g_free(source->engine);
    g_strfreev(source->databases);
    g_free(source->conninfo);
    g_free(source->method);
    g_free(source->access);
    g_free(source->data_directory);
    g_free(source->verify);
    g_free(source->url);
    g_free(source->user);
    g_free(source->password_file);
    g_free(source->token_file);
    g_free(source->ca_file);
    g_free(source->library);
    g_free(source->mode);
    g_free(source);
}
