/* Settles what a killed process left of a tail: see tail.h. */
#include "eventlog/line.h"
#include "eventlog/tail.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The length including the noted events, if these were counted. */
static uint64_t follow_note(const struct tail_trailer *trailer, uint64_t length, uint64_t room,
                            const struct tail_judge *judge) {
    const struct tail_note *note = &trailer->note;
    const uint64_t end = atomic_load_explicit(&note->end, memory_order_relaxed);
    const bool ahead = end > length && end <= room;
    return ahead && judge->is_counted(judge->cls,
                                      atomic_load_explicit(&note->shard, memory_order_relaxed),
                                      atomic_load_explicit(&note->window, memory_order_relaxed),
                                      atomic_load_explicit(&note->count, memory_order_relaxed))
               ? end
               : length;
}

static void settle_map(const char *map, uint64_t bytes, uint64_t length, bool has_trailer,
                       const struct tail_judge *judge, struct tail_settled *settled) {
    if (has_trailer) {
        const uint64_t room = bytes - TAIL_PAGE;
        const uint64_t with =
            follow_note((const struct tail_trailer *)(map + room), length, room, judge);
        settled->completed = with > length;
        length = with;
    }
    settled->bytes = line_find_whole(map, length);
    settled->torn = settled->bytes < length;
    settled->records = line_count(map, settled->bytes);
}

bool tail_settle(int dir_fd, const struct log_file *file, const struct tail_judge *judge,
                 struct tail_settled *settled) {
    *settled = (struct tail_settled){0};
    char name[FILES_NAME_MAX];
    files_name(file, name);
    const int fd = files_open(dir_fd, name, O_RDWR);
    struct stat st;
    if (fd < 0) {
        return false;
    }
    bool ok = fstat(fd, &st) == 0;
    const uint64_t bytes = ok ? (uint64_t)st.st_size : 0;
    if (ok && bytes > 0) {
        uint64_t length = bytes;
        const bool has_trailer = tail_read_length(fd, bytes, &length);
        void *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
        ok = map != MAP_FAILED;
        if (ok) {
            settle_map(map, bytes, length, has_trailer, judge, settled);
            munmap(map, bytes);
            ok = ftruncate(fd, (off_t)settled->bytes) == 0 && fsync(fd) == 0;
        }
    }
    const int error = errno;
    close(fd);
    errno = error;
    return ok;
}
