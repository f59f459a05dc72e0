#include "common/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void put(struct json *json, const char *bytes, size_t len) {
    const size_t room = json->cap - json->len - 1;
    const size_t n = len < room ? len : room;
    memcpy(json->text + json->len, bytes, n);
    json->len += n;
    json->text[json->len] = '\0';
}

static void put_string(struct json *json, const char *value) {
    put(json, "\"", 1);
    for (; *value; value++) {
        const unsigned char c = (unsigned char)*value;
        char escaped[8];
        if (c == '"' || c == '\\') {
            put(json, (const char[]){'\\', (char)c}, 2);
        } else if (c < 0x20 || c == 0x7f) {
            put(json, escaped, (size_t)snprintf(escaped, sizeof escaped, "\\u%04x", c));
        } else {
            put(json, value, 1);
        }
    }
    put(json, "\"", 1);
}

/* Writes what precedes a value: comma and name. */
static void begin_value(struct json *json, const char *name) {
    if (json->follows) {
        put(json, ",", 1);
    }
    json->follows = true;
    if (name) {
        put_string(json, name);
        put(json, ":", 1);
    }
}

static void open_bracket(struct json *json, const char *name, const char *bracket) {
    begin_value(json, name);
    put(json, bracket, 1);
    json->follows = false;
}

static void close_bracket(struct json *json, const char *bracket) {
    put(json, bracket, 1);
    json->follows = true;
}

struct json json_begin(char *buf, size_t cap) {
    buf[0] = '\0';
    return (struct json){.text = buf, .cap = cap};
}

void json_end(struct json *json) {
    put(json, "\n", 1);
}

void json_object(struct json *json, const char *name) {
    open_bracket(json, name, "{");
}

void json_object_end(struct json *json) {
    close_bracket(json, "}");
}

void json_array(struct json *json, const char *name) {
    open_bracket(json, name, "[");
}

void json_array_end(struct json *json) {
    close_bracket(json, "]");
}

void json_number(struct json *json, const char *name, int64_t number) {
    char digits[24];
    begin_value(json, name);
    put(json, digits, (size_t)snprintf(digits, sizeof digits, "%" PRId64, number));
}

void json_count(struct json *json, const char *name, uint64_t count) {
    char digits[24];
    begin_value(json, name);
    put(json, digits, (size_t)snprintf(digits, sizeof digits, "%" PRIu64, count));
}

void json_boolean(struct json *json, const char *name, bool value) {
    begin_value(json, name);
    put(json, value ? "true" : "false", value ? 4 : 5);
}

void json_text(struct json *json, const char *name, const char *value) {
    begin_value(json, name);
    put_string(json, value);
}
