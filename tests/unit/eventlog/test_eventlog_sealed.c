/* Sealed files: what is written is read; cut at any byte or with any bit changed, what is whole is
 * read and what is not is named. */
#include "eventlog/crc32c.h"
#include "tests/unit/eventlog/log_lab.h"

#include <zstd.h>

#define FIRST 101
#define RECORDS 60
#define LINE 20000 /* bytes of filling, so that the file has several blocks */

static int dir_fd;
static struct given given;
static unsigned char *bytes;
static size_t len;

static bool take_lines(void *cls, const struct sealed_lines *lines) {
    struct given *its = cls;
    for (uint32_t i = 0; i < lines->head->records; i++) {
        ck_assert_uint_eq(its->seen[lines->head->first + i] & 1, 0);
        its->seen[lines->head->first + i] |= 1;
    }
    its->records += lines->head->records;
    return true;
}

static void take_damage(void *cls, const struct sealed_damage *damage) {
    given_name(cls, damage->first, damage->last);
}

static void read_bytes(const unsigned char *from, size_t n, uint64_t next) {
    memset(&given, 0, sizeof given);
    const struct sealed_file file = {from, n, FIRST, next, INT64_MIN, INT64_MAX, "node", 3, false};
    const struct sealed_taker taker = {take_lines, take_damage, &given};
    ck_assert(sealed_read(&file, &taker));
}

/* Each record is either given or named, never both, and none is beside them. */
static void must_account_for_all(uint64_t n) {
    for (uint64_t i = 0; i < sizeof given.seen / sizeof *given.seen; i++) {
        const bool ours = i >= FIRST && i < FIRST + n;
        if (ours || !given.open_end) {
            DEMAND(given.seen[i] == 0 ? !ours : ours && given.seen[i] != 3,
                   "record %" PRIu64 ": %d", i, (int)given.seen[i]);
        }
    }
}

static void seal_lines(unsigned records, size_t filler) {
    struct packer packer = {0};
    struct seal seal = {.dir_fd = dir_fd, .node = "node", .shard = 3, .packer = &packer};
    char why[SEAL_WHY_MAX] = "", name[FILES_NAME_MAX], path[PATH_MAX_TEST];
    lab_write_tail(dir_fd, FIRST, records, filler);
    ck_assert_msg(seal_file(&seal, FIRST, why), "%s", why);
    packer_end(&packer);
    files_name(&(const struct log_file){FIRST, true}, name);
    state_path(name, path);
    free(bytes);
    bytes = lab_slurp(path, &len);
}

static void set_up(void) {
    state_dir_make();
    dir_fd = open(state_dir, O_RDONLY | O_DIRECTORY);
    seal_lines(RECORDS, LINE);
}

static void tear_down(void) {
    close(dir_fd);
    free(bytes);
    bytes = NULL;
    state_dir_remove();
}

START_TEST(checksum_is_the_known_one) {
    ck_assert_uint_eq(crc32c("123456789", 9), 0xe3069283);
    ck_assert_uint_eq(crc32c("", 0), 0);
    for (size_t at = 0; at < 9; at++) { /* the processor's, and the table's, at any place */
        for (size_t n = 0; n < 40; n++) {
            ck_assert_uint_eq(crc32c(bytes + at, n), crc32c_plain(bytes + at, n));
        }
    }
}
END_TEST

START_TEST(what_is_written_is_read) {
    read_bytes(bytes, len, 0);
    ck_assert_uint_eq(given.records, RECORDS);
    ck_assert_uint_eq(given.damages, 0);
    uint64_t next, digest;
    ck_assert(sealed_find_end(bytes, len, FIRST, &next, &digest));
    ck_assert_uint_eq(next, FIRST + RECORDS);
    struct block_head end;
    ck_assert(block_decode(bytes + len - BLOCK_HEAD_BYTES, BLOCK_HEAD_BYTES, &end));
    ck_assert_uint_eq(end.after, digest);
    ck_assert_uint_eq(end.flags, BLOCK_END);
}
END_TEST

START_TEST(the_header_says_what_is_in_the_block) {
    struct block_head head;
    ck_assert(block_decode(bytes, len, &head));
    ck_assert_str_eq(head.node, "node");
    ck_assert_uint_eq(head.shard, 3);
    ck_assert_uint_eq(head.first, FIRST);
    ck_assert_uint_gt(head.records, 1);
    ck_assert_uint_lt(head.records, RECORDS); /* there are several blocks */
    ck_assert_uint_le(head.text_bytes, SEAL_BLOCK_BYTES);
    ck_assert_int_eq(head.min_us, T0 + FIRST * 10000);
    ck_assert_int_eq(head.max_us, T0 + (FIRST + head.records - 1) * 10000);
}
END_TEST

START_TEST(zstd_reads_it_without_us) {
    const size_t cap = 4 << 20;
    char *text = malloc(cap);
    const size_t n = ZSTD_decompress(text, cap, bytes, len);
    ck_assert(!ZSTD_isError(n));
    unsigned lines = 0;
    for (size_t i = 0; i < n; i++) {
        lines += text[i] == '\n';
    }
    ck_assert_uint_eq(lines, RECORDS);
    ck_assert(strncmp(text, "{\"time\":\"2016-05-28T11:11:12.010000Z\",\"lag_us\":7,\"line\":\"",
                      57) == 0);
    free(text);
}
END_TEST

START_TEST(blocks_of_another_time_are_passed_over) {
    struct block_head head;
    ck_assert(block_decode(bytes, len, &head));
    memset(&given, 0, sizeof given);
    bytes[BLOCK_HEAD_BYTES + 9] ^= 1; /* would be damage, were it unpacked */
    const struct sealed_file file = {bytes,     len,  FIRST, 0,    head.max_us + 1,
                                     INT64_MAX, NULL, 0,     false};
    const struct sealed_taker taker = {take_lines, take_damage, &given};
    ck_assert(sealed_read(&file, &taker));
    ck_assert_uint_eq(given.damages, 0);
    ck_assert_uint_eq(given.records, RECORDS - head.records);
}
END_TEST

START_TEST(cut_at_every_byte) {
    seal_lines(200, 0);
    for (size_t cut = 0; cut < len; cut++) {
        read_bytes(bytes, cut, FIRST + 200);
        DEMAND(given.damages > 0, "cut at %zu is not seen", cut);
        must_account_for_all(200);
        read_bytes(bytes, cut, 0);
        DEMAND(given.damages > 0 && (given.records == 0 || given.records == 200),
               "cut at %zu is not seen", cut);
    }
}
END_TEST

START_TEST(cut_within_several_blocks) {
    for (size_t cut = 0; cut < len; cut += cut % 4096 < 300 ? 1 : 211) {
        read_bytes(bytes, cut, FIRST + RECORDS);
        DEMAND(given.damages > 0, "cut at %zu is not seen", cut);
        must_account_for_all(RECORDS);
    }
}
END_TEST

START_TEST(every_bit_flipped) {
    seal_lines(200, 0);
    for (size_t bit = 0; bit < len * 8; bit += 2 * CHECK_EVERY - 1) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        read_bytes(bytes, len, FIRST + 200);
        DEMAND(given.damages > 0, "bit %zu is not seen", bit);
        must_account_for_all(200);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
}
END_TEST

START_TEST(bits_flipped_in_several_blocks) {
    uint64_t random = 1;
    for (int i = 0; i < CHECK_TURNS(1500); i++) {
        const size_t bit = next_random(&random) % (len * 8);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        read_bytes(bytes, len, 0);
        DEMAND(given.damages > 0 && given.records < RECORDS + 1, "bit %zu is not seen", bit);
        DEMAND(given.records > 0, "bit %zu: the other blocks are not read", bit);
        if (!given.open_end) {
            must_account_for_all(RECORDS);
        }
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
}
END_TEST

START_TEST(numbers_go_on_behind_a_damaged_end) {
    uint64_t next, digest;
    for (size_t cut = 0; cut < len; cut += 997) {
        ck_assert(!sealed_find_end(bytes, cut, FIRST, &next, &digest));
        ck_assert_uint_gt(next, FIRST + RECORDS);
    }
}
END_TEST

#define FIXTURE                                                                                    \
    { .timeout_s = 300, .set_up = set_up, .tear_down = tear_down }

CHECK_MAIN_WITH(FIXTURE, "eventlog_sealed", checksum_is_the_known_one, what_is_written_is_read,
                the_header_says_what_is_in_the_block, zstd_reads_it_without_us,
                blocks_of_another_time_are_passed_over, cut_at_every_byte,
                cut_within_several_blocks, every_bit_flipped, bits_flipped_in_several_blocks,
                numbers_go_on_behind_a_damaged_end)
