/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks like libxencall.so.1, on a simulated host. Arguments are addresses in the
 * caller's memory, so each hypercall that takes one must be known here: domctl,
 * whose structure has a fixed size, and the version of Xen. Everything else is
 * ENOSYS.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <xencall.h>

#include "client.h"

#define HYPERVISOR_XEN_VERSION 17U
#define HYPERVISOR_DOMCTL      36U

/* Command, interface version, domain and padding, and a union of 128 bytes. */
#define DOMCTL_SIZE 144U

#define PAGE_SIZE 4096U

struct xencall_handle {
	struct simxen_client *client;
};

xencall_handle *xencall_open(struct xentoollog_logger *logger, unsigned int open_flags)
{
	xencall_handle *xcall = calloc(1, sizeof(*xcall));
	int error = xcall ? 0 : -ENOMEM;

	(void)logger;
	(void)open_flags;
	if (xcall)
		error = simxen_client_open(&xcall->client);
	if (error < 0) {
		free(xcall);
		errno = -error;
		return NULL;
	}
	return xcall;
}

int xencall_close(xencall_handle *xcall)
{
	if (xcall) {
		simxen_client_free(xcall->client);
		free(xcall);
	}
	return 0;
}

int xencall_fd(xencall_handle *xcall)
{
	return simxen_client_fd(xcall->client);
}

static int hypercall(xencall_handle *xcall, unsigned int op, uint64_t arg1)
{
	struct simxen_message message = {.op = SIMXEN_DOMCTL};
	void *structure = (void *)(uintptr_t)arg1;
	size_t length = DOMCTL_SIZE;
	int result = -ENOSYS;

	if (op == HYPERVISOR_DOMCTL) {
		result = simxen_client_call(xcall->client, &message, structure, DOMCTL_SIZE,
					    structure, &length);
	} else if (op == HYPERVISOR_XEN_VERSION && arg1 == 0) {
		message.op = SIMXEN_XEN_VERSION;
		result = simxen_client_call(xcall->client, &message, NULL, 0, NULL, NULL);
	}
	if (result >= 0)
		return result;
	errno = -result;
	return -1;
}

int xencall0(xencall_handle *xcall, unsigned int op)
{
	(void)xcall;
	(void)op;
	errno = ENOSYS;
	return -1;
}

int xencall1(xencall_handle *xcall, unsigned int op, uint64_t arg1)
{
	return hypercall(xcall, op, arg1);
}

int xencall2(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2)
{
	(void)arg2;
	return hypercall(xcall, op, arg1);
}

long xencall2L(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2)
{
	return xencall2(xcall, op, arg1, arg2);
}

int xencall3(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2, uint64_t arg3)
{
	(void)arg3;
	return xencall2(xcall, op, arg1, arg2);
}

int xencall4(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2, uint64_t arg3,
	     uint64_t arg4)
{
	(void)arg4;
	return xencall3(xcall, op, arg1, arg2, arg3);
}

int xencall5(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2, uint64_t arg3,
	     uint64_t arg4, uint64_t arg5)
{
	(void)arg5;
	return xencall4(xcall, op, arg1, arg2, arg3, arg4);
}

void *xencall_alloc_buffer_pages(xencall_handle *xcall, size_t nr_pages)
{
	void *pages = mmap(NULL, nr_pages * PAGE_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)xcall;
	return pages == MAP_FAILED ? NULL : pages;
}

void xencall_free_buffer_pages(xencall_handle *xcall, void *p, size_t nr_pages)
{
	(void)xcall;
	if (p)
		munmap(p, nr_pages * PAGE_SIZE);
}

/* Whole pages, like the real one; nobody may rely on what is in them. */
void *xencall_alloc_buffer(xencall_handle *xcall, size_t size)
{
	size_t pages = (size + PAGE_SIZE - 1) / PAGE_SIZE;
	void *p = aligned_alloc(PAGE_SIZE, (pages ? pages : 1) * PAGE_SIZE);

	(void)xcall;
	return p;
}

void xencall_free_buffer(xencall_handle *xcall, void *p)
{
	(void)xcall;
	free(p);
}

int xencall_buffers_never_fault(xencall_handle *xcall)
{
	(void)xcall;
	return 1;
}
