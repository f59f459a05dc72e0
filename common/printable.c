#include "common/printable.h"

#include <stdbool.h>
#include <stdint.h>

size_t utf8_printable(const char *text, size_t len) {
    const unsigned char *at = (const unsigned char *)text;
    if (at[0] < 0x80) {
        return at[0] >= 0x20 && at[0] != 0x7f;
    }
    const size_t n = at[0] >= 0xf5 || at[0] < 0xc2 ? 0 : at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (n == 0 || n > len) {
        return 0;
    }
    uint32_t character = at[0] & (0xffU >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
        character = character << 6 | (at[i] & 0x3fU);
    }
    static const uint32_t least[] = {0, 0, 0xa0, 0x800, 0x10000}; /* 0x80 to 0x9f are C1 */
    const bool surrogate = character >= 0xd800 && character < 0xe000;
    return character >= least[n] && character < 0x110000 && !surrogate ? n : 0;
}
