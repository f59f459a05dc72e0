#include "common/utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static bool is_tail(unsigned char byte) {
    return (byte & 0xc0) == 0x80;
}

/* The length of the non-ASCII character at the start of text[0..len); 0 when it is invalid. */
static size_t read_character(const unsigned char *text, size_t len) {
    const unsigned char first = text[0], second = len > 1 ? text[1] : 0;
    if (first < 0xc2 || first > 0xf4 || !is_tail(second)) {
        return 0;
    }
    if (first < 0xe0) {
        return 2;
    }
    if (len < 3 || !is_tail(text[2])) {
        return 0;
    }
    if (first < 0xf0) {
        const bool overlong = first == 0xe0 && second < 0xa0, half = first == 0xed && second > 0x9f;
        return overlong || half ? 0 : 3;
    }
    if (len < 4 || !is_tail(text[3])) {
        return 0;
    }
    const bool overlong = first == 0xf0 && second < 0x90, beyond = first == 0xf4 && second > 0x8f;
    return overlong || beyond ? 0 : 4;
}

size_t utf8_length(const char *text, size_t len) {
    const unsigned char *bytes = (const unsigned char *)text;
    size_t at = 0;
    while (at < len) {
        uint64_t eight;
        if (len - at >= sizeof eight) {
            memcpy(&eight, bytes + at, sizeof eight);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        const size_t n = bytes[at] < 0x80 ? 1 : read_character(bytes + at, len - at);
        if (n == 0) {
            return at;
        }
        at += n;
    }
    return len;
}

size_t utf8_printable(const char *text, size_t len) {
    const unsigned char *bytes = (const unsigned char *)text;
    if (bytes[0] < 0x80) {
        return bytes[0] >= 0x20 && bytes[0] != 0x7f;
    }
    const size_t n = read_character(bytes, len);
    const bool control = n == 2 && bytes[0] == 0xc2 && bytes[1] < 0xa0; /* C1 */
    return control ? 0 : n;
}

/* Unicode 15: first and last character of each run of Cf, Zl and Zp. */
static const uint32_t formats[][2] = {{0xad, 0xad},       {0x600, 0x605},     {0x61c, 0x61c},
                                      {0x6dd, 0x6dd},     {0x70f, 0x70f},     {0x890, 0x891},
                                      {0x8e2, 0x8e2},     {0x180e, 0x180e},   {0x200b, 0x200f},
                                      {0x2028, 0x202e},   {0x2060, 0x2064},   {0x2066, 0x206f},
                                      {0xfeff, 0xfeff},   {0xfff9, 0xfffb},   {0x110bd, 0x110bd},
                                      {0x110cd, 0x110cd}, {0x13430, 0x1343f}, {0x1bca0, 0x1bca3},
                                      {0x1d173, 0x1d17a}, {0xe0001, 0xe0001}, {0xe0020, 0xe007f}};

static uint32_t decode(const unsigned char *bytes, size_t n) {
    uint32_t character = bytes[0] & (0xffU >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        character = character << 6 | (bytes[i] & 0x3fU);
    }
    return character;
}

size_t utf8_visible(const char *text, size_t len) {
    const size_t n = utf8_printable(text, len);
    if (n < 2) {
        return n;
    }
    const uint32_t character = decode((const unsigned char *)text, n);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (character >= formats[i][0] && character <= formats[i][1]) {
            return 0;
        }
    }
    return n;
}

size_t utf8_show(const char *text, size_t len, char out[UTF8_SHOWN_MAX]) {
    const size_t n = utf8_visible(text, len);
    if (n == 0) {
        snprintf(out, UTF8_SHOWN_MAX, "\\x%02x", (unsigned char)*text);
        return 1;
    }
    memcpy(out, text, n);
    out[n] = '\0';
    return n;
}
