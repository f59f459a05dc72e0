#include "common/standard_files.h"

#include <fcntl.h>
#include <unistd.h>

int standard_files_open(void) {
    int closed = 0;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0) {
            continue;
        }
        if (open("/dev/null", O_RDWR) != fd) { /* open takes the lowest free one */
            return -1;
        }
        closed |= 1 << fd;
    }
    return closed;
}
