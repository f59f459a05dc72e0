#include "tools/console/reach.h"

#include <stdlib.h>
#include <unistd.h>

static bool is_lost;

void reach_note(bool unreachable) {
    is_lost = unreachable;
}

void reach_note_path(const char *path) {
    is_lost = access(path, R_OK) != 0;
}

bool reach_is_lost(void) {
    return is_lost;
}

int reach_status(int status) {
    return status == EXIT_FAILURE && is_lost ? EXIT_UNREACHABLE : status;
}
