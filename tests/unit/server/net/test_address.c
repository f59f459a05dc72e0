#include "server/net/address.h"

#include "server/net/address_table.h"
#include "tests/unit/server/net/addresses.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

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

CHECK_MAIN("address", one_network_is_one_client, which_addresses_are_local)
