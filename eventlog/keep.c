/* Removes old files: only sealed ones, in the order in which they were sealed. */
#include "eventlog/internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct kept {
    struct log_shard *shard;
    struct log_file file;
    int64_t sealed_us, bytes;
};

struct kept_list {
    struct kept *kept;
    size_t n, cap;
    int64_t bytes;
};

static bool add_file(struct kept_list *list, struct log_shard *shard, const struct log_file *file) {
    char name[FILES_NAME_MAX];
    struct stat st;
    files_name(file, name);
    if (fstatat(shard->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW)) {
        return true;
    }
    if (list->n == list->cap) {
        const size_t cap = list->cap * 2 + 64;
        struct kept *more = realloc(list->kept, cap * sizeof *more);
        if (!more) {
            return false;
        }
        list->kept = more;
        list->cap = cap;
    }
    list->kept[list->n++] = (struct kept){
        shard, *file, (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000, st.st_size};
    list->bytes += st.st_size;
    return true;
}

static bool list_sealed(struct eventlog *log, struct kept_list *list) {
    bool ok = true;
    for (unsigned i = 0; ok && i < log->shards; i++) {
        struct log_files files;
        ok = files_list(log->shard[i]->dir_fd, &files);
        /* the last one stays, because its name tells where numbers continue */
        const struct log_file *before = NULL;
        for (size_t k = 0; ok && k < files.n; k++) {
            if (files.file[k].sealed) {
                ok = !before || add_file(list, log->shard[i], before);
                before = &files.file[k];
            }
        }
        free(files.file);
    }
    return ok;
}

static int compare_age(const void *left, const void *right) {
    const struct kept *a = left, *b = right;
    if (a->sealed_us != b->sealed_us) {
        return a->sealed_us > b->sealed_us ? 1 : -1;
    }
    if (a->shard->number != b->shard->number) {
        return a->shard->number > b->shard->number ? 1 : -1;
    }
    return a->file.first > b->file.first ? 1 : -1;
}

static bool remove_file(struct eventlog *log, const struct kept *kept) {
    char name[FILES_NAME_MAX];
    files_name(&kept->file, name);
    if (unlinkat(kept->shard->dir_fd, name, 0)) {
        return false;
    }
    atomic_fetch_add_explicit(&log->removed, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&log->removed_bytes, (uint64_t)kept->bytes, memory_order_relaxed);
    log_say(log, EVENTLOG_INFO, "removed the oldest file of the event log",
            "file=\"%s/%u/%s\" bytes=%" PRId64, log->path, kept->shard->number, name, kept->bytes);
    return true;
}

void log_remove_old(struct eventlog *log) {
    const struct eventlog_config *config = &log->config;
    if (config->size_bytes == 0 && config->keep_us == 0) {
        return;
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    const int64_t oldest_us = (int64_t)now.tv_sec * 1000000 - config->keep_us;
    struct kept_list list = {0};
    if (list_sealed(log, &list) && list.n > 0) {
        qsort(list.kept, list.n, sizeof *list.kept, compare_age);
        for (size_t i = 0; i < list.n; i++) {
            const bool too_old = config->keep_us > 0 && list.kept[i].sealed_us < oldest_us;
            const bool too_much = config->size_bytes > 0 && list.bytes > config->size_bytes;
            if ((too_old || too_much) && remove_file(log, &list.kept[i])) {
                list.bytes -= list.kept[i].bytes;
            }
        }
    }
    free(list.kept);
}
