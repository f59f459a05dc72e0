#include "eventlog/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGITS 20
#define TAIL ".ndjson"
#define SEALED ".ndjson.zst"

void files_name(const struct log_file *file, char name[FILES_NAME_MAX]) {
    snprintf(name, FILES_NAME_MAX, "%020" PRIu64 "%s", file->first, file->sealed ? SEALED : TAIL);
}

int files_open(int dir_fd, const char *name, int flags) {
    struct stat st;
    int fd = openat(dir_fd, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0 && (fstat(fd, &st) || !S_ISREG(st.st_mode))) {
        close(fd);
        fd = -1;
        errno = EMEDIUMTYPE;
    }
    return fd;
}

const char *files_explain(int error) {
    return error == EMEDIUMTYPE ? "it is no regular file" : strerror(error);
}

static bool read_name(const char *name, struct log_file *file) {
    if (strspn(name, "0123456789") != DIGITS) {
        return false;
    }
    errno = 0;
    file->first = strtoull(name, NULL, 10);
    file->sealed = strcmp(name + DIGITS, SEALED) == 0;
    return errno == 0 && (file->sealed || strcmp(name + DIGITS, TAIL) == 0);
}

static int compare_files(const void *left, const void *right) {
    const struct log_file *a = left, *b = right;
    return a->first != b->first ? (a->first > b->first ? 1 : -1) : b->sealed - a->sealed;
}

/* Opens the folder anew, so that the position is not shared with dir_fd. */
static DIR *open_folder(int dir_fd) {
    const int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (fd >= 0 && !folder) {
        close(fd);
    }
    return folder;
}

/* Makes room for one more item in a list that grows by half its size. */
static bool make_room(void **list, size_t n, size_t *cap, size_t item_bytes) {
    if (n < *cap) {
        return true;
    }
    const size_t wanted = *cap + *cap / 2 + 16;
    void *more = realloc(*list, wanted * item_bytes);
    if (more) {
        *list = more;
        *cap = wanted;
    }
    return more != NULL;
}

bool files_list(int dir_fd, struct log_files *files) {
    *files = (struct log_files){NULL, 0};
    DIR *folder = open_folder(dir_fd);
    if (!folder) {
        return false;
    }
    size_t cap = 0;
    bool ok = true;
    const struct dirent *entry;
    /* cppcheck-suppress readdirCalled ; nobody else has this one */
    while (ok && (entry = readdir(folder))) {
        struct log_file file;
        if (read_name(entry->d_name, &file)) {
            void *list = files->file;
            ok = make_room(&list, files->n, &cap, sizeof file);
            files->file = list;
            if (ok) {
                files->file[files->n++] = file;
            }
        }
    }
    closedir(folder);
    if (!ok) {
        free(files->file);
        *files = (struct log_files){NULL, 0};
        errno = ENOMEM;
        return false;
    }
    if (files->n > 0) {
        qsort(files->file, files->n, sizeof *files->file, compare_files);
    }
    return true;
}

bool files_is_done(const struct log_files *files, size_t i) {
    return i > 0 && !files->file[i].sealed && files->file[i - 1].sealed &&
           files->file[i].first == files->file[i - 1].first;
}

/* ---- folders ---- */

static int compare_names(const void *left, const void *right) {
    const char *a = *(char *const *)left, *b = *(char *const *)right;
    const size_t na = strlen(a), nb = strlen(b);
    const bool numbers = strspn(a, "0123456789") == na && strspn(b, "0123456789") == nb;
    return numbers && na != nb ? (na > nb ? 1 : -1) : strcmp(a, b);
}

static bool is_folder(int dir_fd, const char *name) {
    struct stat st;
    return name[0] != '.' && fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISDIR(st.st_mode);
}

bool files_list_folders(int dir_fd, char ***names, size_t *n) {
    *names = NULL;
    *n = 0;
    DIR *folder = open_folder(dir_fd);
    if (!folder) {
        return false;
    }
    size_t cap = 0;
    bool ok = true;
    const struct dirent *entry;
    /* cppcheck-suppress readdirCalled ; nobody else has this one */
    while (ok && (entry = readdir(folder))) {
        if (!is_folder(dir_fd, entry->d_name)) {
            continue;
        }
        void *list = *names;
        ok = make_room(&list, *n, &cap, sizeof **names);
        *names = list;
        if (ok) {
            (*names)[*n] = strdup(entry->d_name);
            ok = (*names)[*n] != NULL;
            *n += ok;
        }
    }
    closedir(folder);
    if (!ok) {
        files_free_names(*names, *n);
        errno = ENOMEM;
        return false;
    }
    if (*n > 0) {
        qsort(*names, *n, sizeof **names, compare_names);
    }
    return true;
}

void files_free_names(char **names, size_t n) {
    for (size_t i = 0; i < n; i++) {
        free(names[i]);
    }
    free(names);
}

bool files_read_shard(const char *name, unsigned *number) {
    char *end;
    const unsigned long read = strtoul(name, &end, 10);
    /* "01" or "+1" would be read as shard 1, a second time */
    if (*name < '1' || *name > '9' || *end != '\0' || read > UINT32_MAX) {
        return false;
    }
    *number = (unsigned)read;
    return true;
}

static bool has_files(int dir_fd, const char *name) {
    struct log_files files = {NULL, 0};
    const int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool any = fd >= 0 && files_list(fd, &files) && files.n > 0;
    free(files.file);
    if (fd >= 0) {
        close(fd);
    }
    return any;
}

bool files_is_node(int dir_fd) {
    char **names;
    size_t n;
    unsigned shard;
    bool is_node = false;
    if (!files_list_folders(dir_fd, &names, &n)) {
        return false;
    }
    for (size_t i = 0; !is_node && i < n; i++) {
        is_node = files_read_shard(names[i], &shard) && has_files(dir_fd, names[i]);
    }
    files_free_names(names, n);
    return is_node;
}
