/* The files of a state directory, watched and copied as they stand while another process writes. */
#ifndef AFORO_TESTS_UNIT_WATCHED_FILES_H
#define AFORO_TESTS_UNIT_WATCHED_FILES_H

#include "tests/unit/check_main.h"
#include "tests/unit/state_dir.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 8

struct file {
    const char *name; /* below the state directory */
    int fd;
    unsigned char *now, *before;
    size_t bytes;
};

static struct file file[FILES_MAX];
static int files;

/* Maps the file as long as it is by now. */
static inline void map_again(struct file *f) {
    struct stat st;
    ck_assert_int_eq(fstat(f->fd, &st), 0);
    if ((size_t)st.st_size == f->bytes) {
        return;
    }
    if (f->now) {
        munmap(f->now, f->bytes);
    }
    free(f->before);
    f->bytes = (size_t)st.st_size;
    f->now = mmap(NULL, f->bytes, PROT_READ, MAP_SHARED, f->fd, 0);
    f->before = calloc(1, f->bytes);
    ck_assert(f->now != MAP_FAILED && f->before != NULL);
}

static inline void add_file(const char *name) {
    char path[2 * PATH_MAX_TEST];
    struct file *f = &file[files++];
    ck_assert_int_le(files, FILES_MAX);
    f->name = name;
    snprintf(path, sizeof path, "%s/%s", state_dir, name);
    f->fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_msg(f->fd >= 0, "%s", path);
    map_again(f);
}

static inline bool have_changed(void) {
    bool changed = false;
    for (int i = 0; i < files; i++) {
        map_again(&file[i]);
        if (memcmp(file[i].before, file[i].now, file[i].bytes) != 0) {
            memcpy(file[i].before, file[i].now, file[i].bytes);
            changed = true;
        }
    }
    return changed;
}

static inline void write_copies(const char *copy_dir) {
    char path[2 * PATH_MAX_TEST];
    for (int i = 0; i < files; i++) {
        snprintf(path, sizeof path, "%s/%s", copy_dir, file[i].name);
        const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        DEMAND(fd >= 0 && pwrite(fd, file[i].before, file[i].bytes, 0) == (ssize_t)file[i].bytes,
               "%s", path);
        close(fd);
    }
}

#endif
