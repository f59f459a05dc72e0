/* aforo: prints counted events, one window a line. Reads the flags, finds a source, prints. */
#include "server/standard_files.h"
#include "tools/backup.h"
#include "tools/flags.h"
#include "tools/follow.h"
#include "tools/source.h"
#include "tools/writer.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EXIT_USAGE 2
#define SERVER_DEFAULT "http://127.0.0.1:8080"
#define STATE_DEFAULT "./aforo-state"
#define SLEEP_SLICE_US (100 * US_PER_MS) /* a signal just before a sleep waits no longer than this */

static volatile sig_atomic_t asked_to_end;

static void on_signal(int signal_number) {
    (void)signal_number;
    asked_to_end = 1;
}

__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("aforo: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

static int64_t now_us(void *cls) {
    (void)cls;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

/* In slices, each measured anew: a wall clock that is set meanwhile must not make this wait for hours. */
static bool wait_until(void *cls, int64_t t_us) {
    int64_t patience_us = t_us - now_us(cls);
    while (!asked_to_end && patience_us > 0 && now_us(cls) < t_us) {
        const int64_t slice_us = patience_us < SLEEP_SLICE_US ? patience_us : SLEEP_SLICE_US;
        const struct timespec slice = {.tv_nsec = (long)(slice_us * 1000)};
        nanosleep(&slice, NULL);
        patience_us -= slice_us;
    }
    return !asked_to_end;
}

static void complain_once(void *cls, const char *why) {
    (void)cls;
    complain("%s; trying again", why);
}

static bool standard_descriptors_are_open(void) {
    const int closed = standard_files_open();
    if (closed > 0 && closed & 1 << STDOUT_FILENO)
        complain("standard output is closed");
    return closed >= 0 && !(closed & 1 << STDOUT_FILENO);
}

static const char *environment(const char *name) {
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* Where nothing was said: Redis if the environment names one, else the server, else the state directory. What
 * was named is never silently passed over for another. */
static struct source *open_default(struct source_config *config, char why[SOURCE_WHY_MAX]) {
    if ((config->place = environment("AFORO_REDIS")) != NULL)
        return source_redis_open(config, why);
    if ((config->place = environment("AFORO_SERVER")) != NULL)
        return source_server_open(config, why);
    config->place = SERVER_DEFAULT;
    struct source *source = source_server_open(config, why);
    if (source != NULL)
        return source;
    char server_why[SOURCE_WHY_MAX / 2];
    snprintf(server_why, sizeof server_why, "%.*s", (int)sizeof server_why - 1, why);
    const char *state = environment("AFORO_STATE");
    config->place = state != NULL ? state : STATE_DEFAULT;
    source = source_state_open(config, why);
    if (source != NULL)
        return source;
    char state_why[SOURCE_WHY_MAX / 2 - 40];
    snprintf(state_why, sizeof state_why, "%.*s", (int)sizeof state_why - 1, why);
    snprintf(why, SOURCE_WHY_MAX, "no source (see --help); tried %s, then %s", server_why, state_why);
    return NULL;
}

static struct source *open_source(const struct flags *flags, char why[SOURCE_WHY_MAX]) {
    struct source_config config = {.place = flags->place,
                                   .timeout_us = flags->timeout_us,
                                   .horizon_us = flags->horizon_us,
                                   .token_file = flags->token_file,
                                   .ca_file = flags->ca_file};
    if (config.token_file == NULL)
        config.token_file = environment("AFORO_READ_TOKEN_FILE");
    if (config.token_file == NULL)
        config.token = environment("AFORO_READ_TOKEN");
    switch (flags->source) {
    case SOURCE_REDIS:
        return source_redis_open(&config, why);
    case SOURCE_SERVER:
        return source_server_open(&config, why);
    case SOURCE_STATE:
        return source_state_open(&config, why);
    case SOURCE_BY_DEFAULT:
        break;
    }
    return open_default(&config, why);
}

static bool write_row(void *cls, const struct row *row) {
    return writer_row(cls, row);
}

static int print_follow(struct source *source, const struct flags *flags, struct writer *writer) {
    /* The first signal ends tidily, a second one at once. */
    const struct sigaction end = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &end, NULL);
    sigaction(SIGTERM, &end, NULL);
    const struct follow_world world = {now_us, wait_until, complain_once, NULL};
    return follow_run(source, &flags->query, writer, &world) && writer_end(writer) ? EXIT_SUCCESS
                                                                                   : EXIT_FAILURE;
}

static int print_once(struct source *source, const struct flags *flags, struct writer *writer) {
    char why[SOURCE_WHY_MAX];
    const enum source_outcome outcome =
        source->ops->rows(source, &flags->query, now_us(NULL), write_row, writer, why);
    if (outcome == SOURCE_AWAY) {
        writer_flush(writer);
        complain("%s", why);
        return EXIT_FAILURE;
    }
    return outcome == SOURCE_DONE && writer_end(writer) ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(const struct flags *flags) {
    char why[SOURCE_WHY_MAX];
    struct source *source = open_source(flags, why);
    if (source == NULL) {
        complain("%s", why);
        return EXIT_FAILURE;
    }
    struct writer writer = {.out = stdout, .format = flags->format, .resolution = flags->query.resolution};
    int status = (flags->follow ? print_follow : print_once)(source, flags, &writer);
    source->ops->close(source);
    if (writer.error == EPIPE) {
        status = EXIT_SUCCESS; /* the reader has had enough */
    } else if (writer.error != 0) {
        complain("standard output: %s", strerror(writer.error));
        status = EXIT_FAILURE;
    }
    return status;
}

int main(int argc, char **argv) {
    if (!standard_descriptors_are_open())
        return EXIT_FAILURE;
    signal(SIGPIPE, SIG_IGN); /* a broken connection is reported by the call that meets it */
    if (argc > 1 && strcmp(argv[1], "backup") == 0)
        return backup_main(argc - 1, argv + 1);
    struct flags flags;
    char why[FLAGS_WHY_MAX];
    switch (flags_read(argc, argv, &flags, why)) {
    case FLAGS_WRONG:
        complain("%s", why);
        return EXIT_USAGE;
    case FLAGS_HELP:
        return fputs(flags_help, stdout) < 0 || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    case FLAGS_VERSION:
        return printf("aforo %s\n", AFORO_VERSION) < 0 || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    case FLAGS_RUN:
        break;
    }
    return run(&flags);
}
