/* The files of a shard of the log: DIR/<node>/<shard>/<first sequence>.ndjson for a tail, with .zst
 * appended for a sealed file. The sequence has 20 digits, so that names sort in order. */
#ifndef AFORO_EVENTLOG_FILES_H
#define AFORO_EVENTLOG_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILES_NAME_MAX 40
/* names of incomplete files begin with a dot: nobody reads them */
#define FILES_SEALING ".sealing.ndjson.zst"

struct log_file {
    uint64_t first; /* sequence of its first record */
    bool sealed;
};

struct log_files {
    struct log_file *file;
    size_t n;
};

/* Formats a file's name, NUL-terminated. */
void files_name(const struct log_file *file, char name[FILES_NAME_MAX]);

/* Opens a file of the log; `flags` is O_RDONLY or O_RDWR. Never blocks when something else has that
 * name (a folder, a FIFO, a symbolic link). -1 with errno set on failure: EMEDIUMTYPE when it is
 * not a regular file. */
int files_open(int dir_fd, const char *name, int flags);

/* Describes an errno of files_open, EMEDIUMTYPE included. */
const char *files_explain(int error);

/* Lists the files of a folder by first sequence, a sealed file before the tail it was made from.
 * False with errno set on failure. The caller frees files->file. */
bool files_list(int dir_fd, struct log_files *files);

/* Whether file i is a tail whose sealed file exists, so that the tail need not be read. */
bool files_is_done(const struct log_files *files, size_t i);

/* Lists the subfolders of a folder, sorted: numbers by value, other names as text. False with errno
 * set on failure. The caller frees the names with files_free_names. */
bool files_list_folders(int dir_fd, char ***names, size_t *n);
void files_free_names(char **names, size_t n);

/* Whether this is the folder of one node, rather than that of the whole log. */
bool files_is_node(int dir_fd);

/* Parses the name of a shard's folder. False when it is not one. */
bool files_read_shard(const char *name, unsigned *number);

#endif
