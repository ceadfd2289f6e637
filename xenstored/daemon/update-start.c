/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program that starts from an image: finding and restoring it. */
#include "daemon/update-parts.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/paths.h"

/* Steps by which the heap grows during a restore, and the allocator's own. */
#define HEAP_STEP	(16 << 20)
#define HEAP_STEP_USUAL (128 << 10)

int update_state_file(const char *rundir, char *path, size_t size)
{
	int len = snprintf(path, size, "%s/state_dump", paths_rundir(rundir));

	return len < 0 || (size_t)len >= size ? ENAMETOOLONG : 0;
}

/* The first record says which descriptors are meant. */
static int read_global(struct update_image *image, struct inheritance *inheritance)
{
	struct stream_reader reader;
	struct stream_record record;
	struct stream_error error;

	image->global.listen_fd = image->global.evtchn_fd = -1;
	if (stream_reader_init(&reader, image->data, image->size, &error) ||
	    stream_next(&reader, &record, &error) != STREAM_RECORD)
		return -EINVAL;
	if (record.type == STREAM_GLOBAL && record.understood)
		image->global = record.global;
	image->global.listen_fd = inheritance_take(inheritance, image->global.listen_fd);
	image->global.evtchn_fd = inheritance_take(inheritance, image->global.evtchn_fd);
	return 0;
}

int update_open_image(struct update_image *image, struct inheritance *inheritance,
		      const char *rundir)
{
	struct stat stat_now;
	int fd = inheritance->image_fd;

	memset(image, 0, sizeof(*image));
	if (!inheritance->update) {
		if (update_state_file(rundir, image->path, sizeof(image->path)))
			return -ENAMETOOLONG;
		image->from_file = true;
		fd = open(image->path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
	}
	if (fstat(fd, &stat_now) || stat_now.st_size <= 0)
		return -EINVAL;
	image->size = (size_t)stat_now.st_size;
	image->data = mmap(NULL, image->size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	close(fd);
	if (image->data == MAP_FAILED)
		return -errno;
	return read_global(image, inheritance);
}

void update_restore(struct update *update, struct update_image *image,
		    struct inheritance *inheritance)
{
	struct image_report report;
	char path[PATH_MAX];
	int error;

	log_message(LOG_INFO, "live-update: read state");
	update->inheritance = inheritance;
	update->process.failure = inheritance->failure[0] ? inheritance->failure : NULL;
	/* The store comes in small pieces: have the heap grow in large steps meanwhile. */
	mallopt(M_TOP_PAD, HEAP_STEP);
	error = image_restore(update->core, &update->process, image->data, image->size, &report);
	mallopt(M_TOP_PAD, HEAP_STEP_USUAL);
	if (error)
		fatal("live-update: inconsistent state data %s", report.error);
	munmap(image->data, image->size);
	if (image->from_file)
		unlink(image->path);
	/* What was written for a foreign program that did not come to serve is of the past. */
	if (inheritance->foreign && !update_state_file(update->rundir, path, sizeof(path)))
		unlink(path);
	fcntl(update->listener->fd, F_SETFD, FD_CLOEXEC);
	if (update->host->has_rings)
		fcntl(update->host->device.source.fd, F_SETFD, FD_CLOEXEC);
	inheritance_close_rest(inheritance);
	update->inheritance = NULL;
	guard_serving(inheritance->status_fd);
	signals_let_end(update->signals);
	update->helpers_left = inheritance->status_fd >= 0;
}
