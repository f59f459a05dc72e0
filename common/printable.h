/* Which bytes of a text of others are characters that may be shown as they are. Pure, any thread.
 */
#ifndef AFORO_COMMON_PRINTABLE_H
#define AFORO_COMMON_PRINTABLE_H

#include <stddef.h>

/* The length of the character at text[0..len), len >= 1, when it is UTF-8 in its shortest form, no
 * control character (C0, DEL, C1) and no half of a surrogate pair; else 0. */
size_t utf8_printable(const char *text, size_t len);

#endif
