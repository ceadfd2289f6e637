/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A session: what a client wants of a live update, collected over several CONTROL requests.
 *
 * It belongs to the client that opened it, and ends with it. How the new program arrives is the
 * platform's matter (a file's name, or the file itself in pieces); everything else, who may go
 * on, the settings of the start, the answer that is owed, is the same wherever xenstored runs.
 * (spec: cli-and-control.md section 7, stubdom.md section 7)
 */
#ifndef LIVEUPDATE_UPDATE_SESSION_H
#define LIVEUPDATE_UPDATE_SESSION_H

#include "control/control.h"
#include "liveupdate/image.h"

/* How the state is to be handed over, where there is a choice. */
enum update_session_kind { UPDATE_SESSION_ANY, UPDATE_SESSION_MEMORY, UPDATE_SESSION_FILE };

struct update_session {
	struct core *core;
	/* The session is over: give up what the platform has collected for it. */
	void (*ended)(void *data);
	void *data;

	struct client *owner; /* who opened it; NULL: there is none */
	char *cmdline;	      /* of "-c"; NULL = as the present one */
	bool started;	      /* "-s" was sent: the answer is owed */
	bool force;
	unsigned int timeout;	/* seconds */
	unsigned int serving;	/* seconds that the new image may take to serve; 0: not said */
	unsigned int version;	/* of the stream */
	bool version_said;	/* by "-v" */
	uint64_t since;		/* ms, of the start */
	uint64_t drained_since; /* ms: since then nothing is received; 0 = it is */
	enum update_session_kind kind;
	struct image_requester requester;
	/* For the requester: made beforehand, since what has happened must be told. */
	struct message *answer;
};

/** No session. @ended, with @data: see above. */
void update_session_init(struct update_session *session, struct core *core,
			 void (*ended)(void *data), void *data);

/**
 * For the platform's own words: open a session for the requester. Returns whether it is open; if
 * not, the answer is in @out.
 */
bool update_session_open(struct update_session *session, struct request *request,
			 struct control_text *out);

/** Whether the session is the requester's; if not, the answer is in @out. */
bool update_session_is_mine(const struct update_session *session, const struct request *request,
			    struct control_text *out);

/**
 * The words that are the same everywhere: -c, -a, -s. As a request handler; EINVAL for any other.
 */
int update_session_control(struct update_session *session, struct request *request,
			   const struct arg *args, size_t count, struct control_text *out);

/**
 * Before another xenstored takes over: have open transactions come to their end, which it cannot
 * take, unless force decides that they may be lost, and requests that are under way. From the first
 * call to the end of the session nobody begins a transaction who has none (spec: live-update.md
 * section 1).
 * @why: set to the answer when the time is over, which ends the wait; else NULL
 * Returns 0, or the ms until it is to be called again.
 */
int update_session_become_quiet(struct update_session *session, const char **why);

/** End the session without an answer. */
void update_session_end(struct update_session *session);

/** Answer the start that waits, and end the session. Needs no memory; a message's worth of @text is
 * told. */
void update_session_answer(struct update_session *session, const char *text);

/** A client is gone: what was its own ends. */
void update_session_client_gone(struct update_session *session, const struct client *client);

#endif
