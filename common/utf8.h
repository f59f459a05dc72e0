/* UTF-8 as RFC 3629 defines it: shortest forms only, no surrogates, nothing above U+10FFFF. Pure,
 * any thread. */
#ifndef AFORO_COMMON_UTF8_H
#define AFORO_COMMON_UTF8_H

#include <stddef.h>

/* The length of the longest prefix of text[0..len) that is valid UTF-8; len when all of it is. */
size_t utf8_length(const char *text, size_t len);

/* The length of the first character of text[0..len), len >= 1, when it is safe to print: valid
 * UTF-8 and not a control character (C0, DEL, C1). Otherwise 0. */
size_t utf8_printable(const char *text, size_t len);

/* The same, but 0 as well for a character that is invisible itself and may change how its
 * neighbours are shown: reverse the order of a line (U+202E), hide a part of it, or end it. These
 * are Unicode's categories Cf, Zl and Zp. */
size_t utf8_visible(const char *text, size_t len);

#define UTF8_SHOWN_MAX 5 /* bytes that utf8_show writes, with the NUL */

/* Writes what stands for the beginning of text[0..len), len >= 1, on a terminal or in a log: its
 * first character if that is visible (utf8_visible), else its first byte as \x1b. Returns how many
 * bytes of text that was. */
size_t utf8_show(const char *text, size_t len, char out[UTF8_SHOWN_MAX]);

#endif
