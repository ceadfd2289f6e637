/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As many calls as it takes. */
#include "liveupdate/read-at.h"

#include <errno.h>
#include <unistd.h>

ssize_t read_at(int fd, void *to, size_t len, uint64_t offset)
{
	size_t done = 0;

	while (done < len) {
		ssize_t got = pread(fd, (char *)to + done, len - done, (off_t)(offset + done));

		if (!got)
			break;
		if (got > 0)
			done += (size_t)got;
		else if (errno != EINTR)
			return -errno;
	}
	return (ssize_t)done;
}
