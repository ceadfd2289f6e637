/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stream that is pushed by whoever writes it, read in pieces by somebody who pulls, without
 * memory for all of it.
 *
 * The writer can be asked again: as long as the state stands still it writes the same bytes each
 * time. So what is asked for is caught in a window while the whole stream goes by, and the next
 * window costs another pass. The larger the window, the fewer passes; with room for everything
 * there is one.
 */
#ifndef STUBDOM_UPDATE_STREAM_WINDOW_H
#define STUBDOM_UPDATE_STREAM_WINDOW_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct stream_window {
	/* Write the whole stream through @put. Returns 0 or an errno value. */
	int (*write)(void *data, int (*put)(void *sink, const void *bytes, size_t len), void *sink);
	void *data;
	char *bytes; /* the caller's, of @room bytes */
	size_t room;

	uint64_t start;	 /* of the window in the stream */
	size_t len;	 /* bytes in it */
	uint64_t passed; /* bytes of the stream that went by in this pass */
	unsigned int passes;
};

/** Start with an empty window. */
void stream_window_init(struct stream_window *window,
			int (*write)(void *data, int (*put)(void *, const void *, size_t),
				     void *sink),
			void *data, char *bytes, size_t room);

/**
 * Copy up to @room bytes of the stream from @offset on. Returns how many, 0 at its end, or a
 * negative errno.
 */
ssize_t stream_window_read(struct stream_window *window, uint64_t offset, void *piece, size_t room);

#endif
