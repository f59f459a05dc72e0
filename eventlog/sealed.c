#include "eventlog/sealed.h"

#include "eventlog/crc32c.h"
#include "eventlog/line.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

/* When a damaged end hides how many records there were, numbers continue this far ahead. */
#define UNKNOWN_RECORDS (UINT64_C(1) << 32)

/* One reading. */
struct reading {
    const struct sealed_file *file;
    const struct sealed_taker *taker;
    uint64_t expected; /* sequence of the next record */
    char *text;
    size_t text_cap;
    bool ended, repeats;
};

static void name_damage(const struct reading *reading, uint64_t first, uint64_t last,
                        const char *why) {
    const struct sealed_damage damage = {first, last, why};
    reading->taker->damage(reading->taker->cls, &damage);
}

static bool make_room(struct reading *reading, size_t bytes) {
    if (bytes > reading->text_cap) {
        free(reading->text);
        reading->text = malloc(bytes);
        reading->text_cap = reading->text ? bytes : 0;
    }
    return reading->text != NULL;
}

/* Decompresses a block. NULL: it is intact; otherwise what is wrong with it. */
static const char *unpack(struct reading *reading, const struct block_head *head,
                          const unsigned char *frame) {
    if (crc32c(frame, head->frame_bytes) != head->frame_crc) {
        return "its checksum is another";
    }
    if (ZSTD_getFrameContentSize(frame, head->frame_bytes) != head->text_bytes) {
        return "it unpacks to another size";
    }
    if (!make_room(reading, head->text_bytes)) {
        return "there is no memory to unpack it";
    }
    const size_t n = ZSTD_decompress(reading->text, head->text_bytes, frame, head->frame_bytes);
    const bool trusts = reading->file->trusts_checksums;
    if (ZSTD_isError(n) || n != head->text_bytes ||
        (!trusts && block_digest(head->before, reading->text, n) != head->after)) {
        return "it unpacks to something else than was written";
    }
    return reading->text[n - 1] == '\n' && (trusts || line_count(reading->text, n) == head->records)
               ? NULL
               : "it has another number of records";
}

/* A copy of a node's or a shard's folder would be counted a second time. */
static bool is_ours(const struct sealed_file *file, const struct block_head *head) {
    return !file->node || (strcmp(file->node, head->node) == 0 && file->shard == head->shard);
}

/* Reports the whole rest as one damage: the file ends here. */
static void name_copy(struct reading *reading) {
    const uint64_t next = reading->file->next;
    name_damage(reading, reading->expected, next > 0 ? next - 1 : UINT64_MAX,
                "the file says that it is of another node or shard: a copy");
    reading->expected = next > reading->expected ? next : reading->expected;
    reading->ended = true;
}

/* Reported once per file. */
static void name_repetition(struct reading *reading, const char *why) {
    if (!reading->repeats) {
        name_damage(reading, reading->expected, reading->expected - 1, why);
    }
    reading->repeats = true;
}

/* Takes the block whose header was found before `at`. False: the taker stopped. */
static bool take_block(struct reading *reading, const struct block_head *head, size_t at) {
    const struct sealed_file *file = reading->file;
    const uint64_t last = head->first + head->records - 1;
    reading->expected = last + 1;
    if (file->next > 0 && last >= file->next) {
        name_repetition(reading, "the next file begins within a block of this one");
    }
    if (file->len - at < head->frame_bytes) {
        name_damage(reading, head->first, last, "the file is cut off within them");
        return true;
    }
    if (head->max_us < file->from_us || head->min_us >= file->to_us) {
        return true;
    }
    const char *wrong = unpack(reading, head, file->bytes + at);
    if (wrong) {
        name_damage(reading, head->first, last, wrong);
        return true;
    }
    const struct sealed_lines lines = {head, reading->text, head->text_bytes};
    return reading->taker->lines(reading->taker->cls, &lines);
}

/* Reports that the file ended without an end block, or short of the next file's first record. */
static void name_rest(const struct reading *reading) {
    const uint64_t next = reading->file->next;
    const bool known = next >= reading->expected && next > 0;
    if (!reading->ended) {
        name_damage(reading, reading->expected, known ? next - 1 : UINT64_MAX,
                    known && next == reading->expected ? "the mark of the file's end is damaged"
                                                       : "the file is cut off before them");
    } else if (known && next > reading->expected) {
        name_damage(reading, reading->expected, next - 1, "no file has them");
    }
}

/* Finds the header of the next block: at `at`, or further on when that one is damaged. */
static size_t find_header(struct reading *reading, size_t at, struct block_head *head) {
    const struct sealed_file *file = reading->file;
    if (block_decode(file->bytes + at, file->len - at, head)) {
        const bool is_of_the_next = file->next > 0 && head->first >= file->next;
        if (head->first > reading->expected && !is_of_the_next) {
            name_damage(reading, reading->expected, head->first - 1, "the file leaves them out");
        }
        return at;
    }
    size_t found = at;
    do { /* skip what has been passed on */
        found = block_find(file->bytes, found + 1, file->len, head);
    } while (found < file->len && head->first < reading->expected);
    if (found < file->len) {
        const bool none = head->first == reading->expected;
        name_damage(reading, reading->expected, head->first - 1,
                    none ? "there are bytes of nobody between two blocks"
                         : "the header of their block is damaged");
    }
    return found;
}

bool sealed_read(const struct sealed_file *file, const struct sealed_taker *taker) {
    struct reading reading = {.file = file, .taker = taker, .expected = file->first};
    bool wanted = true;
    for (size_t at = 0; wanted && at < file->len && !reading.ended;) {
        struct block_head head;
        at = find_header(&reading, at, &head);
        if (at >= file->len) {
            break;
        }
        at += BLOCK_HEAD_BYTES;
        if (!is_ours(file, &head)) {
            name_copy(&reading);
        } else if (head.flags & BLOCK_END) {
            reading.expected = head.first > reading.expected ? head.first : reading.expected;
            reading.ended = true;
        } else if (head.first < reading.expected || (file->next > 0 && head.first >= file->next)) {
            name_repetition(&reading, "a block is there a second time");
            at += head.frame_bytes < file->len - at ? head.frame_bytes : file->len - at;
        } else {
            wanted = take_block(&reading, &head, at);
            at += head.frame_bytes < file->len - at ? head.frame_bytes : file->len - at;
        }
    }
    if (wanted) {
        name_rest(&reading);
    }
    free(reading.text);
    return wanted;
}

bool sealed_find_end(const unsigned char *bytes, size_t len, uint64_t first, uint64_t *next,
                     uint64_t *digest) {
    struct block_head head;
    *next = first;
    *digest = 0;
    for (size_t at = block_find(bytes, 0, len, &head); at < len;
         at = block_find(bytes, at + BLOCK_HEAD_BYTES, len, &head)) {
        if (head.first + head.records >= *next) {
            *next = head.first + head.records;
            *digest = head.after;
        }
        if (head.flags & BLOCK_END) {
            return true;
        }
    }
    *next += UNKNOWN_RECORDS;
    return false;
}
