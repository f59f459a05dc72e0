#include "server/http/content.h"

#include <string.h>
#include <strings.h>

#define APPLICATION "application/"
#define APPLICATION_LEN (sizeof APPLICATION - 1)

static const struct {
    const char *subtype;
    enum content content;
} subtypes[] = {
    {"json", CONTENT_JSON}, {"x-ndjson", CONTENT_JSON_LINES}, {"ndjson", CONTENT_JSON_LINES}};

/* Compares regardless of case, up to a blank or the first parameter. */
enum content content_compare(const char *type, size_t size) {
    if (size <= APPLICATION_LEN || strncasecmp(type, APPLICATION, APPLICATION_LEN) != 0) {
        return CONTENT_USUAL;
    }
    const char *subtype = type + APPLICATION_LEN;
    const size_t rest = size - APPLICATION_LEN;
    size_t len = 0;
    while (len < rest && subtype[len] != ';' && subtype[len] != ' ' && subtype[len] != '\t') {
        len++;
    }
    for (size_t i = 0; i < sizeof subtypes / sizeof *subtypes; i++) {
        if (len == strlen(subtypes[i].subtype) &&
            strncasecmp(subtype, subtypes[i].subtype, len) == 0) {
            return subtypes[i].content;
        }
    }
    return CONTENT_USUAL;
}
