/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A front-end for Xen's 9pfs devices: files in another domain, for a program without an operating
 * system.
 *
 * It is driven from outside. Nothing here waits, except ninep_finish() and ninep_flush(), which the
 * caller asks to wait until a deadline. There is at most one 9P request under way, so that every
 * answer can be checked against exactly one question, and a connection is five numbers that survive
 * a change of the program (struct ninep_saved). The back-end is not trusted: what it writes is
 * copied once and checked, and a back-end that is silent, dead or mad costs log lines, which are
 * counted, and nothing else.
 *
 * What the caller does:
 *
 *	fe = ninep_new(&platform, &memory, NULL);
 *	ninep_append_open(fe, NINEP_LOG, "xenstored.log");	 before there is any back-end, too
 *	...
 *	on a change below device/9pfs/0 or of the back-end's nodes:	 ninep_changed(fe)
 *	on an event of ninep_port(fe), or when ninep_timeout(fe) has passed: ninep_turn(fe)
 *	to log:	 ninep_append(fe, NINEP_LOG, line, length)
 *
 * Spec: stubdom.md section 5.
 */
#ifndef XENSTORED_NINEP_FRONTEND_H
#define XENSTORED_NINEP_FRONTEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define NINEP_PAGE_SIZE 4096U

/* Data pages are 1 << order; half of them for each direction. */
#define NINEP_ORDER_MAX 4U
#define NINEP_PAGES_MAX (1U << NINEP_ORDER_MAX)

/* Longest name of a file, with its directories, relative to the back-end's directory. */
#define NINEP_NAME_MAX 255U

/* "No time-out is needed" as an answer, "forever" as a deadline. */
#define NINEP_NEVER UINT64_MAX

/*
 * What the front-end needs of its platform. Times are milliseconds since some fixed moment. No
 * function may call the front-end back.
 */
struct ninep_platform;
struct ninep_platform_ops {
	uint64_t (*now)(struct ninep_platform *platform);

	/* Signal the port's other end. Failures are not told: the next event repairs them. */
	void (*notify)(struct ninep_platform *platform, uint32_t port);

	/*
	 * Wait until there is an event on @port or @deadline has passed, whichever is first. The
	 * event is taken (its pending bit is cleared) before the function returns. Called by
	 * ninep_finish() and ninep_flush() only.
	 */
	void (*wait)(struct ninep_platform *platform, uint32_t port, uint64_t deadline);

	/*
	 * Read a node into @value, which becomes a string of less than @size bytes. @path is
	 * absolute or, as "device/9pfs/0/state", below the home of the own domain. Returns 0 or
	 * -errno: -ENOENT when there is no such node, -E2BIG when the value is too long.
	 */
	int (*read)(struct ninep_platform *platform, const char *path, char *value, size_t size);

	/* Write a node; @path as above. Returns 0 or -errno. */
	int (*write)(struct ninep_platform *platform, const char *path, const char *value);

	/*
	 * Let @domid map the page at @page, for writing. @page is one of the pages the front-end
	 * was given. One that @domid may map already, since an earlier program's time, keeps its
	 * reference. Returns 0 and the reference, or -errno.
	 */
	int (*grant)(struct ninep_platform *platform, unsigned int domid, void *page,
		     uint32_t *ref);

	/* Take a grant back. Returns 0, or -EBUSY while it is mapped. */
	int (*ungrant)(struct ninep_platform *platform, uint32_t ref);

	/* A new event channel port that @domid can bind. Returns 0 and the port, or -errno. */
	int (*alloc_port)(struct ninep_platform *platform, unsigned int domid, uint32_t *port);

	void (*close_port)(struct ninep_platform *platform, uint32_t port);

	/* One line for the administrator, without newline. Not to be sent to this front-end. */
	void (*message)(struct ninep_platform *platform, const char *text);
};

/* Embed this in the platform's own structure. */
struct ninep_platform {
	const struct ninep_platform_ops *ops;
};

/*
 * The pages that are shared with the back-end. They must stay where they are as long as the
 * back-end may have them mapped, hence across a change of the program.
 */
struct ninep_memory {
	void *interface;    /* one page */
	void *data;	    /* 1 << order pages */
	unsigned int order; /* 1 to NINEP_ORDER_MAX */
};

/* Files that are appended to. */
enum ninep_slot { NINEP_LOG, NINEP_TRACE, NINEP_SLOTS };

/*
 * What the next program needs to go on with the connection: numbers only, no pointers, the same
 * layout for each build. @version is the first member of every layout.
 */
#define NINEP_SAVED_VERSION 1U
struct ninep_saved {
	uint32_t version;
	uint32_t connected;  /* 0: only the grants are worth keeping */
	uint32_t backend_id; /* whom the pages are granted to */
	uint32_t order;
	uint32_t port;
	uint32_t granted; /* number of refs[] in use: the interface page's first */
	uint32_t refs[1 + NINEP_PAGES_MAX];
	uint32_t out_prod; /* our two indices */
	uint32_t in_cons;
	uint32_t msize;	  /* as agreed; 0: not agreed yet */
	uint32_t tag;	  /* of the last request */
	uint32_t awaited; /* an answer to it is still to come and to be thrown away */
	uint32_t fids;	  /* bit n: the back-end may know fid n */
	uint32_t reserved;
	uint64_t dropped[NINEP_SLOTS]; /* bytes that were not written, ever */
	uint64_t dropped_lines[NINEP_SLOTS];
};

struct ninep;

/**
 * Make a front-end. Allocates what it will ever need; no other function allocates.
 *
 * @platform and the memory's pages must outlive it. @saved: from ninep_save() of the program
 * before, else NULL; one that does not fit (version, order, impossible indices) is refused with
 * a message and the connection is made anew. Nothing is sent before the first ninep_changed() or
 * ninep_turn(). NULL: no memory, or an order out of range.
 */
struct ninep *ninep_new(struct ninep_platform *platform, const struct ninep_memory *memory,
			const struct ninep_saved *saved);

/** Forget the front-end without a word to the back-end: pages, port and grants stay as they are. */
void ninep_free(struct ninep *fe);

/** End the connection as a device does: state 5, then 6; port closed, grants taken back if free. */
void ninep_close(struct ninep *fe);

/**
 * Note how the connection stands, for the next program. To be called last: the front-end must not
 * be used for files afterwards, unless the change of programs fails, when one just goes on.
 */
void ninep_save(const struct ninep *fe, struct ninep_saved *saved);

/**
 * Whenever a request is on the ring, and before the back-end is told, call @sent: if the connection
 * is saved then, another program can go on with it however this one ends. NULL: no more.
 */
void ninep_on_send(struct ninep *fe, void (*sent)(void *data), void *data);

/* ---- what the event loop calls ---- */

/** Nodes of the device or its back-end may have changed: look at them. Cheap: two to six reads. */
void ninep_changed(struct ninep *fe);

/** Do what can be done without waiting, a bounded amount. */
void ninep_turn(struct ninep *fe);

/** When ninep_turn() wants to be called even without an event; NINEP_NEVER: not at all. */
uint64_t ninep_timeout(const struct ninep *fe);

/** The event channel to listen to; 0: none at present. Changes with each new connection. */
uint32_t ninep_port(const struct ninep *fe);

/** Whether files can be reached at this moment. */
bool ninep_connected(const struct ninep *fe);

/* ---- appending ---- */

/**
 * Append to the file @name from now on; it is created with mode 0600 if need be. What
 * is still queued goes there, too. The same name again opens the file anew at once (it was
 * rotated); otherwise that happens every minute. NULL: append nowhere; what comes then is neither
 * kept nor counted. Returns 0, or -EINVAL: a name that is absolute, empty, too long, or has empty,
 * "." or ".." components.
 */
int ninep_append_open(struct ninep *fe, enum ninep_slot slot, const char *name);

/**
 * Queue a line (or several) for the slot's file. Never waits. False: there is no room, and all of
 * it was dropped and counted. When there is room again, a line in the file tells how many
 * were lost.
 */
bool ninep_append(struct ninep *fe, enum ninep_slot slot, const void *text, size_t length);

/** Lines that were dropped up to now, for reports. */
uint64_t ninep_dropped_lines(const struct ninep *fe, enum ninep_slot slot);

/** Wait until all that is queued is written or @deadline has passed; 0, or -ETIMEDOUT, -ENOTCONN.
 */
int ninep_flush(struct ninep *fe, uint64_t deadline);

/**
 * Leave the connection to a front-end of another kind: all files are closed, after what is queued
 * for them, and only the root is still known to the back-end. Waits until @deadline. Nothing is
 * written from then on, unless ninep_append_open() is called anew. Returns 0, -ETIMEDOUT,
 * -ENOTCONN.
 */
int ninep_leave(struct ninep *fe, uint64_t deadline);

/* ---- whole files ---- */

enum ninep_job_kind {
	NINEP_WRITE, /* create or truncate, then write piece after piece */
	NINEP_READ,  /* from the beginning to the end, piece after piece */
	NINEP_REMOVE /* a file that is not there counts as removed */
};

/*
 * One job. The caller keeps it, and everything behind it, until done is called or
 * ninep_cancel() was.
 */
struct ninep_job {
	enum ninep_job_kind kind;
	const char *name;

	/*
	 * NINEP_WRITE: put the bytes from @offset on, at most @room, to @piece. Returns their
	 * number, 0 when the file is complete, or a -errno that ends the job. A back-end may take a
	 * part only; then @offset is less than where the piece before ended.
	 */
	ssize_t (*fill)(struct ninep_job *job, uint64_t offset, void *piece, size_t room);

	/* NINEP_READ: take the next piece, of at least one byte. 0, or a -errno that ends it. */
	int (*take)(struct ninep_job *job, uint64_t offset, const void *piece, size_t length);

	/*
	 * The end: 0, the errno of the back-end as -errno, -ENOTCONN when the connection was
	 * lost, -EPROTO when the back-end does not make sense. May submit another job. May
	 * be NULL.
	 */
	void (*done)(struct ninep_job *job, int error);

	/* The front-end's. */
	struct ninep_job *next;
	bool queued;
};

/** Queue a job; jobs are done one after another. 0; -EINVAL (name), -EBUSY (queued already). */
int ninep_submit(struct ninep *fe, struct ninep_job *job);

/** Forget a job, whatever its state, without a call of done(). */
void ninep_cancel(struct ninep *fe, struct ninep_job *job);

/**
 * Submit the job and wait for its end. Other work of the front-end goes on meanwhile. Returns what
 * done would be told, or -ETIMEDOUT, when the job has been cancelled. -ENOTCONN at once
 * when there is no connection.
 */
int ninep_finish(struct ninep *fe, struct ninep_job *job, uint64_t deadline);

#endif
