/* Which files a shard of the log has: DIR/<node>/<shard>/<first sequence>.ndjson, a tail, and the
 * same with .zst, sealed. The number has 20 digits, so that names are in order. */
#ifndef AFORO_EVENTLOG_FILES_H
#define AFORO_EVENTLOG_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILES_NAME_MAX 40
/* files that are not whole yet begin with a point: nobody reads them */
#define FILES_SEALING ".sealing.ndjson.zst"

struct log_file {
    uint64_t first; /* sequence of its first record */
    bool sealed;
};

struct log_files {
    struct log_file *file;
    size_t n;
};

void files_name(const struct log_file *file, char name[FILES_NAME_MAX]);

/* Opens a file of the log; flags: O_RDONLY or O_RDWR. Whatever else has its name (a folder, a FIFO,
 * a symbolic link) is not waited for. -1, errno set: EMEDIUMTYPE for what is no regular file. */
int files_open(int dir_fd, const char *name, int flags);

/* What an errno says, also that one. */
const char *files_explain(int error);

/* Lists the files of a folder by their numbers, a sealed file before the tail that it was made of.
 * False, errno set. The caller frees files->file. */
bool files_list(int dir_fd, struct log_files *files);

/* Whether file i is a tail whose sealed file is there: what is in it is told by that one. */
bool files_is_done(const struct log_files *files, size_t i);

/* The names of the folders in a folder, sorted: numbers by their size, others as text. False, errno
 * set. The caller frees the names by files_free_names. */
bool files_list_folders(int dir_fd, char ***names, size_t *n);
void files_free_names(char **names, size_t n);

/* Whether it is the folder of a node, and not that of the log. */
bool files_is_node(int dir_fd);

/* The shard whose folder has that name. False: it is no shard's. */
bool files_read_shard(const char *name, unsigned *number);

#endif
