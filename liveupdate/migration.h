/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CONTROL migrate: one domain out of this store, or into it, in pieces that fit
 * into requests.
 *
 *      -x domid             cut the domain out; answers the number of bytes
 *      -r offset            answers some of them, from there on
 *      -b size              a fragment of so many bytes will come
 *      -d size bytes        the next ones
 *      -i domid [port]      put it in
 *      -a                   forget it
 *
 * A session belongs to the connection that began it and ends with it; it goes
 * on over an update to our own kind. As with live-update, a malformed request is
 * an error, and what could not be done is a text instead of "OK"; but for -r
 * without a session, whose answer could be taken for a piece: that is ENOENT.
 */
#ifndef LIVEUPDATE_MIGRATION_H
#define LIVEUPDATE_MIGRATION_H

#include "control/control.h"
#include "liveupdate/stream-own.h"
#include "liveupdate/stream-writer.h"

/* Bytes of a fragment in one answer to -r, at most. */
#define MIGRATION_PIECE 4000u

struct migration {
	const struct client *owner; /* NULL: there is no session */
	struct stream_buffer fragment;
	size_t expected; /* bytes that are to come; 0 = it is for reading */
};

/** The CONTROL command; as a request handler's. */
int migration_control(struct migration *migration, struct request *request, const struct arg *args,
		      size_t count, struct control_text *out);

/** Write the session, if there is one whose client is in the image. Returns as stream_put_own(). */
int migration_save(const struct migration *migration, struct stream_writer *writer);

/** Have @client's session again, as an image tells it. Returns 0 or ENOMEM. */
int migration_restore(struct migration *migration, const struct client *client,
		      const struct stream_migration *in);

/** A client is gone: its session ends. */
void migration_client_gone(struct migration *migration, const struct client *client);

#endif
