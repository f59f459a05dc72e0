#include "common/version.h"

const char *version_text(void) {
    return AFORO_VERSION;
}
