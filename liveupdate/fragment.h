/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fragment: what belongs to one domain, cut out of one store to be put into
 * another, where the domain may have another number (spec: live-update.md
 * section 2; docs/migration-stream.md, "Fragments").
 *
 * Cutting out changes nothing. Putting in is done as a whole or not at all:
 * all is checked and prepared in a transaction of its own, which is committed
 * last.
 */
#ifndef LIVEUPDATE_FRAGMENT_H
#define LIVEUPDATE_FRAGMENT_H

#include "liveupdate/stream-writer.h"
#include "verbs/request.h"

/* No fragment is larger: a guest's quotas allow about 3 MiB. */
#define FRAGMENT_MAX (16u << 20)

/**
 * Write the fragment of @domid, whose guest should not run meanwhile.
 * Returns 0, ENOENT (there is no such domain, or it is the store's own), or an error of the writer.
 */
int fragment_save(struct core *core, unsigned int domid, struct stream_writer *writer);

/* What putting a fragment in came to. */
struct fragment_report {
	char why[256]; /* a refusal's reason, "" = it was put in */
	unsigned int nodes, watches, transactions;
};

/**
 * Put the fragment @data into the store, as a part of @request, whose sender is privileged.
 * @domid: the domain that it is for, which must exist
 * @port: 0: the domain is introduced already, and its connection has not been used; else its event
 *        channel: it is introduced here, and goes on with what is in its ring
 * Returns 0 with the report filled, REQUEST_LATER or ENOMEM. Unless it was put in, nothing has
 * changed.
 */
int fragment_insert(struct request *request, unsigned int domid, unsigned int port,
		    const void *data, size_t size, struct fragment_report *report);

#endif
