#define _GNU_SOURCE /* memfd_create */
#include "tools/console/log_output.h"

#include "tools/console/terminal.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

bool log_output_add(struct log_output *output, const char *text, size_t len) {
    if (output->cap - output->len < len) {
        const size_t cap =
            2 * (output->len + len) > LOG_OUTPUT_BYTES ? 2 * (output->len + len) : LOG_OUTPUT_BYTES;
        char *more = realloc(output->bytes, cap);
        if (more == NULL) {
            output->error = ENOMEM;
            return false;
        }
        output->bytes = more;
        output->cap = cap;
    }
    memcpy(output->bytes + output->len, text, len);
    output->len += len;
    return true;
}

bool log_output_is_full(const struct log_output *output) {
    return output->len >= LOG_OUTPUT_BYTES;
}

/* All of it: a signal that asks to end waits until the reader has taken what it is being given. */
static bool write_all(int fd, const char *bytes, size_t len) {
    while (len > 0) {
        const ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno != EINTR)
            return false;
        bytes += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* ---- a command ---- */

/* Puts the whole batch into a file: if this process is killed, the command has all of it or
 * none. */
static int make_file(const struct log_output *output) {
    const int fd = memfd_create("aforo-log", MFD_CLOEXEC);
    if (fd < 0 || !write_all(fd, output->bytes, output->len) || lseek(fd, 0, SEEK_SET) != 0) {
        terminal_complain("no file for a batch: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

/* Starts the command with that file as its standard input. False, errno set. */
static bool start_command(const char *command, int fd, pid_t *child) {
    char *const words[] = {"sh", "-c", (char *)command, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t settings;
    sigset_t usual;
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE); /* which aforo ignores */
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&settings);
    posix_spawn_file_actions_adddup2(&files, fd, STDIN_FILENO);
    posix_spawnattr_setsigdefault(&settings, &usual);
    posix_spawnattr_setflags(&settings, POSIX_SPAWN_SETSIGDEF);
    const int error = posix_spawn(child, "/bin/sh", &files, &settings, words, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&settings);
    errno = error;
    return error == 0;
}

static bool run_command(const struct log_output *output, bool complain) {
    pid_t child;
    int status = -1;
    const int fd = make_file(output);
    if (fd < 0)
        return false;
    const bool started = start_command(output->command, fd, &child);
    const int error = errno;
    close(fd);
    while (started && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (started && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (!complain)
        return false;
    if (!started)
        terminal_complain("--into: sh cannot be started: %s; trying again", strerror(error));
    else if (WIFEXITED(status))
        terminal_complain("--into: the command ended with %d; the same batch is tried again",
                          WEXITSTATUS(status));
    else
        terminal_complain("--into: the command was ended by signal %d; the same batch is tried "
                          "again",
                          WTERMSIG(status));
    return false;
}

static bool give_to_command(struct log_output *output) {
    for (bool complain = true; !run_command(output, complain); complain = false) {
        if (!output->wait(output->cls))
            return false;
    }
    return true;
}

/* ---- either ---- */

bool log_output_flush(struct log_output *output) {
    if (output->error != 0)
        return false;
    if (output->len == 0)
        return true;
    if (output->command != NULL) {
        if (!give_to_command(output))
            return false;
    } else if (!write_all(STDOUT_FILENO, output->bytes, output->len)) {
        output->error = errno;
        return false;
    }
    output->len = 0;
    return true;
}

void log_output_close(struct log_output *output) {
    free(output->bytes);
    output->bytes = NULL;
    output->len = output->cap = 0;
}
