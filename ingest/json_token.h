/* The words of a JSON text: strings, numbers, literals, the blanks between them; each checked as
 * RFC 8259 has it. No byte beyond the text is read. Pure; any thread. */
#ifndef AFORO_INGEST_JSON_TOKEN_H
#define AFORO_INGEST_JSON_TOKEN_H

#include "ingest/json_scan.h"

/* A text, and where to say what is wrong with it. */
struct json_source {
    struct scan_text scan;
    char *why;  /* RECORD_WHY_MAX; NULL: nobody asks */
    char *room; /* for the next string that has escapes, decoded */
    size_t room_len;
    bool is_lines; /* a line end is no blank */
};

/* text[0..len) stays the caller's. */
void json_source_begin(struct json_source *source, const char *text, size_t len, char *why);

struct json_string {
    const char *text; /* between the quotes */
    size_t len;
    bool escaped;
    size_t decoded_len; /* when escaped: bytes in the room; more than it has when it is too small */
};

/* The functions that read take the place where they begin, and return where they ended; NULL after
 * they have said why. */

/* Says what was expected at a place. NULL. */
const char *json_fail(struct json_source *source, const char *expected, const char *at);

/* A string, from its quote on; one with escapes is decoded into the source's room. */
const char *json_read_string(struct json_source *source, const char *at,
                             struct json_string *string);

/* A number, from its sign or first digit on. */
const char *json_read_number(struct json_source *source, const char *at);

/* true, false or null: exactly these bytes. */
const char *json_read_literal(struct json_source *source, const char *at, const char *literal);

/* Where the blanks end that begin at a place. */
const char *json_pass_blanks(const struct json_source *source, const char *at);

/* The byte at a place; 0, which JSON has nowhere, at the end. */
static inline char json_byte(const struct json_source *source, const char *at) {
    return at < source->scan.end ? *at : '\0';
}

/* Passes over blanks; *byte is what follows, as json_byte has it. */
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
