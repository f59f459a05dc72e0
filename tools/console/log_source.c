#define _XOPEN_SOURCE 700 /* nftw */
/* See log_source.h. */
#include "tools/console/log_source.h"

#include "counters/counters.h"
#include "counters/time/horizon.h"
#include "tools/console/log_damage.h"
#include "tools/console/progress.h"
#include "tools/console/reach.h"
#include "tools/console/terminal.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MEMORY_FOLDER "/dev/shm"
#define PATH_BYTES 512
#define BESIDE ".counting"
#define OPEN_FILES 16
#define FUTURE_US (10 * US_PER_S)     /* aforod's default */
#define HOUR_BYTES (INT64_C(3) << 20) /* size of one thread's windows */

struct log_source {
    struct log_source_config config;
    struct definitions *definitions;
    /* memory that each report has in a server with a horizon of an hour */
    int64_t memory[REPORTS_MAX];
    struct replay *replay;
    int64_t length_us; /* of a stretch */
    size_t n;
    struct replay_stretch *stretch;
    struct source *source; /* the stretch counted last */
    char dir[PATH_BYTES];  /* its directory; "": none */
    struct progress progress;
    struct replay_tally tally;
};

static _Atomic bool stopped;

static void on_signal(int number) {
    (void)number;
    stopped = true;
}

/* The first signal ends in an orderly way, so that no files are left; a second one at once. */
static void stop_on_signals(void) {
    const struct sigaction stop = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
}

/* ---- where it is counted ---- */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *walk) {
    (void)st;
    (void)type;
    (void)walk;
    remove(path);
    return 0;
}

static void remove_state(struct log_source *log) {
    if (log->source != NULL)
        log->source->ops->close(log->source);
    log->source = NULL;
    if (*log->dir != '\0')
        nftw(log->dir, remove_entry, OPEN_FILES, FTW_DEPTH | FTW_PHYS);
    *log->dir = '\0';
}

static uint64_t count_bytes(const struct log_source *log, const struct replay_stretch *stretch) {
    const int64_t hours = (stretch->to_us - stretch->from_us) / REPLAY_HOUR_US;
    int64_t bytes = (hours + 1) * HOUR_BYTES * (log->config.threads + 1);
    for (unsigned i = 0; log->definitions != NULL && i < log->definitions->reports; i++)
        bytes += log->definitions->report[i].table.memory;
    return (uint64_t)bytes;
}

/* Makes the folder in memory if there is room, unless $TMPDIR names another place. */
static bool make_folder(struct log_source *log, const struct replay_stretch *stretch, char *why) {
    struct statvfs room;
    const char *base = getenv("TMPDIR");
    if (base == NULL || *base == '\0') {
        const uint64_t wanted = 2 * count_bytes(log, stretch);
        const bool fits = access(MEMORY_FOLDER, W_OK) == 0 && statvfs(MEMORY_FOLDER, &room) == 0 &&
                          room.f_bavail * room.f_frsize > wanted;
        base = fits ? MEMORY_FOLDER : "/tmp";
    }
    snprintf(log->dir, sizeof log->dir, "%.400s/aforo-replay-XXXXXX", base);
    if (mkdtemp(log->dir) != NULL)
        return true;
    snprintf(why, SOURCE_WHY_MAX, "%.400s: cannot make a folder to count in: %s (TMPDIR=DIR)", base,
             strerror(errno));
    *log->dir = '\0';
    return false;
}

/* ---- counting ---- */

static void tell_progress(void *cls, uint64_t events, uint64_t bytes) {
    progress_add(cls, events, bytes);
}

static void tell_damage(void *cls, const struct eventlog_damage *damage) {
    progress_clear(cls);
    log_damage_complain(damage);
}

/* Gives reports room for as many rows per hour counted at once as they have in a server. */
static void give_room(struct log_source *log, int64_t length_us) {
    const struct table_span span = {log->config.threads, length_us, FUTURE_US};
    const int64_t hours = (length_us + REPLAY_HOUR_US - 1) / REPLAY_HOUR_US;
    for (unsigned i = 0; i < log->definitions->reports; i++) {
        struct table_config *table = &log->definitions->report[i].table;
        const int64_t least = table_bytes_min(table, &span);
        table->memory = log->memory[i] * (table->keyed ? hours : 1);
        table->memory = table->memory > least ? table->memory : least;
    }
}

static bool count_stretch(struct log_source *log, const struct replay_stretch *stretch,
                          const struct replay_target *where, char *why) {
    struct replay_target target = *where;
    target.definitions = log->definitions;
    target.progress = tell_progress;
    target.damage = tell_damage;
    target.cls = &log->progress;
    const bool ok = replay_run(log->replay, stretch, &target, &log->tally, why);
    progress_clear(&log->progress);
    return ok;
}

struct source *log_source_read(struct log_source *log, size_t i, char why[SOURCE_WHY_MAX]) {
    const struct replay_stretch *stretch = &log->stretch[i];
    remove_state(log);
    if (!make_folder(log, stretch, why) ||
        !count_stretch(log, stretch, &(const struct replay_target){.dir = log->dir}, why))
        return NULL;
    const struct source_config config = {.place = log->dir};
    log->source = source_state_open(&config, why);
    return log->source;
}

/* Finds the span that one state must hold, and whose it is. */
static bool find_state(const struct log_source *log, struct replay_stretch *span, char *why) {
    if (log->n == 0 || !replay_span(log->replay, span)) {
        snprintf(why, SOURCE_WHY_MAX, "--into: there are no events to be counted");
        return false;
    }
    if (span->to_us - span->from_us > REPLAY_DAY_US) {
        snprintf(why, SOURCE_WHY_MAX,
                 "--into: the events are of %" PRId64 " hours, and a state holds 24 at the most: "
                 "bound them with --from and --to",
                 (span->to_us - span->from_us) / REPLAY_HOUR_US);
        return false;
    }
    if (replay_node(log->replay) == NULL) {
        snprintf(why, SOURCE_WHY_MAX,
                 "--into: the log is of several nodes, and a state is of one: "
                 "say which with --node NAME");
        return false;
    }
    return true;
}

/* Whether there is nothing at a path, or an empty folder. */
static bool is_free(const char *path) {
    DIR *folder = opendir(path);
    const struct dirent *entry = NULL;
    if (folder == NULL)
        return errno == ENOENT;
    /* cppcheck-suppress readdirCalled ; no other thread uses this stream */
    while ((entry = readdir(folder)) != NULL &&
           (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)) {
    }
    closedir(folder);
    return entry == NULL;
}

/* Counts into a folder beside the directory and renames it when it is complete, so that there is
 * never half a state. */
static bool count_beside(struct log_source *log, const struct replay_stretch *span, const char *dir,
                         char *why) {
    char beside[PATH_BYTES];
    const struct replay_target target = {.dir = beside,
                                         .node_id = replay_node(log->replay),
                                         .future_us = FUTURE_US,
                                         .goes_on = true};
    size_t len = strlen(dir);
    while (len > 1 && dir[len - 1] == '/')
        len--;
    snprintf(beside, sizeof beside, "%.*s" BESIDE, (int)(len < 400 ? len : 400), dir);
    if (!is_free(dir) || !is_free(beside)) {
        snprintf(why, SOURCE_WHY_MAX,
                 "--into: %.400s is there, and is not empty; name another "
                 "directory",
                 is_free(dir) ? beside : dir);
        return false;
    }
    bool ok = count_stretch(log, span, &target, why);
    if (ok && rename(beside, dir) != 0) {
        snprintf(why, SOURCE_WHY_MAX, "--into: %.300s: %s", dir, strerror(errno));
        ok = false;
    }
    if (!ok)
        nftw(beside, remove_entry, OPEN_FILES, FTW_DEPTH | FTW_PHYS);
    return ok;
}

bool log_source_count_into(struct log_source *log, const char *dir, int64_t horizon_us,
                           char why[SOURCE_WHY_MAX]) {
    struct replay_stretch span;
    if (!find_state(log, &span, why))
        return false;
    if (horizon_us > 0 && horizon_us < span.to_us - span.from_us) {
        snprintf(why, SOURCE_WHY_MAX,
                 "--horizon: the events are of %" PRId64 " hours, which is more",
                 (span.to_us - span.from_us) / REPLAY_HOUR_US);
        return false;
    }
    span.from_us = horizon_us > 0 ? span.to_us - horizon_us : span.from_us;
    if (log->definitions != NULL)
        give_room(log, span.to_us - span.from_us);
    progress_begin(&log->progress, replay_bytes(log->replay, &span));
    return count_beside(log, &span, dir, why);
}

/* ---- the log ---- */

/* The log tells an event's time, so no member of the event must be taken for it: this is a name
 * that no member has. */
static const char *const no_time[] = {"\xff"};

static bool load_reports(struct log_source *log, bool *usage, char *why) {
    const struct definitions_for purpose = {.span = {log->config.threads, HORIZON_MIN_US, 0},
                                            .file = log->config.reports,
                                            .times = 1,
                                            .time = no_time};
    log->length_us = REPLAY_DAY_US;
    if (log->config.reports == NULL)
        return true;
    log->definitions = definitions_load_for(log->config.reports, &purpose, why);
    *usage = log->definitions == NULL;
    if (log->definitions == NULL)
        return false;
    for (unsigned i = 0; i < log->definitions->reports; i++)
        log->memory[i] = log->definitions->report[i].table.memory;
    log->length_us = replay_stretch_length(log->definitions);
    give_room(log, log->length_us);
    return true;
}

/* Counts alone need little room, so up to a day is one stretch. */
static void find_stretches(struct log_source *log) {
    struct replay_stretch span;
    if (log->definitions == NULL && replay_span(log->replay, &span) &&
        span.to_us - span.from_us <= REPLAY_DAY_US) {
        log->stretch = calloc(1, sizeof span);
        if (log->stretch != NULL)
            *log->stretch = span;
        log->n = log->stretch != NULL;
        return;
    }
    log->n = replay_stretches(log->replay, log->length_us, &log->stretch);
}

struct log_source *log_source_open(const struct log_source_config *config, bool *usage,
                                   char why[SOURCE_WHY_MAX]) {
    _Static_assert(SOURCE_WHY_MAX >= REPLAY_WHY_MAX, "its sentences fit");
    _Static_assert(SOURCE_WHY_MAX >= DEFINITIONS_WHY_MAX, "and those of definitions");
    struct log_source *log = calloc(1, sizeof *log);
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    *usage = false;
    if (log == NULL) {
        snprintf(why, SOURCE_WHY_MAX, "out of memory");
        return NULL;
    }
    log->config = *config;
    if (config->threads == 0)
        log->config.threads = cores > 0 ? (unsigned)cores : 1;
    if (log->config.threads > COUNTERS_WORKERS_MAX)
        log->config.threads = COUNTERS_WORKERS_MAX;
    stop_on_signals();
    const struct replay_config replay = {.dir = config->dir,
                                         .dirs = config->dirs,
                                         .node = config->node,
                                         .from_us = config->from_us,
                                         .to_us = config->to_us,
                                         .late = config->late,
                                         .threads = log->config.threads,
                                         .stop = &stopped};
    if (!load_reports(log, usage, why) || (log->replay = replay_open(&replay, why)) == NULL) {
        for (unsigned i = 0; i < config->dirs && !reach_is_lost(); i++)
            reach_note_path(config->dir[i]);
        log_source_close(log);
        return NULL;
    }
    find_stretches(log);
    uint64_t bytes = 0;
    for (size_t i = 0; i < log->n; i++)
        bytes += replay_bytes(log->replay, &log->stretch[i]);
    progress_begin(&log->progress, bytes);
    if (log->n == 0) {
        const struct replay_target target = {.damage = tell_damage, .cls = &log->progress};
        replay_name_damages(log->replay, &target, &log->tally);
    }
    return log;
}

void log_source_close(struct log_source *log) {
    if (log == NULL)
        return;
    remove_state(log);
    replay_close(log->replay);
    if (log->definitions != NULL)
        definitions_free(log->definitions);
    free(log->stretch);
    free(log);
}

size_t log_source_stretches(const struct log_source *log) {
    return log->n;
}

const struct replay_stretch *log_source_stretch(const struct log_source *log, size_t i) {
    return &log->stretch[i];
}

const struct definitions *log_source_definitions(const struct log_source *log) {
    return log->definitions;
}

const struct replay_tally *log_source_tally(const struct log_source *log) {
    return &log->tally;
}

void log_source_tell_other(const struct log_source *log, const struct report *only) {
    for (unsigned i = 0; log->definitions != NULL && i < log->definitions->reports; i++) {
        const struct report *report = &log->definitions->report[i];
        if (log->tally.other[i] > 0 && (only == NULL || only == report))
            terminal_complain("report %s: the keys of %" PRIu64 " events found no room and are in "
                              "(other): raise its memory: or keys: (aforo reports check %s)",
                              report->table.name, log->tally.other[i], log->config.reports);
    }
}

bool log_source_is_whole(const struct log_source *log) {
    const struct replay_tally *tally = &log->tally;
    if (tally->unread > 0)
        terminal_complain("%" PRIu64 " events have fields that cannot be read as they were when "
                          "they were counted: in reports they are without them",
                          tally->unread);
    if (tally->unplaced > 0)
        terminal_complain("%" PRIu64 " events found no window", tally->unplaced);
    return tally->unread == 0 && tally->unplaced == 0 && tally->damages == 0;
}
