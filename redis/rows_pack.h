/* Rows as bytes: those that a call of rows.lua sends, and those that a node's part in the hash
 * consists of. Numbers are little-endian. Pure, one thread.
 *
 *   a call
 *     fields    of the window's hash, for each row that of its part and those of its components:
 *               length (2)  field
 *     numbers   for each row: events  components, and for each component the number of its name in
 *               the call, or ROWS_AS_BEFORE: the same as in the row before; then for each its
 *               value, signed; for ROWS_HLL and ROWS_BLOB the length of their bytes;    7 each
 *     bytes     of those components, one after another
 *   a part      W (1)  events (7)  for each: number of its name in the window (2)  value (W) */
#ifndef AFORO_REDIS_ROWS_PACK_H
#define AFORO_REDIS_ROWS_PACK_H

#include "redis/rows.h"

#include <stdbool.h>

#define ROWS_NAMES_MAX 16384 /* components of one window */
#define ROWS_BYTES_MAX 65536 /* bytes of one ROWS_HLL or ROWS_BLOB */
#define ROWS_CALL_FIELDS 500 /* a call that has this many takes no further row */
#define ROWS_CALL_HLLS 64    /* likewise */
#define ROWS_CALL_BOARDS 16  /* likewise */
#define ROWS_AS_BEFORE (-1)
#define ROWS_VALUE_MAX (INT64_C(1) << 53)

/* A growing buffer. */
struct rows_bytes {
    char *bytes;
    size_t len, cap;
};

/* The words of one call while it is built; all zeros is an empty one. */
struct rows_call {
    const char *node;
    struct rows_bytes names, hash_fields, numbers, bytes;
    struct rows_bytes keys;    /* of HyperLogLogs and boards, each NUL-terminated */
    struct rows_bytes name_at; /* size_t[]: offset of each name in names */
    struct rows_bytes shape;   /* size_t[]: component numbers of the row before */
    struct rows_bytes next;    /* the same for the row being added */
    size_t hlls, boards, rows, fields;
    size_t guess; /* number of the name expected next, since rows are alike */
};

/* Empties a call but keeps its memory. `node` stays the caller's and must remain valid. */
void rows_call_begin(struct rows_call *call, const char *node);
void rows_call_free(struct rows_call *call);

/* Whether another row fits. */
bool rows_call_has_room(const struct rows_call *call);

/* Whether rows.lua keeps a score board for the component. */
bool rows_has_board(const struct rows_component *component);

/* Whether a row can be sent: no value, name or key is too large. */
bool rows_row_is_valid(const struct rows_row *row);

/* Adds a row; a key must not occur twice in one call. False when memory runs out or the row is
 * invalid; the call must then not be sent. */
bool rows_call_add(struct rows_call *call, const char *window_key, const struct rows_row *row);

/* A window's "names", parsed: the component with each number. */
struct rows_names {
    size_t n;
    struct rows_name {
        char rule;        /* enum rows_rule */
        const char *name; /* len bytes, and a NUL */
        size_t len;
    } * name;
    char *memory;
};

/* Parses text[0..len) into *names, which the caller frees with rows_names_free. False when it is
 * not a list of names, or memory runs out. */
bool rows_names_read(const char *text, size_t len, struct rows_names *names);
void rows_names_free(struct rows_names *names);

/* Parses a row of a node's part from bytes[0..len) into *count, *n and component[names->n], whose
 * names belong to `names`. False when it is malformed. */
bool rows_part_read(const char *bytes, size_t len, const struct rows_names *names, uint64_t *count,
                    size_t *n, struct rows_component *component);

/* Parses a number as stored in a total: digits and perhaps a sign; at most 2^53 in absolute
 * value. */
bool rows_number_read(const char *text, size_t len, int64_t *number);

/* The same for a total that nodes add to: beyond 2^53, which each of them stays below, it is no
 * longer exact, and *number is ROWS_VALUE_UNKNOWN. */
bool rows_total_read(const char *text, size_t len, int64_t *number);

/* Appends bytes. False when memory runs out. */
bool rows_bytes_put(struct rows_bytes *bytes, const void *more, size_t len);

/* Identifies data with a key of their own beside the window's: a component of a row. Neither string
 * is NUL-terminated. key_len 0: a report without `by`. */
struct rows_beside {
    const char *name, *key;
    size_t name_len, key_len;
};

/* Appends the name of that key, without a NUL. False when memory runs out. */
bool rows_beside_put(struct rows_bytes *bytes, const char *window_key,
                     const struct rows_beside *beside);

#endif
