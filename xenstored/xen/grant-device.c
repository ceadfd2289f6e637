/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The grant device of Linux, and the kernel's files about its own ring. */
#include <xengnttab.h>

#include "xen/grant-device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bytes/wire.h"

#define GRANT_XENSTORE 1u
#define PAGE_BYTES     4096u

int grant_device_own_port(void)
{
	char text[16];
	int fd = open("/proc/xen/xsd_port", O_RDONLY | O_CLOEXEC);
	ssize_t len;
	char *end;
	unsigned long port;

	if (fd < 0)
		return -errno;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (len <= 0)
		return -EIO;
	text[len] = 0;
	port = strtoul(text, &end, 0);
	return end == text || port > INT32_MAX ? -EINVAL : (int)port;
}

static void *map_own(void)
{
	int fd = open("/proc/xen/xsd_kva", O_RDWR | O_CLOEXEC);
	void *page;

	if (fd < 0)
		return NULL;
	page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return page == MAP_FAILED ? NULL : page;
}

static int map(struct ring_pages *pages, unsigned int domid, void **page)
{
	struct grant_device *device = (struct grant_device *)(void *)pages;

	errno = 0;
	if (domid == device->own_domid)
		*page = map_own();
	else
		*page = xengnttab_map_grant_ref(device->handle, domid, GRANT_XENSTORE,
						PROT_READ | PROT_WRITE);
	if (*page)
		return 0;
	return errno ? -errno : -EINVAL;
}

static void unmap(struct ring_pages *pages, unsigned int domid, void *page)
{
	struct grant_device *device = (struct grant_device *)(void *)pages;

	if (domid == device->own_domid)
		munmap(page, PAGE_BYTES);
	else
		xengnttab_unmap(device->handle, page, 1);
}

int grant_device_open(struct grant_device *device, unsigned int own_domid)
{
	memset(device, 0, sizeof(*device));
	device->pages.map = map;
	device->pages.unmap = unmap;
	device->own_domid = own_domid;
	device->handle = xengnttab_open(NULL, 0);
	if (!device->handle)
		return -errno;
	xengnttab_set_max_grants(device->handle, DOMID_FIRST_RESERVED);
	return 0;
}
