/* `aforo log cat`: the records of an event log as lines, once, or as they come. One thread. */
#ifndef AFORO_TOOLS_CONSOLE_LOG_CAT_H
#define AFORO_TOOLS_CONSOLE_LOG_CAT_H

#include <stdint.h>

/* argv[0] is "cat". Returns the exit status. */
int log_cat_main(int argc, char **argv, int64_t now_us);

/* The one folder that must be named, argv[optind]; NULL when it is not, and that is said. */
const char *log_find_folder(const char *command, int argc, char **argv);

#endif
