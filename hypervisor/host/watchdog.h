/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The watchdog: what is left of a host when xen#2 dies before it has taken over.
 *
 *	xen#1 --- starts the watchdog --- exec ---> xen#2 --- "taken over" --> the watchdog ends
 *	                                              \
 *	                                               dies, or is silent: the watchdog boots
 *	                                               xen#1's image once more
 *
 * On a real machine this is the crash image that kexec keeps for the case of a panic,
 * with a hardware watchdog that finds a hypervisor that hangs. Xen#2 changes nothing
 * that must survive before it says "taken over", so the image that is booted then
 * finds the same stream, the same memory and the same connections.
 *
 * It is a copy of the host process, so the host has another pid after such an accident. It
 * inherits SIGTERM and SIGINT that the other process had blocked until it has taken over.
 */
#ifndef HYPERVISOR_HOST_WATCHDOG_H
#define HYPERVISOR_HOST_WATCHDOG_H

struct boot;

/* How many seconds xen#2 may take; the environment can say otherwise. */
#define WATCHDOG_SECONDS	  30
#define WATCHDOG_SECONDS_VARIABLE "SIMXEN_WATCHDOG_SECONDS"

/*
 * Starts a watchdog that boots what @boot says if need be. Returns the descriptor on which it is to
 * be told, which stays open over an exec, or a negative errno.
 */
int watchdog_start(const struct boot *boot);

/*
 * From here on the caller is the host, whatever a watchdog thinks of how long it took. To be called
 * before anything is changed that the former program would need. @hand_over stays open until
 * watchdog_end(). Does not return if the watchdog has decided otherwise: then the process is ended.
 */
void watchdog_claim(int hand_over);

/* Tells it to end, since all is well or since nothing can be done, and closes fd. -1 is allowed. */
void watchdog_end(int fd);

#endif
