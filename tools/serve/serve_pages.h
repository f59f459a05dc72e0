/* What aforo serve answers with. */
#ifndef AFORO_TOOLS_SERVE_SERVE_PAGES_H
#define AFORO_TOOLS_SERVE_SERVE_PAGES_H

#include "server/http/pages.h"

/* struct server: pages; its pages_cls is the struct fleet. */
extern const struct pages serve_pages;

#endif
