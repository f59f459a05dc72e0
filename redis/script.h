/* The text of merge.lua, NUL-terminated: what SCRIPT LOAD takes. */
#ifndef AFORO_REDIS_SCRIPT_H
#define AFORO_REDIS_SCRIPT_H

extern const char *const script_merge;

#endif
