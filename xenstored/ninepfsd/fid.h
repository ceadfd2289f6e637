/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a client's fids stand for: a path, and perhaps an open file.
 */
#ifndef XENSTORED_NINEPFSD_FID_H
#define XENSTORED_NINEPFSD_FID_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>

#include "ninepfsd/share.h"

struct fid {
	uint32_t number;
	bool used;
	char path[SHARE_PATH_MAX + 1]; /* "" is the root */
	int fd;			       /* -1: not open */
	ino_t inode;		       /* of the open file */
	bool readable, writable, append;
	bool remove;   /* when closed */
	DIR *listing;  /* of an open directory; owns fd */
	uint64_t next; /* offset of the next piece of the listing */
};

struct fid_table {
	struct fid *fids; /* max_open of them */
	unsigned int size;
};

/** Room for @size fids: 0 or -ENOMEM. */
int fid_table_init(struct fid_table *table, unsigned int size);
void fid_table_deinit(struct fid_table *table);

/** The fid of that number, or NULL. */
struct fid *fid_find(struct fid_table *table, uint32_t number);

/** A fid that is not in use, or NULL. It is taken by fid_take(). */
struct fid *fid_free(struct fid_table *table);
void fid_take(struct fid *fid, uint32_t number, const char *path);

/** Close its file and forget it. */
void fid_release(struct fid *fid);

#endif
