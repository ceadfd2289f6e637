/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See devices.h. */
#include "ninepfsd/devices.h"

#include <errno.h>
#include <stdlib.h>

int devices_init(struct devices *devices)
{
	*devices = (struct devices){.dirty_end = &devices->dirty};
	devices->by_domid = calloc(DEVICES_NUMBER_MAX, sizeof(struct backend *));
	return devices->by_domid ? 0 : -ENOMEM;
}

void devices_deinit(struct devices *devices)
{
	free(devices->by_domid);
	*devices = (struct devices){0};
}

struct backend *devices_find(const struct devices *devices, unsigned int domid, unsigned int number)
{
	struct backend *device = devices->by_domid[domid];

	while (device && device->number != number)
		device = device->sibling;
	return device;
}

void devices_queue(struct devices *devices, struct backend *device)
{
	if (device->dirty)
		return;
	device->dirty = true;
	device->next_dirty = NULL;
	*devices->dirty_end = device;
	devices->dirty_end = &device->next_dirty;
}

static struct backend *add(struct devices *devices, unsigned int domid, unsigned int number)
{
	struct backend *device = backend_new(domid, number);

	if (!device)
		return NULL;
	device->sibling = devices->by_domid[domid];
	devices->by_domid[domid] = device;
	device->next = devices->first;
	device->link = &devices->first;
	if (device->next)
		device->next->link = &device->next;
	devices->first = device;
	return device;
}

void devices_note(struct devices *devices, unsigned int domid, unsigned int number)
{
	struct backend *device = devices_find(devices, domid, number);

	if (!device)
		device = add(devices, domid, number);
	if (device)
		devices_queue(devices, device);
}

void devices_queue_domain(struct devices *devices, unsigned int domid)
{
	for (struct backend *device = devices->by_domid[domid]; device; device = device->sibling)
		devices_queue(devices, device);
}

void devices_queue_all(struct devices *devices)
{
	for (struct backend *device = devices->first; device; device = device->next)
		devices_queue(devices, device);
}

struct backend *devices_take(struct devices *devices)
{
	struct backend *device = devices->dirty;

	if (!device)
		return NULL;
	devices->dirty = device->next_dirty;
	if (!devices->dirty)
		devices->dirty_end = &devices->dirty;
	device->dirty = false;
	return device;
}

void devices_remove(struct devices *devices, struct backend *device)
{
	struct backend **sibling = &devices->by_domid[device->domid];

	while (*sibling != device)
		sibling = &(*sibling)->sibling;
	*sibling = device->sibling;
	*device->link = device->next;
	if (device->next)
		device->next->link = device->link;
}
