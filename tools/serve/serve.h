/* aforo serve: the pages that one aforod shows of itself, for all nodes that flush to one Redis. */
#ifndef AFORO_TOOLS_SERVE_SERVE_H
#define AFORO_TOOLS_SERVE_SERVE_H

/* The command; argv[0] is "serve". Serves until a signal ends it, and returns the exit status. By
 * main's thread, before there is another. */
int serve_main(int argc, char **argv);

#endif
