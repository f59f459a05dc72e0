/* One value out of a JSON text of somebody else: what /healthz and /stats say. Pure, any thread. */
#ifndef AFORO_TOOLS_CONSOLE_JSON_VALUE_H
#define AFORO_TOOLS_CONSOLE_JSON_VALUE_H

#include <stdbool.h>
#include <stddef.h>

/* Finds the member that `path` names ("store.connected": objects within objects) in the
 * NUL-terminated `text` and copies it to out (NUL-terminated, cut to cap > 0): a string without
 * quotes, with its simple escapes undone and \u.... as it is; a number, true, false or null as it
 * stands. False, out empty, when there is none, it is an object or array, or what stands before it
 * is no JSON. */
bool json_value(const char *text, const char *path, char *out, size_t cap);

#endif
