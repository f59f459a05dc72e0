/* Rows as bytes: those that a call of rows.lua brings, and those that a node's part in the hash is
 * made of. Numbers are little-endian. Pure; by one thread.
 *
 *   a call
 *     fields    of the window's hash: of each row that of its part, and of each of its components:
 *               length (2)  field
 *     numbers   for each row: events  components, and for each of these the number of its name in
 *               the call, or ROWS_AS_BEFORE: those of the row before; then for each its value,
 *               signed: of ROWS_HLL and ROWS_BLOB the length of their bytes;    7 each
 *     bytes     of those, one after the other
 *   a part      W (1)  events (7)  for each: number of its name in the window (2)  value (W) */
#ifndef AFORO_REDIS_ROWS_PACK_H
#define AFORO_REDIS_ROWS_PACK_H

#include "redis/rows.h"

#include <stdbool.h>

#define ROWS_NAMES_MAX 16384 /* components of one window */
#define ROWS_BYTES_MAX 65536 /* of one ROWS_HLL or ROWS_BLOB */
#define ROWS_CALL_FIELDS 500 /* a call that has so many takes no further row */
#define ROWS_CALL_HLLS 64    /* the same */
#define ROWS_CALL_BOARDS 16  /* the same */
#define ROWS_AS_BEFORE (-1)
#define ROWS_VALUE_MAX (INT64_C(1) << 53)

/* Bytes that grow. */
struct rows_bytes {
    char *bytes;
    size_t len, cap;
};

/* The words of one call, as it is gathered; all zeros is an empty one. */
struct rows_call {
    const char *node;
    struct rows_bytes names, hash_fields, numbers, bytes;
    struct rows_bytes keys;    /* of HyperLogLogs and boards, NUL-terminated, one after the other */
    struct rows_bytes name_at; /* size_t[]: where each name begins in names */
    struct rows_bytes shape;   /* size_t[]: numbers of the components of the row before */
    struct rows_bytes next;    /* the same of the row that is being added */
    size_t hlls, boards, rows, fields;
    size_t guess; /* number of the name that comes next, as rows are alike */
};

/* Empties it, and keeps its memory. The node's name stays the caller's. */
void rows_call_begin(struct rows_call *call, const char *node);
void rows_call_free(struct rows_call *call);

/* Is there room for another row? */
bool rows_call_has_room(const struct rows_call *call);

/* Whether rows.lua keeps a score board of it. */
bool rows_has_board(const struct rows_component *component);

/* Can a row be sent? Not when a value, a name or a key is too large. */
bool rows_row_is_valid(const struct rows_row *row);

/* Adds a row; no key may come twice in one call. False when out of memory, or the row is not
 * valid. The call is then of no use. */
bool rows_call_add(struct rows_call *call, const char *window_key, const struct rows_row *row);

/* A window's "names", read: which belongs to which number. */
struct rows_names {
    size_t n;
    struct rows_name {
        char rule;        /* enum rows_rule */
        const char *name; /* len bytes, and a NUL */
        size_t len;
    } * name;
    char *memory;
};

/* text[0..len) -> *names, which the caller frees with rows_names_free. False when that is no list
 * of names, or out of memory. */
bool rows_names_read(const char *text, size_t len, struct rows_names *names);
void rows_names_free(struct rows_names *names);

/* A row of a node's part: bytes[0..len) -> *count, *n and component[names->n], whose names are
 * those of `names`. False when it is none. */
bool rows_part_read(const char *bytes, size_t len, const struct rows_names *names, uint64_t *count,
                    size_t *n, struct rows_component *component);

/* A number as it stands in a total: digits and perhaps a sign; at most 2^53. */
bool rows_number_read(const char *text, size_t len, int64_t *number);

/* Appends. False when out of memory. */
bool rows_bytes_put(struct rows_bytes *bytes, const void *more, size_t len);

/* What has a key of its own beside that of its window: a component of a row, neither with a NUL
 * behind it. key_len 0: of a report without `by`. */
struct rows_beside {
    const char *name, *key;
    size_t name_len, key_len;
};

/* Appends that key, without a NUL. False when out of memory. */
bool rows_beside_put(struct rows_bytes *bytes, const char *window_key,
                     const struct rows_beside *beside);

#endif
