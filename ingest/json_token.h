/* The tokens of a JSON text: strings, numbers, literals and the blanks between them, each checked
 * against RFC 8259. No byte beyond the text is read. Pure, any thread. */
#ifndef AFORO_INGEST_JSON_TOKEN_H
#define AFORO_INGEST_JSON_TOKEN_H

#include "ingest/json_scan.h"

/* A text, and where to report what is wrong with it. */
struct json_source {
    struct scan_text scan;
    char *why;  /* RECORD_WHY_MAX; NULL: no explanation is wanted */
    char *room; /* where the next string with escapes is decoded */
    size_t room_len;
    bool is_lines; /* a line end does not count as a blank */
};

/* text[0..len) stays the caller's and must remain valid. */
void json_source_begin(struct json_source *source, const char *text, size_t len, char *why);

struct json_string {
    const char *text; /* between the quotes */
    size_t len;
    bool escaped;
    size_t decoded_len; /* if escaped: its decoded length; more than room_len when it did not fit */
};

/* The reading functions below take the place where they start and return where they stopped, or
 * NULL after writing `why`. */

/* Explains that something else was expected at a place. Always NULL. */
const char *json_fail(struct json_source *source, const char *expected, const char *at);

/* Reads a string from its opening quote; one with escapes is decoded into the source's room. */
const char *json_read_string(struct json_source *source, const char *at,
                             struct json_string *string);

/* Reads a number from its sign or first digit. */
const char *json_read_number(struct json_source *source, const char *at);

/* Reads true, false or null: exactly these bytes. */
const char *json_read_literal(struct json_source *source, const char *at, const char *literal);

/* The end of the blanks that begin at a place. */
const char *json_pass_blanks(const struct json_source *source, const char *at);

/* The byte at a place; at the end of the text 0, which never occurs in JSON. */
static inline char json_byte(const struct json_source *source, const char *at) {
    return at < source->scan.end ? *at : '\0';
}

/* Skips blanks; *byte is the byte that follows them, as from json_byte. */
static inline const char *json_skip_blanks(const struct json_source *source, const char *at,
                                           char *byte) {
    *byte = json_byte(source, at);
    if (__builtin_expect((unsigned char)*byte <= ' ', false)) {
        at = json_pass_blanks(source, at);
        *byte = json_byte(source, at);
    }
    return at;
}

#endif
