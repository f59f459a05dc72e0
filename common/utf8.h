/* UTF-8 as RFC 3629 has it: the shortest form, no halves of pairs, nothing above U+10FFFF. Pure;
 * any thread. */
#ifndef AFORO_COMMON_UTF8_H
#define AFORO_COMMON_UTF8_H

#include <stddef.h>

/* The length of what is UTF-8 at the front of text[0..len): len when all of it is. */
size_t utf8_length(const char *text, size_t len);

/* The length of the character at text[0..len), len >= 1, when it may be shown as it is: UTF-8, and
 * no control character (C0, DEL, C1); else 0. */
size_t utf8_printable(const char *text, size_t len);

/* The same when it also leaves the characters around it as they are: 0 as well for what shows
 * nothing itself and may turn the order of a line around (U+202E), hide a part of it, or end it:
 * Unicode's categories Cf, Zl and Zp. */
size_t utf8_visible(const char *text, size_t len);

#endif
