/* The pages of aforo serve. */
#ifndef AFORO_TOOLS_SERVE_SERVE_PAGES_H
#define AFORO_TOOLS_SERVE_SERVE_PAGES_H

#include "server/http/pages.h"

/* For the `pages` of struct server; its pages_cls is the struct fleet. */
extern const struct pages serve_pages;

#endif
