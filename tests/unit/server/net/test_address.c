#include "server/net/address.h"

#include "server/net/address_limit.h"
#include "server/net/address_table.h"
#include "tests/unit/check_main.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

union address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

static union address address_at(const char *text, in_port_t port) {
    union address address;
    memset(&address, 0, sizeof address);
    if (strchr(text, ':')) {
        address.in6.sin6_family = AF_INET6;
        address.in6.sin6_port = port;
        ck_assert_int_eq(inet_pton(AF_INET6, text, &address.in6.sin6_addr), 1);
    } else {
        address.in.sin_family = AF_INET;
        address.in.sin_port = port;
        ck_assert_int_eq(inet_pton(AF_INET, text, &address.in.sin_addr), 1);
    }
    return address;
}

static const struct {
    const char *one, *other;
    bool same;
} pairs[] = {
    {"192.0.2.1", "192.0.2.1", true},
    {"192.0.2.1", "192.0.2.2", false},
    {"192.0.2.1", "::ffff:192.0.2.1", true},
    {"192.0.2.1", "::ffff:192.0.2.9", false},
    {"2001:db8::1", "2001:db8::ffff:1", true},
    {"2001:db8::1", "2001:db8:0:0:ffff::1", true},
    {"2001:db8::1", "2001:db8:0:1::1", false},
    {"2001:db8::1", "192.0.2.1", false},
    {"::1", "0.0.0.0", false},
};

START_TEST(one_network_is_one_client) {
    struct address_table *table = address_table_new();
    ck_assert_ptr_nonnull(table);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const union address one = address_at(pairs[i].one, 1),
                            other = address_at(pairs[i].other, 2);
        ck_assert_msg((address_network(&one.any) == address_network(&other.any)) == pairs[i].same,
                      "%s %s", pairs[i].one, pairs[i].other);
        ck_assert_msg((address_table_hash(table, &one.any) ==
                       address_table_hash(table, &other.any)) == pairs[i].same,
                      "%s %s", pairs[i].one, pairs[i].other);
    }
    address_table_free(table);
}
END_TEST

START_TEST(which_addresses_are_local) {
    static const struct {
        const char *text;
        bool local;
    } rows[] = {
        {"127.0.0.1", true}, {"127.255.0.9", true},      {"128.0.0.1", false},
        {"0.0.0.0", false},  {"192.0.2.127", false},     {"::1", true},
        {"::", false},       {"::ffff:127.9.9.9", true}, {"::ffff:10.0.0.127", false},
        {"7f00::1", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const union address address = address_at(rows[i].text, 80);
        ck_assert_msg(address_is_local(&address.any) == rows[i].local, "%s", rows[i].text);
    }
    const struct sockaddr unix_socket = {.sa_family = AF_UNIX};
    ck_assert(address_is_local(&unix_socket));
    ck_assert_uint_eq(address_network(&unix_socket), 0);
}
END_TEST

/* The first bytes of the published vectors: key 00 01 .. 0f, message 00 01 .. 07. */
START_TEST(the_hash_is_siphash) {
    const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    ck_assert_uint_eq(address_table_sip(key, UINT64_C(0x0706050403020100)),
                      UINT64_C(0x93f5f5799a932462));
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

START_TEST(no_client_has_more_connections_than_the_limit) {
    struct address_limit *limit = address_limit_new(2);
    ck_assert_ptr_nonnull(limit);
    const union address one = address_at("192.0.2.1", 1),
                        mapped = address_at("::ffff:192.0.2.1", 2);
    ck_assert(address_limit_admit(limit, &one.any));
    ck_assert(address_limit_admit(limit, &mapped.any));
    ck_assert(!address_limit_admit(limit, &one.any));
    ck_assert(!address_limit_admit(limit, &mapped.any));
    address_limit_release(limit, &one.any);
    ck_assert(address_limit_admit(limit, &mapped.any));
    ck_assert(!address_limit_admit(limit, &one.any));
    address_limit_free(limit);
    ck_assert(address_limit_admit(NULL, &one.any));
    address_limit_release(NULL, &one.any);
    address_limit_free(NULL);
}
END_TEST

CHECK_MAIN("address", one_network_is_one_client, which_addresses_are_local, the_hash_is_siphash,
           each_client_has_one_word_of_its_set, no_client_has_more_connections_than_the_limit)
