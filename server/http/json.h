/* A small JSON text into a fixed buffer; what does not fit is cut off and `full` says so. One
 * thread a text. */
#ifndef AFORO_SERVER_HTTP_JSON_H
#define AFORO_SERVER_HTTP_JSON_H

#include <stdbool.h>
#include <stddef.h>

struct json {
    char *text; /* always NUL-terminated */
    size_t len, cap;
    bool full;
};

struct json json_begin(char *buf, size_t cap);
/* Appends formatted text as it is: structure and numbers. */
__attribute__((format(printf, 2, 3))) void json_format(struct json *json, const char *format, ...);
/* Appends a string in quotes, escaped. */
void json_string(struct json *json, const char *value);

#endif
