/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small table, searched from its beginning: it rarely has more than five entries.
 */
#include "ninepfsd/fid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int fid_table_init(struct fid_table *table, unsigned int size)
{
	table->fids = calloc(size, sizeof(*table->fids));
	table->size = table->fids ? size : 0;
	return table->fids ? 0 : -ENOMEM;
}

void fid_table_deinit(struct fid_table *table)
{
	for (unsigned int i = 0; i < table->size; i++)
		if (table->fids[i].used)
			fid_release(&table->fids[i]);
	free(table->fids);
	*table = (struct fid_table){0};
}

struct fid *fid_find(struct fid_table *table, uint32_t number)
{
	for (unsigned int i = 0; i < table->size; i++)
		if (table->fids[i].used && table->fids[i].number == number)
			return &table->fids[i];
	return NULL;
}

struct fid *fid_free(struct fid_table *table)
{
	for (unsigned int i = 0; i < table->size; i++)
		if (!table->fids[i].used)
			return &table->fids[i];
	return NULL;
}

void fid_take(struct fid *fid, uint32_t number, const char *path)
{
	*fid = (struct fid){.number = number, .used = true, .fd = -1};
	memcpy(fid->path, path, strlen(path));
}

void fid_release(struct fid *fid)
{
	if (fid->listing)
		closedir(fid->listing);
	else if (fid->fd >= 0)
		close(fid->fd);
	*fid = (struct fid){.fd = -1};
}
