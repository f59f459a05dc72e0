#include "tools/console/backup.h"

#include "counters/counters.h"
#include "counters/rows/tables.h"
#include "tools/console/reach.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 2

static const char help[] = "usage: aforo backup DIR TO\n"
                           "\n"
                           "Copies the state of directory DIR, with the rows of its reports, into "
                           "directory TO, which is made when missing and\n"
                           "must hold none. A server may be counting in DIR meanwhile: what it "
                           "acknowledged before is in the copy. A server started\n"
                           "on the copy is the same node: start it in place of the first one, "
                           "never beside it.\n";

int backup_main(int argc, char **argv) {
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        return fputs(help, stdout) < 0 || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    }
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-' || argv[i][0] == '\0') {
            fprintf(stderr,
                    "aforo: backup: '%s' is no directory's name (put ./ before one that begins "
                    "with -)\n",
                    argv[i]);
            return EXIT_USAGE;
        }
    }
    if (argc != 3) {
        fprintf(stderr, "aforo: backup needs two directories: the state, and one for the copy "
                        "(aforo backup DIR TO)\n");
        return EXIT_USAGE;
    }
    signal(SIGXFSZ, SIG_IGN); /* so that the limit of a file's size is an error of the call */
    char why[COUNTERS_WHY_MAX];
    if (!counters_backup(argv[1], argv[2], why) || !tables_backup(argv[1], argv[2], why)) {
        reach_note_path(argv[1]);
        fprintf(stderr, "aforo: %s\n", why);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
