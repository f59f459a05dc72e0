/* What libjansson says of a text: whether it is right, and where the values are that stand under a
 * path. Its limits are other ones, and are told apart exactly: it refuses numbers that no double
 * holds and NUL in names (both are made harmless in a copy of the same length), it passes over a
 * byte 0 behind a number (RFC 8259 has that byte nowhere), and of members that are there twice it
 * keeps the last: so it reads one member at a time here. Any failure aborts. */
#ifndef AFORO_TESTS_JSON_REFERENCE_H
#define AFORO_TESTS_JSON_REFERENCE_H

#include "tests/fuzz/check.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#define SIZE_MAX_READ 4096
#define TRIES_MAX (2 * SIZE_MAX_READ)
#define MEMBERS_MAX (SIZE_MAX_READ / 4) /* "":1, */
#define SPLITS 4

/* A text, and a copy of it that libjansson can read. */
struct pair {
    const char *text;
    char *tame;
    size_t len;
};

/* Where a value, or a name, begins and ends. */
struct extent {
    size_t start, end;
};

static size_t skip_blanks(const struct pair *pair, size_t at) {
    while (at < pair->len && pair->tame[at] != '\0' && strchr(" \t\r\n", pair->tame[at]) != NULL) {
        at++;
    }
    return at;
}

/* An escape of NUL becomes one of another character: neither is more right than the other. */
static void tame_nuls(struct pair *pair) {
    for (size_t at = 0; at + 6 <= pair->len; at++) {
        if (memcmp(pair->tame + at, "\\u0000", 6) == 0) {
            pair->tame[at + 5] = '1';
        }
    }
}

static size_t pass_bytes(const char *text, size_t at, size_t len, const char *bytes) {
    while (at < len && text[at] != '\0' && strchr(bytes, text[at]) != NULL) {
        at++;
    }
    return at;
}

/* Whether text[0..len) is one number, by the grammar of RFC 8259. */
static bool is_number(const char *text, size_t len) {
    static const char digits[] = "0123456789";
    size_t at = len > 0 && text[0] == '-';
    const size_t whole = pass_bytes(text, at, len, digits);
    if (whole == at || (text[at] == '0' && whole > at + 1)) {
        return false;
    }
    at = whole;
    if (at < len && text[at] == '.') {
        const size_t end = pass_bytes(text, at + 1, len, digits);
        if (end == at + 1) {
            return false;
        }
        at = end;
    }
    if (at < len && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        at += at < len && (text[at] == '+' || text[at] == '-');
        const size_t end = pass_bytes(text, at, len, digits);
        if (end == at) {
            return false;
        }
        at = end;
    }
    return at == len;
}

/* The number that ends at `end` becomes one that a double holds: its point behind the first digit,
 * zeros from there on. False when what stands there, up to the next byte that no number has, is
 * more than one number: that is wrong wherever it stands. */
static bool tame_number(struct pair *pair, size_t end) {
    static const char bytes[] = "0123456789+-.eE";
    size_t start = end;
    while (start > 0 && pair->tame[start - 1] != '\0' &&
           strchr(bytes, pair->tame[start - 1]) != NULL) {
        start--;
    }
    end = pass_bytes(pair->tame, end, pair->len, bytes);
    if (!is_number(pair->tame + start, end - start)) {
        return false;
    }
    size_t at = start + (pair->tame[start] == '-') + 1;
    bool pointed = at + 1 < end && pass_bytes(pair->tame, at, at + 2, "0123456789") == at + 2;
    if (pointed) {
        pair->tame[at++] = '.';
    }
    for (; at < end; at++) {
        const bool point = !pointed && pair->tame[at] == '.';
        if (!point && strchr("eE+-", pair->tame[at]) == NULL) {
            pair->tame[at] = '0';
        }
        pointed |= point;
    }
    check(is_number(pair->tame + start, end - start));
    return true;
}

static json_t *load_tame(struct pair *pair) {
    json_error_t error;
    if (memchr(pair->text, '\0', pair->len) != NULL) {
        return NULL;
    }
    tame_nuls(pair);
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        json_t *tree = json_loadb(pair->tame, pair->len, JSON_DECODE_INT_AS_REAL, &error);
        if (tree || json_error_code(&error) != json_error_numeric_overflow) {
            return tree;
        }
        if (!tame_number(pair, (size_t)error.position)) {
            return NULL;
        }
    }
    check(false);
    return NULL;
}

/* How deep the brackets of a right text go. */
static int measure_depth(const struct pair *pair) {
    int depth = 0, deepest = 0;
    bool quoted = false;
    for (size_t at = 0; at < pair->len; at++) {
        const char byte = pair->tame[at];
        if (quoted && byte == '\\') {
            at++;
        } else if (byte == '"') {
            quoted = !quoted;
        } else if (!quoted) {
            depth += (byte == '{' || byte == '[') - (byte == '}' || byte == ']');
            deepest = depth > deepest ? depth : deepest;
        }
    }
    return deepest;
}

/* One value of a right text, from `text` (the text, or the copy); *end is behind it. */
static json_t *load_one(const struct pair *pair, const char *text, size_t at, size_t *end) {
    json_error_t error;
    json_t *value = json_loadb(text + at, pair->len - at,
                               JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL |
                                   JSON_DECODE_INT_AS_REAL,
                               &error);
    check(value != NULL);
    *end = at + (size_t)error.position;
    return value;
}

/* The members of one object, split once for all fields that are looked for. */
struct members {
    size_t at, n;
    json_t *name[MEMBERS_MAX];
    struct extent value[MEMBERS_MAX];
};

static struct members splits[SPLITS];
static unsigned splits_used;

static void forget_splits(void) {
    for (unsigned i = 0; i < splits_used; i++) {
        for (size_t m = 0; m < splits[i].n; m++) {
            json_decref(splits[i].name[m]);
        }
    }
    splits_used = 0;
}

static void split(const struct pair *pair, size_t at, struct members *members) {
    check(pair->tame[at] == '{');
    members->at = at;
    members->n = 0;
    at = skip_blanks(pair, at + 1);
    while (pair->tame[at] != '}') {
        size_t end;
        struct extent *value = &members->value[members->n];
        check(members->n < MEMBERS_MAX);
        members->name[members->n++] = load_one(pair, pair->text, at, &end);
        at = skip_blanks(pair, end);
        check(pair->tame[at] == ':');
        value->start = skip_blanks(pair, at + 1);
        json_decref(load_one(pair, pair->tame, value->start, &value->end));
        at = skip_blanks(pair, value->end);
        if (pair->tame[at] == ',') {
            at = skip_blanks(pair, at + 1);
        }
    }
}

static const struct members *split_once(const struct pair *pair, size_t at) {
    for (unsigned i = 0; i < splits_used; i++) {
        if (splits[i].at == at) {
            return &splits[i];
        }
    }
    if (splits_used == SPLITS) {
        forget_splits();
    }
    split(pair, at, &splits[splits_used]);
    return &splits[splits_used++];
}

/* The first member of that name, of the object at `at`, unless it is null. */
static bool find_member(const struct pair *pair, size_t at, const char *name, size_t name_len,
                        struct extent *found) {
    const struct members *members = split_once(pair, at);
    for (size_t i = 0; i < members->n; i++) {
        if (json_string_length(members->name[i]) == name_len &&
            memcmp(json_string_value(members->name[i]), name, name_len) == 0) {
            *found = members->value[i];
            return pair->tame[found->start] != 'n';
        }
    }
    return false;
}

/* How many members of that name the object at `at` has. */
static unsigned count_members(const struct pair *pair, size_t at, const char *name) {
    const struct members *members = split_once(pair, at);
    unsigned n = 0;
    for (size_t i = 0; i < members->n; i++) {
        n += json_string_length(members->name[i]) == strlen(name) &&
             memcmp(json_string_value(members->name[i]), name, strlen(name)) == 0;
    }
    return n;
}

static bool find_path(const struct pair *pair, size_t at, const char *path, struct extent *found) {
    for (;;) {
        const size_t len = strcspn(path, ".");
        if (!find_member(pair, at, path, len, found)) {
            return false;
        }
        if (path[len] == '\0') {
            return true;
        }
        at = found->start;
        path += len + 1;
        if (pair->tame[at] != '{') {
            return false;
        }
    }
}

#endif
