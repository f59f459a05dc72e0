/* A text that grows as it is written, and values of others within it: a key may hold any bytes, and
 * none of them may end a row, leave its quotes or reach a terminal as a command. No I/O. */
#ifndef AFORO_VIEW_TEXT_H
#define AFORO_VIEW_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One thread a text. Zeros are an empty one. */
struct text {
    char *bytes; /* len of them; no NUL is added */
    size_t len, cap;
    bool failed; /* out of memory: nothing is added any more */
};

/* Room for n more bytes, to be written by the caller, who then adds to len; NULL when out of
 * memory. */
char *text_room(struct text *text, size_t n);
void text_add(struct text *text, const char *bytes, size_t len);
void text_add_string(struct text *text, const char *string); /* NUL-terminated */
void text_free(struct text *text);                           /* it is empty then */

/* A value among others on a line: as it is when it is nothing but printable ASCII without blanks,
 * quotes, backslashes, commas, equals signs and a parenthesis or bracket at its beginning, and not
 * "-" alone; else in double quotes, with \" \\ and \x1b for every byte that is no printable ASCII.
 */
void text_add_plain(struct text *text, const char *value, size_t len);

/* A cell of a row, quoted as RFC 4180 says. Characters stay as they are; control characters (but
 * tab and line ends) and bytes that are not UTF-8 become \x1b, and a backslash before an x becomes
 * \x5c, so that \xNN can be undone. */
void text_add_cell(struct text *text, const char *value, size_t len);

/* A JSON string with its quotes. Bytes that are not UTF-8 as in a cell. */
void text_add_json(struct text *text, const char *value, size_t len);

/* A JSON number when the value is written as one whose magnitude is below 2^53 (its digits behind
 * the point are not looked at), else a JSON string. */
void text_add_json_number(struct text *text, const char *value, size_t len);

/* Undoes \xNN of a cell in place; the new length. */
size_t text_unescape_cell(char *value, size_t len);

#endif
