/* aforo reports prove FILE [MEASURE]: whether a measure of your own keeps the laws. */
#ifndef AFORO_TOOLS_CONSOLE_REPORTS_PROVE_H
#define AFORO_TOOLS_CONSOLE_REPORTS_PROVE_H

/* argv[0] is "prove". Returns the exit status: 1 when a law is broken, 2 for a wrong command line
 * or a file that is not a measure. */
int reports_prove_main(int argc, char **argv);

#endif
