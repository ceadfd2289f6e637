/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks like libxengnttab.so.1, on a simulated host. The host checks and counts
 * each mapping, then the page is mapped from the machine's memory file. Mappings
 * are released with the handle, hence also when the process ends or execs.
 *
 * As Linux' gntdev does, any refusal by the hypervisor is told as EINVAL.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <xengnttab.h>

#include "client.h"
#include "mapping-table.h"

struct xengntdev_handle {
	struct simxen_client *client;
	struct mapping_table mappings;
};

static int refuse(int error)
{
	errno = error;
	return -1;
}

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned int open_flags)
{
	xengnttab_handle *xgt = calloc(1, sizeof(*xgt));
	int error = xgt ? 0 : -ENOMEM;

	(void)logger;
	(void)open_flags;
	if (xgt)
		error = simxen_client_open(&xgt->client);
	if (error < 0) {
		free(xgt);
		errno = -error;
		return NULL;
	}
	return xgt;
}

int xengnttab_close(xengnttab_handle *xgt)
{
	if (xgt) {
		simxen_client_free(xgt->client);
		mapping_table_deinit(&xgt->mappings);
		free(xgt);
	}
	return 0;
}

int xengnttab_fd(xengnttab_handle *xgt)
{
	return simxen_client_fd(xgt->client);
}

int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t nr_grants)
{
	(void)xgt;
	(void)nr_grants;
	return 0;
}

/* Releases the mapping at address, if there is one. */
static int forget(xengnttab_handle *xgt, uintptr_t address)
{
	uint64_t id;

	if (!mapping_table_take(&xgt->mappings, address, &id))
		return -ENOENT;
	munmap((void *)address, SIMXEN_PAGE_SIZE);
	return simxen_client_ask(xgt->client, SIMXEN_GRANT_UNMAP, id, 0, 0);
}

/* Maps one granted page at where, or anywhere when that is NULL. */
static void *map_one(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot, void *where)
{
	struct simxen_message message = {.op = SIMXEN_GRANT_MAP,
					 .arg = {domid, ref, (prot & PROT_WRITE) != 0}};
	uint64_t id;
	void *address;
	int error;

	if (simxen_client_call(xgt->client, &message, NULL, 0, NULL, NULL) < 0) {
		errno = EINVAL;
		return NULL;
	}
	id = message.arg[0];
	address = simxen_client_map_page(xgt->client, message.arg[1], prot, where);
	error = address ? mapping_table_add(&xgt->mappings, (uintptr_t)address, id) : -errno;
	if (error < 0) {
		simxen_client_ask(xgt->client, SIMXEN_GRANT_UNMAP, id, 0, 0);
		if (address && !where)
			munmap(address, SIMXEN_PAGE_SIZE);
		errno = -error;
		return NULL;
	}
	return address;
}

void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot)
{
	return map_one(xgt, domid, ref, prot, NULL);
}

/* domids has one entry for all pages if stride is 0, one for each if it is 1. */
static void *map_many(xengnttab_handle *xgt, uint32_t count, const uint32_t *domids, size_t stride,
		      const uint32_t *refs, int prot)
{
	size_t length = (size_t)count * SIMXEN_PAGE_SIZE;
	char *start = mmap(NULL, length ? length : 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			   0);

	if (start == MAP_FAILED)
		return NULL;
	for (uint32_t i = 0; i < count; i++) {
		char *where = start + (size_t)i * SIMXEN_PAGE_SIZE;

		if (map_one(xgt, domids[i * stride], refs[i], prot, where))
			continue;
		while (i-- > 0)
			forget(xgt, (uintptr_t)(start + (size_t)i * SIMXEN_PAGE_SIZE));
		munmap(start, length);
		errno = EINVAL;
		return NULL;
	}
	return start;
}

void *xengnttab_map_grant_refs(xengnttab_handle *xgt, uint32_t count, uint32_t *domids,
			       uint32_t *refs, int prot)
{
	return map_many(xgt, count, domids, 1, refs, prot);
}

void *xengnttab_map_domain_grant_refs(xengnttab_handle *xgt, uint32_t count, uint32_t domid,
				      uint32_t *refs, int prot)
{
	return map_many(xgt, count, &domid, 0, refs, prot);
}

void *xengnttab_map_grant_ref_notify(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot,
				     uint32_t notify_offset, evtchn_port_t notify_port)
{
	if (notify_offset != UINT32_MAX || notify_port != UINT32_MAX) {
		errno = ENOSYS;
		return NULL;
	}
	return map_one(xgt, domid, ref, prot, NULL);
}

int xengnttab_unmap(xengnttab_handle *xgt, void *start_address, uint32_t count)
{
	if (!start_address)
		return refuse(EINVAL);
	for (uint32_t i = 0; i < count; i++) {
		uintptr_t address = (uintptr_t)start_address + (uintptr_t)i * SIMXEN_PAGE_SIZE;

		if (forget(xgt, address) == -ENOENT)
			return refuse(ENOENT);
	}
	return 0;
}

/* ---- what nobody needs of a store's host ---- */

int xengnttab_grant_copy(xengnttab_handle *xgt, uint32_t count,
			 xengnttab_grant_copy_segment_t *segs)
{
	(void)xgt;
	(void)count;
	(void)segs;
	return refuse(ENOSYS);
}

int xengnttab_dmabuf_exp_from_refs(xengnttab_handle *xgt, uint32_t domid, uint32_t flags,
				   uint32_t count, const uint32_t *refs, uint32_t *fd)
{
	(void)xgt;
	(void)domid;
	(void)flags;
	(void)count;
	(void)refs;
	(void)fd;
	return refuse(ENOSYS);
}

int xengnttab_dmabuf_exp_wait_released(xengnttab_handle *xgt, uint32_t fd, uint32_t wait_to_ms)
{
	(void)xgt;
	(void)fd;
	(void)wait_to_ms;
	return refuse(ENOSYS);
}

int xengnttab_dmabuf_imp_to_refs(xengnttab_handle *xgt, uint32_t domid, uint32_t fd, uint32_t count,
				 uint32_t *refs)
{
	(void)xgt;
	(void)domid;
	(void)fd;
	(void)count;
	(void)refs;
	return refuse(ENOSYS);
}

int xengnttab_dmabuf_imp_release(xengnttab_handle *xgt, uint32_t fd)
{
	(void)xgt;
	(void)fd;
	return refuse(ENOSYS);
}

/* ---- pages that are shared with others ---- */

/* The same structure as above; its table tells the reference behind each address. */

xengntshr_handle *xengntshr_open(struct xentoollog_logger *logger, unsigned int open_flags)
{
	return xengnttab_open(logger, open_flags);
}

int xengntshr_close(xengntshr_handle *xgs)
{
	return xengnttab_close(xgs);
}

int xengntshr_fd(xengntshr_handle *xgs)
{
	return xengnttab_fd(xgs);
}

/* Shares a new page, which appears at @where. 0, or -1 and errno. */
static int share_one(xengntshr_handle *xgs, uint32_t domid, int writable, char *where,
		     uint32_t *ref)
{
	struct simxen_message message = {.op = SIMXEN_SHARE_ADD, .arg = {domid, writable != 0}};
	int error = simxen_client_call(xgs->client, &message, NULL, 0, NULL, NULL);

	if (error < 0)
		return refuse(-error);
	*ref = (uint32_t)error;
	if (!simxen_client_map_page(xgs->client, message.arg[0], PROT_READ | PROT_WRITE, where)) {
		error = -errno;
	} else {
		error = mapping_table_add(&xgs->mappings, (uintptr_t)where, *ref);
	}
	if (error >= 0)
		return 0;
	simxen_client_ask(xgs->client, SIMXEN_SHARE_END, *ref, 0, 0);
	return refuse(-error);
}

int xengntshr_unshare(xengntshr_handle *xgs, void *start_address, uint32_t count)
{
	uint64_t ref;

	for (uint32_t i = 0; i < count; i++)
		if (mapping_table_take(&xgs->mappings,
				       (uintptr_t)start_address + (uintptr_t)i * SIMXEN_PAGE_SIZE,
				       &ref))
			simxen_client_ask(xgs->client, SIMXEN_SHARE_END, ref, 0, 0);
	return munmap(start_address, (size_t)count * SIMXEN_PAGE_SIZE);
}

void *xengntshr_share_pages(xengntshr_handle *xgs, uint32_t domid, int count, uint32_t *refs,
			    int writable)
{
	size_t length = count > 0 ? (size_t)count * SIMXEN_PAGE_SIZE : 0;
	char *start = mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int error;

	if (start == MAP_FAILED)
		return NULL;
	for (int i = 0; i < count; i++) {
		char *where = start + (size_t)i * SIMXEN_PAGE_SIZE;

		if (share_one(xgs, domid, writable, where, &refs[i]) == 0)
			continue;
		error = errno;
		xengntshr_unshare(xgs, start, (uint32_t)count);
		errno = error;
		return NULL;
	}
	return start;
}

void *xengntshr_share_page_notify(xengntshr_handle *xgs, uint32_t domid, uint32_t *ref,
				  int writable, uint32_t notify_offset, evtchn_port_t notify_port)
{
	if (notify_offset != UINT32_MAX || notify_port != UINT32_MAX) {
		errno = ENOSYS;
		return NULL;
	}
	return xengntshr_share_pages(xgs, domid, 1, ref, writable);
}
