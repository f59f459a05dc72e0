/* A text that grows as it is written, and escapes foreign values: a key may contain any bytes, and
 * none of them may end a row, leave its quotes or reach a terminal as a command. No I/O. */
#ifndef AFORO_VIEW_TEXT_H
#define AFORO_VIEW_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One thread per text. All zeros is an empty text. */
struct text {
    char *bytes; /* len of them; no NUL is added */
    size_t len, cap;
    bool failed; /* out of memory: nothing more is added */
};

/* Makes room for n more bytes and returns it; the caller writes them and adds to len. NULL when out
 * of memory. */
char *text_room(struct text *text, size_t n);
void text_add(struct text *text, const char *bytes, size_t len);
void text_add_string(struct text *text, const char *string); /* NUL-terminated */
void text_free(struct text *text);                           /* leaves it empty */

/* Adds a value among others on a line. It stays as it is if it is printable ASCII without blanks,
 * quotes, backslashes, commas and equals signs, does not begin with a parenthesis or bracket, and
 * is not "-". Otherwise it goes in double quotes, with \" and \\, and \x1b for every byte that is
 * not printable ASCII. */
void text_add_plain(struct text *text, const char *value, size_t len);

/* Adds a CSV cell, quoted as RFC 4180 says. Characters stay as they are; control characters (except
 * tab and line ends) and bytes that are not UTF-8 become \xNN, and a backslash before an x becomes
 * \x5c, so that \xNN can be undone. */
void text_add_cell(struct text *text, const char *value, size_t len);

/* Adds a JSON string with its quotes. Bytes that are not UTF-8 become \xNN as in a cell. */
void text_add_json(struct text *text, const char *value, size_t len);

/* Adds a JSON number if the value is written as one whose magnitude is below 2^53 (decimals are not
 * considered), else a JSON string. */
void text_add_json_number(struct text *text, const char *value, size_t len);

/* Undoes \xNN of a cell in place and returns the new length. */
size_t text_unescape_cell(char *value, size_t len);

#endif
