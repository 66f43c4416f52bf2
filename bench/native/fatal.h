#ifndef FATAL_H
#define FATAL_H

/* Print the message (printf style) on stderr and exit with status 2. */
void fatal(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
