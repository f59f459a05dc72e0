/* aforo backup DIR TO: copies a state directory in which a server may be counting. */
#ifndef AFORO_TOOLS_CONSOLE_BACKUP_H
#define AFORO_TOOLS_CONSOLE_BACKUP_H

/* argv[0] is "backup". Returns the exit status: 2 for a wrong command line. */
int backup_main(int argc, char **argv);

#endif
