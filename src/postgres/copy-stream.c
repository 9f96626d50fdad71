#include "postgres/copy-stream.h"
#include "base/error.h"
gboolean pg_copy_stream(const PgCopyStream *copy, char **ret_label, char **ret_map, GError **error)
{
    error_set(error, ERROR_UNSUPPORTED, "stream is not there");
    return FALSE;
}
