#include "server/http/json.h"

#include <stdarg.h>
#include <stdio.h>

struct json json_begin(char *buf, size_t cap) {
    buf[0] = '\0';
    return (struct json){.text = buf, .cap = cap};
}

void json_format(struct json *json, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(json->text + json->len, json->cap - json->len, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= json->cap - json->len) {
        json->full = true;
        json->text[json->len] = '\0';
        return;
    }
    json->len += (size_t)n;
}

void json_string(struct json *json, const char *value) {
    json_format(json, "\"");
    for (; *value; value++) {
        const unsigned char c = (unsigned char)*value;
        json_format(json,
                    c == '"' || c == '\\'   ? "\\%c"
                    : c < 0x20 || c == 0x7f ? "\\u%04x"
                                            : "%c",
                    c);
    }
    json_format(json, "\"");
}
