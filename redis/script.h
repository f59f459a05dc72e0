/* The text of merge.lua, NUL-terminated: what EVAL takes, and its SHA1: what EVALSHA takes. */
#ifndef AFORO_REDIS_SCRIPT_H
#define AFORO_REDIS_SCRIPT_H

extern const char *const script_merge;
extern const char *const script_merge_sha;

#endif
