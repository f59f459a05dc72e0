#include "redis/schema.h"

#include "counters/time/civil.h"
#include "redis/fnv.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COUNT_MAX (UINT64_C(1) << 53) /* beyond it the scripts' doubles are inexact */

unsigned schema_group(const char *node, unsigned groups) {
    const uint32_t hash = fnv1a32(node);
    /* use both halves: node ids may differ in their last character only */
    return (hash ^ hash >> 16) % groups;
}

/* Appends a mark, unless it is NUL, and a number of `digits` digits. Reading hours of 10 ms windows
 * makes a key for each second and group of nodes, and snprintf took half of that time. */
static char *append_digits(char *at, char mark, int number, int digits) {
    if (mark) {
        *at++ = mark;
    }
    for (int i = digits; i-- > 0; number /= 10) {
        at[i] = (char)('0' + number % 10);
    }
    return at + digits;
}

size_t schema_chunk_key(enum resolution r, int64_t chunk, unsigned group, char *buf) {
    static const char prefix[] = "aforo:2:{";
    static_assert(SCHEMA_GROUPS_MAX <= 10, "a group is one digit");
    struct civil t;
    civil_from_us(chunk_start_us(r, chunk), &t);
    memcpy(buf, prefix, sizeof prefix - 1);
    char *at = stpcpy(buf + sizeof prefix - 1, resolution_table[r].name);
    at = append_digits(at, ':', t.year, 4);
    at = append_digits(at, '-', t.month, 2);
    at = append_digits(at, '-', t.day, 2);
    /* the time as precise as a chunk is wide: to the hour, minute or second */
    at = append_digits(at, 'T', t.hour, 2);
    at = r == RESOLUTION_1MIN ? at : append_digits(at, ':', t.minute, 2);
    at = r == RESOLUTION_10MS ? append_digits(at, ':', t.second, 2) : at;
    at = group ? append_digits(at, '#', (int)group, 1) : at;
    *at++ = '}';
    *at = '\0';
    return (size_t)(at - buf);
}

size_t schema_lease_key(const char *node, char *buf) {
    return (size_t)snprintf(buf, SCHEMA_KEY_MAX, "aforo:2:{node:%.63s}", node);
}

size_t schema_node_field(const char *node, char *buf) {
    return (size_t)snprintf(buf, SCHEMA_KEY_MAX, "n:%.63s", node);
}

size_t schema_left_field(const char *node, uint32_t owner, char *buf) {
    return (size_t)snprintf(buf, SCHEMA_KEY_MAX, "o:%" PRIu32 ":%.63s", owner, node);
}

#define HOUR_S 3600

int64_t schema_until_s(enum resolution r, int64_t chunk) {
    return (chunk_start_us(r, chunk) / US_PER_S / HOUR_S + 1) * HOUR_S + SCHEMA_OPEN_S;
}

int64_t schema_closable_hour(int64_t now_s) {
    return (now_s - 1 - SCHEMA_OPEN_S) / HOUR_S - 1;
}

void schema_field(uint32_t slot, char buf[3]) {
    buf[0] = (char)('0' + slot / 10 % 10);
    buf[1] = (char)('0' + slot % 10);
    buf[2] = '\0';
}

bool schema_slot(enum resolution r, const char *text, size_t len, uint32_t *slot) {
    if (len != 2 || text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9') {
        return false;
    }
    *slot = (uint32_t)(text[0] - '0') * 10 + (uint32_t)(text[1] - '0');
    return *slot < resolution_table[r].slots;
}

bool schema_count(const char *text, size_t len, uint64_t *count) {
    if (len == 0 || len > 16) {
        return false;
    }
    *count = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        *count = *count * 10 + (uint64_t)(text[i] - '0');
    }
    return *count <= COUNT_MAX;
}
