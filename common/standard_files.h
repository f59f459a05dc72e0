/* Keeps descriptors 0, 1 and 2 occupied, for every program here that opens files. If one of them
 * were closed, the next file or socket would get its number, and what is meant for the log or the
 * console would be written into that file. */
#ifndef AFORO_COMMON_STANDARD_FILES_H
#define AFORO_COMMON_STANDARD_FILES_H

/* Opens /dev/null in place of each of them that is closed. Returns which ones those were as a bit
 * set (1 << descriptor), or -1 with errno set. To be called first in main, before any file is
 * opened. */
int standard_files_open(void);

#endif
