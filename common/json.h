/* JSON texts, written in one place: members and items in order, each with its comma, strings
 * escaped. Into a buffer of the caller's, who gives it room for all: what does not fit is cut off.
 * One thread a text. */
#ifndef AFORO_COMMON_JSON_H
#define AFORO_COMMON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The room that a member needs at the most whose name has that many bytes: with a number or a
 * boolean, and with a string of `len` bytes, each of which may be escaped. */
#define JSON_NUMBER_MAX(name_len) ((name_len) + 24)
#define JSON_TEXT_MAX(name_len, len) ((name_len) + 6 * (len) + 6)

struct json {
    char *text; /* always NUL-terminated */
    size_t len, cap;
    bool follows; /* the next member or item has one before it */
};

/* An empty text in buf (cap > 0). */
struct json json_begin(char *buf, size_t cap);
/* Ends it with a line end. */
void json_end(struct json *json);

/* Each of these adds a member called `name`, which is ASCII without quotes; in an array, and for
 * the whole text, an item: name is NULL. */
void json_object(struct json *json, const char *name); /* up to its json_object_end */
void json_object_end(struct json *json);
void json_array(struct json *json, const char *name); /* up to its json_array_end */
void json_array_end(struct json *json);
void json_number(struct json *json, const char *name, int64_t number);
void json_count(struct json *json, const char *name, uint64_t count);
void json_boolean(struct json *json, const char *name, bool value);
void json_text(struct json *json, const char *name, const char *value);

#endif
