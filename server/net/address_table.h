/* A table of words by client (address.h), of a fixed size that does not depend on how many
 * addresses there are, spoofed or not. The hash is keyed with random bytes: nobody outside can
 * choose addresses that meet in one word or one set. Any thread; the words are shared, and what
 * they hold is their user's matter.
 *
 *     8,192 sets, one cache line each: word word word word word word word word */
#ifndef AFORO_SERVER_NET_ADDRESS_TABLE_H
#define AFORO_SERVER_NET_ADDRESS_TABLE_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDRESS_TABLE_WAYS 8 /* words of a set */

typedef _Atomic uint64_t address_word;

struct address_table;

/* All words zero. NULL when out of memory or of random bytes. The caller frees. */
struct address_table *address_table_new(void);
void address_table_free(struct address_table *table); /* NULL is allowed */

/* The hash of a client: all of its 64 bits are well mixed. */
uint64_t address_table_hash(const struct address_table *table, const struct sockaddr *address);

/* The set of a client, by its hash: ADDRESS_TABLE_WAYS words. The lowest 13 bits choose it. */
address_word *address_table_set(struct address_table *table, uint64_t hash);

/* One word of that set, always the same for one client: by the lowest 16 bits. Two clients of
 * 65,536 share one by accident. */
address_word *address_table_word(struct address_table *table, uint64_t hash);

/* SipHash-2-4 of eight bytes. Pure; here for its test. */
uint64_t address_table_sip(const uint64_t key[2], uint64_t bytes);

#endif
