/* What an event of JSON costs from bytes to fields, beside what nobody can go below: finding the
 * line ends with memchr over the same bytes. CPU time of this thread, best of several rounds; the
 * ratios are what to compare between machines. Every run checks that it got all events and all
 * fields. */
#include "ingest/fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EVENTS 2048 /* of 120 bytes: 240 KiB, stays in the second level cache */
#define EVENT_MAX 512
#define ROUNDS 15
#define REPEATS 100

static char body[EVENTS * EVENT_MAX];
static uint64_t sum; /* wraps; only keeps the compiler from leaving the work out */
static char room[EVENT_MAX];

static const struct fields_config declared = {
    .n = 5,
    .field =
        {{.name = "route", .places = 2, .place = {{FIELD_JSON, "route"}, {FIELD_LINE, "route"}}},
         {.name = "status",
          .type = FIELD_INT,
          .places = 2,
          .place = {{FIELD_JSON, "status"}, {FIELD_LINE, "status"}}},
         {.name = "ms",
          .type = FIELD_INT,
          .places = 2,
          .place = {{FIELD_JSON, "ms"}, {FIELD_LINE, "ms"}}},
         {.name = "client", .places = 2, .place = {{FIELD_JSON, "client"}, {FIELD_LINE, "client"}}},
         {.name = "bytes",
          .type = FIELD_INT,
          .places = 2,
          .place = {{FIELD_JSON, "bytes"}, {FIELD_LINE, "bytes"}}}},
};

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static const char *const routes[] = {"/index", "/pay", "/flights/search", "/a", "/basket/items"};

static unsigned draw(unsigned i) {
    return i * 2654435761u >> 8;
}

static size_t write_usual(char *out, unsigned i) {
    return (size_t)sprintf(
        out,
        "{\"time\":\"2016-05-28T11:11:%02u.%06uZ\",\"route\":\"%s\",\"status\":%u,\"ms\":%u,"
        "\"client\":\"client-%u\",\"bytes\":%u}\n",
        i / 100 % 60, i * 97 % 1000000, routes[draw(i) % 5], draw(i) % 50 ? 200 : 404,
        draw(i + 1) % 2000, draw(i + 2) % 50000, draw(i + 3) % 100000);
}

static size_t write_blanks(char *out, unsigned i) {
    return (size_t)sprintf(out,
                           "{\"time\": \"2016-05-28T11:11:%02u.%06uZ\", \"route\": \"%s\", "
                           "\"status\": %u, \"ms\": %u, "
                           "\"client\": \"client-%u\", \"bytes\": %u}\n",
                           i / 100 % 60, i * 97 % 1000000, routes[draw(i) % 5],
                           draw(i) % 50 ? 200 : 404, draw(i + 1) % 2000, draw(i + 2) % 50000,
                           draw(i + 3) % 100000);
}

static size_t write_more(char *out, unsigned i) {
    return (size_t)sprintf(
        out,
        "{\"time\":\"2016-05-28T11:11:%02u.%06uZ\",\"level\":\"info\",\"host\":{\"name\":\"web-%"
        "u\","
        "\"zone\":\"a\"},\"route\":\"%s\",\"status\":%u,\"ms\":%u,\"agent\":\"Mozilla/5.0 (X11; "
        "Linux "
        "x86_64; rv:109.0) Gecko/20100101 Firefox/115.0\",\"client\":\"client-%u\",\"bytes\":%u,"
        "\"tags\":[\"x\",1.5,true,null]}\n",
        i / 100 % 60, i * 97 % 1000000, i % 10, routes[draw(i) % 5], draw(i) % 50 ? 200 : 404,
        draw(i + 1) % 2000, draw(i + 2) % 50000, draw(i + 3) % 100000);
}

static size_t write_ms(char *out, unsigned i) {
    return (size_t)sprintf(
        out,
        "{\"time\":\"2016-05-28T11:11:%02u.%03uZ\",\"route\":\"%s\",\"status\":%u,\"ms\":%u,"
        "\"client\":\"client-%u\",\"bytes\":%u}\n",
        i / 100 % 60, i % 1000, routes[draw(i) % 5], draw(i) % 50 ? 200 : 404, draw(i + 1) % 2000,
        draw(i + 2) % 50000, draw(i + 3) % 100000);
}

static size_t write_epoch(char *out, unsigned i) {
    return (size_t)sprintf(out,
                           "{\"time\":14644338%02u%03u,\"route\":\"%s\",\"status\":%u,\"ms\":%u,"
                           "\"client\":\"client-%u\",\"bytes\":%u}\n",
                           i / 100 % 60, i % 1000, routes[draw(i) % 5], draw(i) % 50 ? 200 : 404,
                           draw(i + 1) % 2000, draw(i + 2) % 50000, draw(i + 3) % 100000);
}

/* As some libraries write: each slash and whatever is beyond ASCII is escaped. */
static size_t write_escapes(char *out, unsigned i) {
    static const char *const escaped[] = {"\\/index", "\\/pay", "\\/flights\\/search", "\\/a",
                                          "\\/caf\\u00e9\\/\\\"items\\\""};
    return (size_t)sprintf(
        out,
        "{\"time\":\"2016-05-28T11:11:%02u.%06uZ\",\"route\":\"%s\",\"status\":%u,\"ms\":%u,"
        "\"client\":\"client-%u\\/\\u00e9\",\"bytes\":%u}\n",
        i / 100 % 60, i * 97 % 1000000, escaped[draw(i) % 5], draw(i) % 50 ? 200 : 404,
        draw(i + 1) % 2000, draw(i + 2) % 50000, draw(i + 3) % 100000);
}

static size_t write_members(char *out, unsigned i, const unsigned order[6]) {
    char member[6][64];
    size_t len = 0;
    snprintf(member[0], sizeof member[0], "\"time\":\"2016-05-28T11:11:%02u.%06uZ\"", i / 100 % 60,
             i * 97 % 1000000);
    snprintf(member[1], sizeof member[1], "\"route\":\"%s\"", routes[draw(i) % 5]);
    snprintf(member[2], sizeof member[2], "\"status\":%u", draw(i) % 50 ? 200 : 404);
    snprintf(member[3], sizeof member[3], "\"ms\":%u", draw(i + 1) % 2000);
    snprintf(member[4], sizeof member[4], "\"client\":\"client-%u\"", draw(i + 2) % 50000);
    snprintf(member[5], sizeof member[5], "\"bytes\":%u", draw(i + 3) % 100000);
    for (unsigned m = 0; m < 6; m++) {
        len += (size_t)sprintf(out + len, "%c%s", m ? ',' : '{', member[order[m]]);
    }
    return len + (size_t)sprintf(out + len, "}\n");
}

/* Each event begins with another member, so that none is where it was before. */
static size_t write_turned(char *out, unsigned i) {
    unsigned order[6];
    for (unsigned m = 0; m < 6; m++) {
        order[m] = (i + m) % 6;
    }
    return write_members(out, i, order);
}

/* As senders do that keep their members in a table with a seed: each event in an order of its own.
 */
static size_t write_shuffled(char *out, unsigned i) {
    unsigned order[6] = {0, 1, 2, 3, 4, 5};
    for (unsigned m = 6; m > 1; m--) {
        const unsigned other = draw(6 * i + m) % m, kept = order[m - 1];
        order[m - 1] = order[other];
        order[other] = kept;
    }
    return write_members(out, i, order);
}

/* Every third event has one member more. */
static size_t write_optional(char *out, unsigned i) {
    return draw(i) % 3
               ? write_usual(out, i)
               : (size_t)sprintf(out,
                                 "{\"time\":\"2016-05-28T11:11:%02u.%06uZ\",\"user\":\"u%u\","
                                 "\"route\":\"%s\",\"status\":%u,\"ms\":%u,"
                                 "\"client\":\"client-%u\",\"bytes\":%u}\n",
                                 i / 100 % 60, i * 97 % 1000000, draw(i) % 100, routes[draw(i) % 5],
                                 200, draw(i + 1) % 2000, draw(i + 2) % 50000,
                                 draw(i + 3) % 100000);
}

static size_t write_line(char *out, unsigned i) {
    return (size_t)sprintf(out,
                           "2016-05-28T11:11:%02u.%06uZ route=%s status=%u ms=%u client=client-%u "
                           "bytes=%u\n",
                           i / 100 % 60, i * 97 % 1000000, routes[draw(i) % 5],
                           draw(i) % 50 ? 200 : 404, draw(i + 1) % 2000, draw(i + 2) % 50000,
                           draw(i + 3) % 100000);
}

typedef enum record_outcome reader(struct record *, const struct fields *, const char *, size_t,
                                   char[RECORD_WHY_MAX]);

/* Every event of the body, from line end to line end; reader NULL: the line ends alone. */
static size_t read_body(reader *read, const struct fields *fields, size_t len) {
    static struct record record = {.room = room, .room_len = sizeof room};
    char why[RECORD_WHY_MAX];
    size_t whole = 0;
    for (size_t at = 0; at < len;) {
        const char *end = memchr(body + at, '\n', len - at);
        const size_t line_len = (size_t)(end - (body + at));
        if (read) {
            record_begin(&record);
            whole += read(&record, fields, body + at, line_len, why) == RECORD_EVENT &&
                     record.timed && record.present == 0x1f && record.unfit == 0;
            sum += (uint64_t)record.us + (uint64_t)record.value[2].number;
        } else {
            whole++;
        }
        at += line_len + 1;
    }
    return whole;
}

static double measure_ns(reader *read, const struct fields *fields, size_t len) {
    double best = 1e18;
    for (int round = 0; round < ROUNDS; round++) {
        const double start = now_ns();
        for (int i = 0; i < REPEATS; i++) {
            if (read_body(read, fields, len) != EVENTS) {
                fprintf(stderr, "bench/json: not every event had its time and its fields\n");
                exit(EXIT_FAILURE);
            }
        }
        const double ns = (now_ns() - start) / REPEATS / EVENTS;
        best = ns < best ? ns : best;
    }
    return best;
}

int main(void) {
    static const struct {
        const char *name;
        size_t (*write)(char *out, unsigned i);
        reader *read;
    } rows[] = {
        {"JSON, time and 5 declared fields", write_usual, record_read_json},
        {"the same with blanks", write_blanks, record_read_json},
        {"with a time in ms", write_ms, record_read_json},
        {"with Unix time in ms", write_epoch, record_read_json},
        {"with escapes", write_escapes, record_read_json},
        {"in turning order", write_turned, record_read_json},
        {"in an order of its own each", write_shuffled, record_read_json},
        {"with a member more at times", write_optional, record_read_json},
        {"and other members, nested ones, too", write_more, record_read_json},
        {"line, time and 5 declared fields", write_line, record_read_line},
    };
    struct fields *fields = fields_new(&declared);
    if (fields == NULL) {
        return EXIT_FAILURE;
    }
    printf("| %-36s | bytes | ns/event | GB/CPU s | M event/CPU s | x memchr "
           "|\n|---|---|---|---|---|---|\n",
           "event");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t len = 0;
        for (unsigned e = 0; e < EVENTS; e++) {
            len += rows[i].write(body + len, e);
        }
        const double bytes = (double)len / EVENTS, scan_ns = measure_ns(NULL, fields, len);
        const double ns = measure_ns(rows[i].read, fields, len);
        printf("| %-36s | %5.0f | %8.1f | %8.2f | %13.2f | %8.1f |\n", rows[i].name, bytes, ns,
               bytes / ns, 1e3 / ns, ns / scan_ns);
    }
    fields_free(fields);
    return sum == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
