/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event loop: who has something to say, then one turn of the core.
 *
 * Descriptors are registered once, edge-triggered: a client remembers whether
 * there may be more to read or room to write, so a request costs one wait, one
 * receive and one send, however many others are connected.
 */
#ifndef XENSTORED_DAEMON_LOOP_H
#define XENSTORED_DAEMON_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct core;
struct loop;

/* Something that waits for a descriptor. */
struct loop_source {
	int fd;
	void (*ready)(struct loop *loop, struct loop_source *source, uint32_t events);
	void *data;
};

struct loop {
	int epoll_fd;
	bool stop;
	struct core *core;
	/* Called between turns, or NULL; returns the most ms that the loop may wait then. */
	int (*between)(void *data);
	void *data;
};

/** Returns 0 or a negative errno. */
int loop_open(struct loop *loop, struct core *core);

/** Watch a descriptor for input; @edge: tell about changes only. Returns 0 or a negative errno. */
int loop_add(struct loop *loop, struct loop_source *source, bool edge);

/** Tell about room for output as well, or not any more. For a source that was added with @edge. */
void loop_want_output(struct loop *loop, struct loop_source *source, bool want);
void loop_remove(struct loop *loop, struct loop_source *source);

/** Switch a level-triggered source off or on. */
void loop_enable(struct loop *loop, struct loop_source *source, bool enable);

/** Run until loop->stop. Returns 0 or a negative errno when waiting itself failed. */
int loop_run(struct loop *loop);

#endif
