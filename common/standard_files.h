/* The descriptors 0, 1 and 2, for every program of ours that opens files: one that was closed would
 * be given to the next file or socket, and what is meant for the log or the console would be
 * written into that. */
#ifndef AFORO_COMMON_STANDARD_FILES_H
#define AFORO_COMMON_STANDARD_FILES_H

/* Opens /dev/null in place of each of them that is closed. Returns which these were, 1 <<
 * descriptor added up; -1, errno set, when that cannot be done. The first thing in main, before
 * anything opens a file. */
int standard_files_open(void);

#endif
