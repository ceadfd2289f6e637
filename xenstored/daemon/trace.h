/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The trace log: what the daemon did, for whoever has to find out why.
 *
 * Lines belong to classes that can be switched on and off at run time; a few lines belong to no
 * class and appear whenever there is a log. A daemon that is not traced pays one test of a bit per
 * place. A line is composed completely and written with one write(), so lines are never mixed, not
 * even with those of another process that appends to the same file. What cannot be written is
 * counted and forgotten: a full disk must not stop the store.
 */
#ifndef XENSTORED_DAEMON_TRACE_H
#define XENSTORED_DAEMON_TRACE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum trace_class {
	TRACE_OBJ, /* objects that come and go */
	TRACE_IO,  /* messages */
	TRACE_WRL, /* write rate limit */
	TRACE_ACC, /* accounting */
	TRACE_TDB, /* accesses to the data base of nodes */
	TRACE_CLASSES,
};

enum trace_direction {
	TRACE_IN,
	TRACE_OUT,	 /* a message that left in one piece */
	TRACE_OUT_START, /* its first piece */
	TRACE_OUT_END,	 /* its last piece */
	TRACE_OUT_ERR,	 /* it could not be sent */
};

struct trace {
	unsigned int active;   /* bits of classes to be written now: 0 without a file */
	unsigned int switches; /* bits of classes that are switched on */
	int fd;		       /* -1 = closed */
	bool torn;	       /* the last line was written in part */
	uint64_t lost;	       /* lines that could not be written (whole) */
	char *libdir;	       /* relative names are below this */
	char *name;	       /* the file, absolute; NULL = never set */
	time_t stamp_second;   /* the second that stamp is the text of */
	char stamp[32];
};

/* The bit in active for lines of no class. */
#define TRACE_ANY (1U << TRACE_CLASSES)

/**
 * Makes @trace a closed log with the default switches (obj and io). @libdir is copied.
 * Returns 0 or -ENOMEM (@trace is valid for trace_deinit() even then).
 */
int trace_init(struct trace *trace, const char *libdir);

/** Closes the file and frees what @trace holds. */
void trace_deinit(struct trace *trace);

/**
 * Closes the file, takes @name (relative: below libdir) as the new one and opens it for appending:
 * mode 0600, close-on-exec; the place is marked by an empty line and a line of three stars. On
 * failure (a negative errno) the log is closed; the new name is kept for trace_reopen() unless the
 * failure is -ENOMEM or -ENAMETOOLONG.
 */
int trace_open(struct trace *trace, const char *name);

/** Closes the file. The name is kept. */
void trace_close(struct trace *trace);

/**
 * Closes the file and opens it by its name again, e.g. after log rotation. Returns 0, also when
 * there never was a name, or a negative errno.
 */
int trace_reopen(struct trace *trace);

/**
 * Obeys "+<class>" or "-<class>". Returns 0, or -EINVAL for anything else.
 */
int trace_switch(struct trace *trace, const char *argument);

/** Whether trace_switch() would obey @argument; @context is not used (see options.h). */
bool trace_switch_known(void *context, const char *argument);

/** The name of a class; for (i = 0; i < TRACE_CLASSES; i++) gives them in the order of listing. */
const char *trace_class_name(enum trace_class trace_class);

/** Whether a class is switched on, be there a file or not. */
bool trace_class_is_on(const struct trace *trace, enum trace_class trace_class);

/** Whether a line of the class would be written: the cheap test before composing one. */
static inline bool trace_enabled(const struct trace *trace, enum trace_class trace_class)
{
	return trace->active & (1U << trace_class);
}

/** Do not call these; they are behind the inline tests below. */
void trace_write_io(struct trace *trace, enum trace_direction direction, uint64_t connection,
		    unsigned int domid, uint32_t type, const void *payload, size_t length);
void trace_write_object(struct trace *trace, const char *verb, const char *type, uint64_t id);

/**
 * One message of connection number @connection of domain @domid: type, and the payload with NUL
 * shown as a blank and other control characters as \n or \xHH. At most the 4096 bytes that a
 * payload can have are shown.
 */
static inline void trace_io(struct trace *trace, enum trace_direction direction,
			    uint64_t connection, unsigned int domid, uint32_t type,
			    const void *payload, size_t length)
{
	if (trace_enabled(trace, TRACE_IO))
		trace_write_io(trace, direction, connection, domid, type, payload, length);
}

/** An object of @type ("connection", "watch", "transaction") with number @id came. */
static inline void trace_create(struct trace *trace, const char *type, uint64_t id)
{
	if (trace_enabled(trace, TRACE_OBJ))
		trace_write_object(trace, "CREATE", type, id);
}

/** It went. */
static inline void trace_destroy(struct trace *trace, const char *type, uint64_t id)
{
	if (trace_enabled(trace, TRACE_OBJ))
		trace_write_object(trace, "DESTROY", type, id);
}

/** A line of a class: "<class>: " and the text. The newline is added. */
__attribute__((format(printf, 3, 4))) void
trace_class(struct trace *trace, enum trace_class trace_class, const char *format, ...);

/** A line of no class. The newline is added. */
__attribute__((format(printf, 2, 3))) void trace_line(struct trace *trace, const char *format, ...);

/** trace_line() of @text in the form that log_redirect() takes; @trace is a struct trace. */
void trace_text(void *trace, const char *text);

#endif
