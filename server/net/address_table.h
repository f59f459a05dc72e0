/* A table of words by client (address.h), of a fixed size that does not depend on how many
 * addresses there are, spoofed or not. The hash is keyed with random bytes, so that nobody can
 * choose addresses that collide in one word or one set. Any thread; the words are shared, and their
 * meaning is up to the user of the table.
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

/* Makes a table of zeros. The caller frees with address_table_free. NULL when memory or random
 * bytes are not available. */
struct address_table *address_table_new(void);
void address_table_free(struct address_table *table); /* NULL is allowed */

/* The hash of a client; all 64 bits are well mixed. */
uint64_t address_table_hash(const struct address_table *table, const struct sockaddr *address);

/* The set of a client, ADDRESS_TABLE_WAYS words, chosen by the lowest 13 bits of its hash. */
address_word *address_table_set(struct address_table *table, uint64_t hash);

/* One word of that set, always the same for one client, chosen by the lowest 16 bits. Two clients
 * share a word by accident with a probability of 1 in 65,536. */
address_word *address_table_word(struct address_table *table, uint64_t hash);

/* SipHash-2-4 (Aumasson and Bernstein, 2012) of eight bytes. Pure; public for its test only. */
uint64_t address_table_sip(const uint64_t key[2], uint64_t bytes);

#endif
