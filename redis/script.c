#include "redis/script.h"

#include "merge_lua.h"

const char *const script_merge = merge_lua;
const char *const script_merge_sha = merge_lua_sha;
