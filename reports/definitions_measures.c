/* `measures:` of definitions: shared objects with measures of your own. See definitions.h. */
#include "counters/measures/own.h"
#include "reports/definitions_internal.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A relative path starts at the folder of the definitions' file. */
static bool find_path(struct reading *reading, const struct tree_node *node, char path[PATH_MAX]) {
    const char *file = reading->purpose->file, *slash = strrchr(file, '/');
    const int folder = node->text[0] == '/' || slash == NULL ? 0 : (int)(slash - file) + 1;
    /* Without a slash dlopen would search the library path. */
    const bool bare = folder == 0 && node->text[0] != '/';
    const int len =
        snprintf(path, PATH_MAX, "%s%.*s%s", bare ? "./" : "", folder, file, node->text);
    return len < PATH_MAX || definitions_mistake(reading, node, "a path that is too long");
}

static bool load(struct reading *reading, const struct tree_node *node) {
    char path[PATH_MAX], why[OWN_WHY_MAX];
    if (!find_path(reading, node, path))
        return false;
    return own_load(path, why) != NULL || definitions_mistake(reading, node, "%s", why);
}

bool definitions_read_measures(struct reading *reading, const struct tree_node *node) {
    if (reading->purpose->span.workers == 0)
        return definitions_mistake(reading, node,
                                   "a definition out of a store names no files to load");
    const struct tree_node *first =
        definitions_read_list(reading, node, OWN_MAX, "a list of files: [./ewma.so]");
    for (const struct tree_node *entry = first; entry != NULL; entry = entry->next) {
        if (!load(reading, entry))
            return false;
    }
    return first != NULL;
}

bool definitions_find_own(const struct reading *reading, const char *text, size_t *words) {
    const struct tree_node *key =
        reading->own != NULL && reading->own->kind == TREE_MAP ? reading->own->child : NULL;
    while (key != NULL && strcmp(key->text, text) != 0)
        key = key->next;
    const struct tree_node *value = key != NULL ? key->value : NULL;
    *words = value != NULL && value->kind == TREE_SCALAR ? strtoul(value->text, NULL, 10) : 0;
    return *words > 0 && *words <= AFORO_STATE_MAX / sizeof(uint64_t);
}

void definitions_seal_measures(void) {
    own_seal();
}
