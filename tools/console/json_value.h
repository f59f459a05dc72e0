/* Finds one value in a foreign JSON text, such as that of /healthz or /stats. Pure; any thread. */
#ifndef AFORO_TOOLS_CONSOLE_JSON_VALUE_H
#define AFORO_TOOLS_CONSOLE_JSON_VALUE_H

#include <stdbool.h>
#include <stddef.h>

/* Finds the member that `path` names ("store.connected": objects within objects) in the
 * NUL-terminated `text` and copies it to out (NUL-terminated, cut to cap > 0): a string without
 * quotes, its simple escapes undone but \u.... kept; a number, true, false or null as written.
 * False, with out empty, when there is no such member, it is an object or array, or the text before
 * it is not JSON. */
bool json_value(const char *text, const char *path, char *out, size_t cap);

#endif
