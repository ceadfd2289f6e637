/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The only state here that belongs to a process rather than to a handle: munmap()
 * does not say whose page it is.
 */
#include "foreign.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

#include "mapping-table.h"

static struct {
	pthread_mutex_t lock;
	struct simxen_client *client;
	struct mapping_table table;
} foreign = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int add(struct simxen_client *client, uintptr_t address, uint64_t id)
{
	int error = -EBUSY; /* pages of two handles at a time are not told apart */

	pthread_mutex_lock(&foreign.lock);
	if (!foreign.client || foreign.client == client || !foreign.table.used) {
		foreign.client = client;
		error = mapping_table_add(&foreign.table, address, id);
	}
	pthread_mutex_unlock(&foreign.lock);
	return error;
}

void *simxen_foreign_map(struct simxen_client *client, uint32_t domid, uint64_t frame, int prot)
{
	struct simxen_message message = {.op = SIMXEN_FOREIGN_MAP, .arg = {domid, frame}};
	int error = simxen_client_call(client, &message, NULL, 0, NULL, NULL);
	uint64_t id = message.arg[0];
	void *address;

	if (error < 0) {
		errno = -error;
		return NULL;
	}
	address = simxen_client_map_page(client, message.arg[1], prot, NULL);
	error = address ? add(client, (uintptr_t)address, id) : -errno;
	if (error == 0)
		return address;
	if (address)
		munmap(address, SIMXEN_PAGE_SIZE);
	simxen_client_ask(client, SIMXEN_GRANT_UNMAP, id, 0, 0);
	errno = -error;
	return NULL;
}

void simxen_foreign_unmapped(uintptr_t address, size_t length)
{
	uint64_t id;

	pthread_mutex_lock(&foreign.lock);
	for (size_t offset = 0; foreign.table.used && offset < length; offset += SIMXEN_PAGE_SIZE)
		if (mapping_table_take(&foreign.table, address + offset, &id))
			simxen_client_ask(foreign.client, SIMXEN_GRANT_UNMAP, id, 0, 0);
	pthread_mutex_unlock(&foreign.lock);
}

void simxen_foreign_forget(struct simxen_client *client)
{
	pthread_mutex_lock(&foreign.lock);
	if (foreign.client == client) {
		mapping_table_deinit(&foreign.table);
		foreign.client = NULL;
	}
	pthread_mutex_unlock(&foreign.lock);
}
