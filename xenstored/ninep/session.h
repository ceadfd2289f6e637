/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of the front-end: one connection, one request at a time, and the tasks that take turns
 * in asking.
 *
 *	device.c    the nodes: when is there a connection?
 *	session.c   requests and answers
 *	file.c      how a file is opened and closed
 *	append.c    task: a queue that is written to a file
 *	job.c       task: whole files
 *	frontend.c  the functions of frontend.h
 */
#ifndef XENSTORED_NINEP_SESSION_H
#define XENSTORED_NINEP_SESSION_H

#include "ninep/frontend.h"
#include "ninep/ring.h"
#include "ninep/wire.h"

struct task;

struct task_ops {
	/* Send the next request, if there is anything to do. False: there is not. */
	bool (*ask)(struct ninep *fe, struct task *task);
	/*
	 * The answer: @error is 0 or the back-end's errno, negative; @body what follows the header.
	 * Returns false when it makes no sense, which ends the connection.
	 */
	bool (*answer)(struct ninep *fe, struct task *task, int error, struct p9_reader *body);
	/* The connection is gone, and with it every fid. @error: -ENOTCONN or -EPROTO. */
	void (*lost)(struct ninep *fe, struct task *task, int error);
};

struct task {
	const struct task_ops *ops;
};

/* A file that one task opens and closes. */
enum file_state {
	FILE_CLOSED,
	FILE_WALK, /* to the file itself */
	FILE_OPEN,
	FILE_CLONE, /* it does not exist: walk to its directory */
	FILE_CREATE,
	FILE_STAT,
	FILE_READY,
	FILE_CLUNK
};

struct file {
	enum file_state state;
	uint32_t fid;
	char name[NINEP_NAME_MAX + 1];
	uint8_t mode;
	bool create;  /* if it is not there */
	bool measure; /* find out its length */
	bool again;   /* after the clunk: somebody else was faster */
	unsigned int tries;
	unsigned int names; /* asked for in the walk under way */
	int error;	    /* why it was closed */
	uint64_t length;
};

/* Room for lines that wait for the back-end. */
#define SLOT_QUEUE 65536U

struct slot {
	struct task task;
	struct file file;
	char name[NINEP_NAME_MAX + 1]; /* "": none */
	bool reopen;
	unsigned char *queue; /* a ring of SLOT_QUEUE bytes */
	size_t start, count;
	size_t asked; /* bytes in the write under way */
	size_t sent;  /* of these, those that are still in the queue */
	uint64_t offset;
	uint64_t opened_at;
	uint64_t retry_at, delay;
	uint64_t dropped, dropped_lines;
	uint64_t untold, untold_lines; /* of these, not yet mentioned in the file */
};

struct jobs {
	struct task task;
	struct file file;
	struct ninep_job *current, *first, **last;
	size_t asked;
	uint64_t offset;
};

enum session_state { SESSION_CLEAN, SESSION_VERSION, SESSION_ATTACH, SESSION_READY };

enum device_state {
	DEVICE_IDLE,
	DEVICE_OFFERED, /* our nodes are written, the back-end has not answered */
	DEVICE_CONNECTED,
	DEVICE_BROKEN /* over, but the back-end has not been told yet */
};

struct ninep {
	struct ninep_platform *platform;
	struct ninep_memory memory;

	/* device.c */
	enum device_state device;
	bool waiting;	 /* in ninep_finish() or ninep_flush(): no node may be touched */
	bool look_again; /* at retry_at */
	uint32_t backend_id;
	uint32_t order;
	uint32_t port;
	uint32_t granted;
	uint32_t refs[1 + NINEP_PAGES_MAX];
	uint64_t retry_at, delay;

	/* session.c */
	struct p9_producer out;
	struct p9_consumer in;
	unsigned char *message; /* room for the largest */
	enum session_state session;
	struct task session_task;
	uint32_t msize;
	uint16_t tag;
	uint8_t asked;	    /* type of the request under way, 0: none */
	struct task *asker; /* NULL: nobody is interested in the answer */
	uint32_t fids;
	unsigned int turn; /* whose turn it is to ask */
	bool more;	   /* there is more to do at once */
	void (*sent)(void *data);
	void *sent_data;

	struct jobs jobs;
	struct slot slots[NINEP_SLOTS];
};

/* The fids: the root, one for each slot, one for jobs. Back-ends may allow five only. */
#define FID_ROOT     0U
#define FID_SLOT(nr) (1U + (nr))
#define FID_JOB	     (1U + NINEP_SLOTS)

/* ---- device.c ---- */

/** Look at the nodes and act. */
void device_look(struct ninep *fe);

/** End the connection because the back-end does not keep the rules. Touches no node. */
void device_break(struct ninep *fe, const char *why);

/** Write the states of a device that closes, give up the port. */
void device_close(struct ninep *fe);

/** Take back what the back-end may map. 0, or -EBUSY: not everything could be. */
int device_ungrant(struct ninep *fe);

/** Set up the rings over the pages, from indices that are 0 or known from before. */
void device_rings(struct ninep *fe, uint32_t out_prod, uint32_t in_cons);

/* ---- session.c ---- */

/** Begin a session on empty rings. */
void session_start(struct ninep *fe);

/** Forget it; every task is told. */
void session_lost(struct ninep *fe, int error);

/** Take one answer or send one request. False: nothing can be done now. */
bool session_turn(struct ninep *fe);

/** Begin a request of the given type. */
struct p9_writer session_begin(struct ninep *fe, uint8_t type);

/** Send it; the answer is for @task. Always true, for use as the result of ask(). */
bool session_send(struct ninep *fe, struct task *task, struct p9_writer *request);

void session_init(struct ninep *fe);

/* ---- file.c ---- */

/** Whether @name may name a file below the back-end's directory. */
bool file_name_ok(const char *name);

/** Begin to open a file that is FILE_CLOSED. */
void file_open(struct file *file, const char *name, uint8_t mode, bool create, bool measure);

/** Begin to close a file that is FILE_READY. @error is for the owner. */
void file_close(struct file *file, int error);

/** Send the request that the state calls for; not for FILE_CLOSED and FILE_READY. */
bool file_ask(struct ninep *fe, struct file *file, struct task *task);

/** Its answer. The file is ready, closed, or asks for more. */
bool file_answer(struct ninep *fe, struct file *file, int error, struct p9_reader *body);

/* ---- append.c, job.c ---- */

void slot_init(struct slot *slot, uint32_t fid, unsigned char *queue);
void jobs_init(struct jobs *jobs);

#endif
