/* `aforo log cat`: prints the records of an event log as lines, once or as they come. One
 * thread. */
#ifndef AFORO_TOOLS_CONSOLE_LOG_CAT_H
#define AFORO_TOOLS_CONSOLE_LOG_CAT_H

#include <stdint.h>

/* argv[0] is "cat"; times like -1h count from now_us (wall clock). Returns the exit status. */
int log_cat_main(int argc, char **argv, int64_t now_us);

/* Returns the one folder that must be named, argv[optind]; NULL, with a message, when it is not. */
const char *log_find_folder(const char *command, int argc, char **argv);

#endif
