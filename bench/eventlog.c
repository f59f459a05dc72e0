/* What an event of the log costs the log thread, and how many bytes it has on disk: zstd alone with
 * several settings, and the whole of sealing a tail, CRCs, digest, writing and fsync with it.
 *
 *   bench-eventlog DIR        markdown on stdout; CPU of this thread, the best of some rounds */
#include "eventlog/line.h"
#include "eventlog/seal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#define TEXT_BYTES ((size_t)15 << 20) /* what a tail has */
#define ROUNDS 5
#define T0 INT64_C(1779967871000000)
#define BLOCK ((size_t)512 << 10)

struct sample {
    const char *name;
    char *text;
    size_t len, events;
};

static uint64_t state = 88172645463325252;

static uint64_t draw(uint64_t below) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % below;
}

/* About that on average, as gaps between independent events are. */
static int64_t draw_gap(int64_t mean_us) {
    int64_t us = 0;
    while (draw(8) > 0) {
        us += 1 + (int64_t)draw((uint64_t)mean_us / 4 + 1);
    }
    return us;
}

static double cpu_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- events ---- */

/* A time alone, as Tsung sends it, 5,000 a second. */
static void make_time(struct line_event *event, char *body) {
    (void)body;
    event->arrival_us = event->time_us + 150 + draw_gap(80);
}

static const char *agent(unsigned i) {
    static char text[128];
    static const char *const systems[] = {"X11; Linux x86_64", "Windows NT 10.0; Win64; x64",
                                          "Macintosh; Intel Mac OS X 10_15_7",
                                          "Linux; Android 10; K"};
    snprintf(text, sizeof text,
             "Mozilla/5.0 (%s) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%u.0.%u.%u "
             "Safari/537.36",
             systems[i % 4], 80 + i % 50, 1000 + i * 37 % 6000, i * 13 % 200);
    return text;
}

/* An object of 120 bytes of a web log, in batches that arrive 20 ms after their last event. */
static void make_web(struct line_event *event, char *body) {
    static int64_t arrival_us;
    if (event->time_us >= arrival_us - 20000) {
        arrival_us = event->time_us + 420000;
    }
    event->arrival_us = arrival_us;
    const int n =
        snprintf(body, 512,
                 "{\"value\":%" PRId64 ",\"route\":\"/flights/%02u\",\"status\":%s,"
                 "\"ms\":%u,\"bytes\":%u,\"user\":\"client-%06u\",\"zone\":\"eu-1\"}",
                 event->time_us, (unsigned)(draw(5) * draw(4)), draw(20) > 0 ? "200" : "404",
                 (unsigned)draw(1500), (unsigned)draw(90000), (unsigned)draw(50000));
    event->json = (struct line_text){body, (size_t)n};
}

/* The same with an address, one of 500 paths, and one of 200 names of browsers. */
static void make_rich(struct line_event *event, char *body) {
    event->arrival_us = event->time_us + 150 + draw_gap(80);
    const int n =
        snprintf(body, 512,
                 "{\"value\":%" PRId64 ",\"ip\":\"10.%u.%u.%u\",\"path\":\"/product/%05u\","
                 "\"status\":%s,\"bytes\":%u,\"ms\":%u,\"agent\":\"%s\"}",
                 event->time_us, (unsigned)draw(256), (unsigned)draw(256), (unsigned)draw(256),
                 (unsigned)(draw(500) * 7919 % 90000), draw(20) > 0 ? "200" : "404",
                 (unsigned)draw(90000), (unsigned)draw_gap(40), agent((unsigned)draw(200)));
    event->json = (struct line_text){body, (size_t)n};
}

static struct sample make_sample(const char *name, void (*make)(struct line_event *, char *)) {
    struct sample sample = {.name = name, .text = malloc(TEXT_BYTES + 4096)};
    struct line_clock clock = {0};
    struct line_event event = {.timed = true, .time_us = T0};
    char body[512];
    if (!sample.text) {
        exit(EXIT_FAILURE);
    }
    while (sample.len < TEXT_BYTES) {
        event.time_us += draw_gap(200);
        make(&event, body);
        sample.len += line_write(&clock, &event, sample.text + sample.len);
        sample.events++;
    }
    return sample;
}

/* ---- zstd alone ---- */

struct setting {
    int level, hash_log, min_match; /* 0: the level's own */
};

static size_t pack(const struct sample *sample, const struct setting *setting, size_t block,
                   double *seconds) {
    const size_t bound = ZSTD_compressBound(block + 4096);
    char *out = malloc(bound);
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    size_t bytes = 0;
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, setting->level);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_hashLog, setting->hash_log);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_minMatch, setting->min_match);
    const double begin_s = cpu_s();
    for (size_t at = 0; at < sample->len;) {
        size_t n = sample->len - at < block ? sample->len - at : block;
        while (sample->text[at + n - 1] != '\n') {
            n--;
        }
        bytes += BLOCK_HEAD_BYTES + ZSTD_compress2(zstd, out, bound, sample->text + at, n);
        at += n;
    }
    *seconds = cpu_s() - begin_s;
    ZSTD_freeCCtx(zstd);
    free(out);
    return bytes;
}

static void print_row(const struct sample *sample, const char *how, size_t bytes, double seconds) {
    const double events = (double)sample->events;
    printf("| %s | %s | %.1f | %.3f | %.0f |\n", sample->name, how, (double)bytes / events,
           seconds / events * 1e6, (double)sample->len / seconds / 1e6);
}

static void try_settings(const struct sample *sample) {
    static const struct setting settings[] = {{1, 0, 0},  {3, 0, 0},  {-1, 0, 0}, {-3, 0, 0},
                                              {-5, 0, 0}, {1, 13, 6}, {1, 12, 6}, {1, 11, 6},
                                              {1, 10, 6}, {1, 8, 6},  {1, 7, 6}};
    static const size_t blocks[] = {BLOCK / 2, BLOCK * 2};
    char how[64];
    for (size_t i = 0; i < sizeof settings / sizeof *settings + 2; i++) {
        const bool other = i >= sizeof settings / sizeof *settings;
        const size_t block = other ? blocks[i - sizeof settings / sizeof *settings] : BLOCK;
        const struct setting *setting = &settings[other ? 0 : i];
        double best_s = 1e9, seconds;
        size_t bytes = 0;
        for (int round = 0; round < ROUNDS; round++) {
            bytes = pack(sample, setting, block, &seconds);
            best_s = seconds < best_s ? seconds : best_s;
        }
        const int n = snprintf(how, sizeof how, "zstd %d", setting->level);
        if (setting->hash_log > 0) {
            snprintf(how + n, sizeof how - (size_t)n, ", table of 2^%d, matches from %d",
                     setting->hash_log, setting->min_match);
        } else if (other) {
            snprintf(how + n, sizeof how - (size_t)n, ", blocks of %zu KiB", block >> 10);
        }
        print_row(sample, how, bytes, best_s);
    }
}

/* ---- sealing ---- */

static bool write_tail(int dir_fd, const struct sample *sample) {
    char name[FILES_NAME_MAX];
    files_name(&(const struct log_file){.first = 1}, name);
    const int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    const bool ok =
        fd >= 0 && write(fd, sample->text, sample->len) == (ssize_t)sample->len && fsync(fd) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

static bool seal(const struct sample *sample, const char *dir) {
    char name[FILES_NAME_MAX], why[SEAL_WHY_MAX] = "";
    const int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    files_name(&(const struct log_file){.first = 1, .sealed = true}, name);
    double best_s = 1e9;
    struct stat st = {0};
    bool ok = dir_fd >= 0;
    struct packer packer = {0};
    for (int round = 0; ok && round < ROUNDS; round++) {
        struct seal seal = {.dir_fd = dir_fd, .node = "bench", .shard = 1, .packer = &packer};
        ok = write_tail(dir_fd, sample);
        const double begin_s = cpu_s();
        ok = ok && seal_file(&seal, 1, why);
        const double seconds = cpu_s() - begin_s;
        best_s = seconds < best_s ? seconds : best_s;
        ok = ok && fstatat(dir_fd, name, &st, 0) == 0 && unlinkat(dir_fd, name, 0) == 0;
    }
    packer_end(&packer);
    if (ok) {
        print_row(sample, "**all of sealing**", (size_t)st.st_size, best_s);
    } else {
        perror(*why ? why : dir);
    }
    if (dir_fd >= 0) {
        close(dir_fd);
    }
    return ok;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: bench-eventlog DIR\n");
        return 2;
    }
    printf("| events | packed by | bytes an event | CPU us an event | MB/s |\n"
           "| --- | --- | --- | --- | --- |\n");
    struct sample samples[] = {make_sample("a time alone", make_time),
                               make_sample("web log, 120 bytes", make_web),
                               make_sample("web log with browsers", make_rich)};
    bool ok = true;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        try_settings(&samples[i]);
        ok = ok && seal(&samples[i], argv[1]);
        free(samples[i].text);
    }
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
