#include "server/net/address_table.h"

#include "server/net/address.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SETS_BITS 13
#define SETS (UINT64_C(1) << SETS_BITS)

struct address_table {
    _Alignas(64) address_word word[SETS][ADDRESS_TABLE_WAYS];
    uint64_t key[2];
};

struct address_table *address_table_new(void) {
    struct address_table *table = aligned_alloc(64, sizeof *table);
    if (!table) {
        return NULL;
    }
    memset(table, 0, sizeof *table);
    if (getrandom(table->key, sizeof table->key, 0) != (ssize_t)sizeof table->key) {
        free(table);
        return NULL;
    }
    return table;
}

void address_table_free(struct address_table *table) {
    free(table);
}

static uint64_t rotate(uint64_t x, int bits) {
    return x << bits | x >> (64 - bits);
}

static void do_sip_round(uint64_t v[4]) {
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32) + v[3];
    v[2] += v[1];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

uint64_t address_table_sip(const uint64_t key[2], uint64_t bytes) {
    uint64_t v[4] = {key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
                     key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)};
    const uint64_t words[2] = {bytes, UINT64_C(8) << 56}; /* the last word ends with the length */
    for (int i = 0; i < 2; i++) {
        v[3] ^= words[i];
        do_sip_round(v);
        do_sip_round(v);
        v[0] ^= words[i];
    }
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++) {
        do_sip_round(v);
    }
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t address_table_hash(const struct address_table *table, const struct sockaddr *address) {
    return address_table_sip(table->key, address_network(address));
}

address_word *address_table_set(struct address_table *table, uint64_t hash) {
    return table->word[hash & (SETS - 1)];
}

address_word *address_table_word(struct address_table *table, uint64_t hash) {
    return &address_table_set(table, hash)[hash >> SETS_BITS & (ADDRESS_TABLE_WAYS - 1)];
}
