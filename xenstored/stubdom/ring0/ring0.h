/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ring-0 layer as the program above it sees it: what it found at its start,
 * and the parts of it that may be called directly.
 *
 * The program is an ordinary static one, which the layer starts as Linux would;
 * the C library reaches the layer by its system calls. What no system call
 * expresses (event channels, grants, sleeping) has functions in the other
 * headers of this directory.
 */
#ifndef XENSTORED_STUBDOM_RING0_RING0_H
#define XENSTORED_STUBDOM_RING0_RING0_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longer command lines are cut off; a live update refuses them, and builders make none. */
#define RING0_COMMAND_LINE_MAX 4096u

struct hypervisor_info {
	uint32_t version;   /* major << 16 | minor */
	unsigned int domid; /* our own; DOMID_INVALID: it was not told */
};

/* A file that came with the image: an initial ram disk, or what another image left us. */
struct ring0_module {
	uintptr_t start;
	size_t size;
	const char *text; /* its own command line; "" if there is none */
};

#define RING0_MODULES_MAX 4u

struct ring0 {
	struct hypervisor_info hypervisor;
	uintptr_t hypercall_page;
	uintptr_t store_page;  /* the own domain's ring; 0 = none */
	uint32_t store_port;   /* 0 = none */
	uint32_t console_port; /* 0 = none */
	unsigned int module_count;
	struct ring0_module module[RING0_MODULES_MAX];
	char command_line[RING0_COMMAND_LINE_MAX];
};

/* Filled before the program starts, and only read then. */
extern struct ring0 ring0;

/** Find the hypervisor and set up hypercalls. Returns false when there is none. */
bool hypercall_init(struct hypervisor_info *info);

/** Set up exceptions, the upcall and the syscall instruction. */
void traps_init(void);

/** Say what is wrong, on the console and the debug port, and end as crashed: ring0_shutdown(). */
_Noreturn void ring0_panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** End the domain, if there is no way back from an update; @reason: SHUTDOWN_... of the public
 * headers. */
_Noreturn void ring0_shutdown(unsigned int reason);

#endif
