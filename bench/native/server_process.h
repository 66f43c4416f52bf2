#ifndef SERVER_PROCESS_H
#define SERVER_PROCESS_H

/* What the server under test uses, from /proc. Without a pid (0) every answer is 0. */

/* User and system time of all its threads, in seconds, to 10 ms. */
double server_cpu_seconds(int pid);

/* Resident memory in KiB. */
long server_resident_kb(int pid);

/* User and system time of this process, in seconds. */
double own_cpu_seconds(void);

#endif
