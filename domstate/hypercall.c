/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The domctl hypercall through Linux's privcmd device, by the stable library for it. */
#include <errno.h>
#include <stdlib.h>

#include <xencall.h>

#include "domstate/domctl.h"
#include "domstate/open.h"

#define HYPERVISOR_DOMCTL 36

struct library_domctl {
	struct domctl base; /* first */
	xencall_handle *call;
};

static int call(struct domctl *domctl)
{
	struct library_domctl *library = (struct library_domctl *)domctl;

	if (xencall1(library->call, HYPERVISOR_DOMCTL, (uint64_t)(uintptr_t)domctl->buffer) < 0)
		return -errno;
	return 0;
}

static void close_library(struct domctl *domctl)
{
	struct library_domctl *library = (struct library_domctl *)domctl;

	if (domctl->buffer)
		xencall_free_buffer(library->call, domctl->buffer);
	if (library->call)
		xencall_close(library->call);
	free(library);
}

int domstate_hypercall(unsigned int probe_domid, struct domstate **out)
{
	struct library_domctl *library = calloc(1, sizeof(*library));
	int error;

	if (!library)
		return -ENOMEM;
	library->base.call = call;
	library->base.close = close_library;
	library->call = xencall_open(NULL, 0);
	error = library->call ? 0 : -errno;
	if (!error) {
		library->base.buffer = xencall_alloc_buffer(library->call, DOMCTL_SIZE);
		error = library->base.buffer ? 0 : -ENOMEM;
	}
	if (!error)
		error = domstate_get_domain_state(&library->base, probe_domid, out);
	if (error)
		close_library(&library->base);
	return error;
}
