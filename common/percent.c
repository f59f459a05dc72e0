#include "common/percent.h"

static int read_digit(char byte) {
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    const char lower = (char)(byte | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

enum percent_outcome percent_read(struct percent *percent, char byte, char *decoded) {
    const int digit = read_digit(byte);
    if (digit < 0) {
        return PERCENT_BROKEN;
    }
    if (--percent->left == 1) {
        percent->high = (unsigned char)digit;
        return PERCENT_MORE;
    }
    *decoded = (char)(percent->high << 4 | digit);
    return PERCENT_DECODED;
}

bool percent_decode(const char *text, size_t len, char *out, size_t cap) {
    struct percent percent = {0};
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char decoded = text[i];
        if (percent.left > 0) {
            const enum percent_outcome outcome = percent_read(&percent, text[i], &decoded);
            if (outcome == PERCENT_BROKEN) {
                return false;
            }
            if (outcome == PERCENT_MORE) {
                continue;
            }
        } else if (text[i] == '%') {
            percent_begin(&percent);
            continue;
        }
        if (decoded == '\0' || n + 1 >= cap) {
            return false;
        }
        out[n++] = decoded;
    }
    if (percent.left > 0 || cap == 0) {
        return false;
    }
    out[n] = '\0';
    return true;
}
