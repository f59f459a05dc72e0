#include "server/net/address_table.h"

#include "server/net/address.h"
#include "tests/unit/check_main.h"
#include "tests/unit/server/net/no_random.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <unistd.h>

/* The first bytes of the published vectors: key 00 01 .. 0f, message 00 01 .. 07. */
START_TEST(the_hash_is_siphash) {
    const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    ck_assert_uint_eq(address_table_sip(key, UINT64_C(0x0706050403020100)),
                      UINT64_C(0x93f5f5799a932462));
}
END_TEST

START_TEST(each_bit_of_key_and_message_counts) {
    const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    const uint64_t whole = address_table_sip(key, 0);
    for (int bit = 0; bit < 64; bit++) {
        const uint64_t flip = UINT64_C(1) << bit;
        const uint64_t first[2] = {key[0] ^ flip, key[1]}, second[2] = {key[0], key[1] ^ flip};
        ck_assert_uint_ne(address_table_sip(key, flip), whole);
        ck_assert_uint_ne(address_table_sip(first, 0), whole);
        ck_assert_uint_ne(address_table_sip(second, 0), whole);
    }
}
END_TEST

START_TEST(each_client_has_one_word_of_its_set) {
    struct address_table *table = address_table_new();
    ck_assert_ptr_nonnull(table);
    bool used[ADDRESS_TABLE_WAYS] = {false};
    for (uint64_t hash = 0; hash < 65536; hash++) {
        address_word *set = address_table_set(table, hash);
        address_word *word = address_table_word(table, hash);
        ck_assert_uint_eq((uintptr_t)set % 64, 0);
        ck_assert(word >= set && word < set + ADDRESS_TABLE_WAYS);
        ck_assert_ptr_eq(word, address_table_word(table, hash | UINT64_C(1) << 63));
        used[word - set] = true;
        atomic_fetch_add(word, 1);
    }
    for (uint64_t hash = 0; hash < 65536; hash++) { /* all 65,536 hashes have different words */
        ck_assert_uint_eq(atomic_load(address_table_word(table, hash)), 1);
    }
    for (int i = 0; i < ADDRESS_TABLE_WAYS; i++) {
        ck_assert(used[i]);
    }
    address_table_free(table);
    address_table_free(NULL);
}
END_TEST

START_TEST(the_words_are_zero_and_the_key_is_new) {
    struct address_table *one = address_table_new(), *other = address_table_new();
    const struct sockaddr_in client = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(1)};
    const struct sockaddr *address = (const struct sockaddr *)&client;
    ck_assert(one && other);
    for (uint64_t hash = 0; hash < 65536; hash++) {
        DEMAND(atomic_load(address_table_word(one, hash)) == 0, "%d", (int)hash);
    }
    /* equal by accident once in 2^64 */
    ck_assert_uint_ne(address_table_hash(one, address), address_table_hash(other, address));
    ck_assert_uint_eq(address_table_hash(one, address), address_table_hash(one, address));
    address_table_free(one);
    address_table_free(other);
}
END_TEST

START_TEST(the_lowest_13_bits_choose_the_set) {
    struct address_table *table = address_table_new();
    ck_assert_ptr_nonnull(table);
    address_word *first = address_table_set(table, 0);
    ck_assert_ptr_eq(address_table_set(table, 8192), first);
    ck_assert_ptr_eq(address_table_set(table, 8191), first + 8191 * ADDRESS_TABLE_WAYS);
    ck_assert_ptr_eq(address_table_word(table, 0), first);
    ck_assert_ptr_eq(address_table_word(table, 8192), first + 1); /* the next three the word */
    ck_assert_ptr_eq(address_table_word(table, 65535), first + 65535);
    address_table_free(table);
}
END_TEST

START_TEST(memory_that_was_used_before_is_zero_again) {
    for (int turn = 0; turn < 5; turn++) {
        struct address_table *table = address_table_new();
        ck_assert_ptr_nonnull(table);
        for (uint64_t hash = 0; hash < 65536; hash++) {
            address_word *word = address_table_word(table, hash);
            DEMAND(atomic_load(word) == 0, "turn %d: word %d", turn, (int)hash);
            atomic_store(word, UINT64_MAX);
        }
        address_table_free(table);
    }
}
END_TEST

START_TEST(without_random_bytes_there_is_no_table) {
    no_random = true;
    ck_assert_ptr_null(address_table_new()); /* a sanitizer sees whether it is freed */
}
END_TEST

CHECK_MAIN("address_table", the_hash_is_siphash, each_bit_of_key_and_message_counts,
           each_client_has_one_word_of_its_set, the_words_are_zero_and_the_key_is_new,
           the_lowest_13_bits_choose_the_set, without_random_bytes_there_is_no_table,
           memory_that_was_used_before_is_zero_again)
