/* Writes a JSON text: members and items in order, with commas placed and strings escaped. The
 * caller supplies the buffer and sizes it for the whole text; what does not fit is cut off. A
 * struct json belongs to one thread. */
#ifndef AFORO_COMMON_JSON_H
#define AFORO_COMMON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The most bytes that a member takes whose name has `name_len` bytes: with a number or a boolean as
 * its value, and with a string of `len` bytes, each of which may have to be escaped. */
#define JSON_NUMBER_MAX(name_len) ((name_len) + 24)
#define JSON_TEXT_MAX(name_len, len) ((name_len) + 6 * (len) + 6)

struct json {
    char *text; /* always NUL-terminated */
    size_t len, cap;
    bool follows; /* the next member or item needs a comma before it */
};

/* Starts an empty text in buf, which stays the caller's (cap > 0). */
struct json json_begin(char *buf, size_t cap);
/* Ends the text with a newline. */
void json_end(struct json *json);

/* Each of these adds a member called `name`, which is ASCII without quotes. Pass NULL as the name
 * of an array's item and of the outermost value. */
void json_object(struct json *json, const char *name); /* open until json_object_end */
void json_object_end(struct json *json);
void json_array(struct json *json, const char *name); /* open until json_array_end */
void json_array_end(struct json *json);
void json_number(struct json *json, const char *name, int64_t number);
void json_count(struct json *json, const char *name, uint64_t count);
void json_boolean(struct json *json, const char *name, bool value);
void json_text(struct json *json, const char *name, const char *value);

#endif
