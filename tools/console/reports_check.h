/* aforo reports check FILE: whether definitions of reports are correct, and what each report
 * costs. */
#ifndef AFORO_TOOLS_CONSOLE_REPORTS_CHECK_H
#define AFORO_TOOLS_CONSOLE_REPORTS_CHECK_H

/* argv[0] is "check". Returns the exit status: 2 for a wrong command line or a mistake in the
 * file. */
int reports_check_main(int argc, char **argv);

#endif
