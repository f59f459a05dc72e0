#include "redis/script.h"

#include "scripts.h"
