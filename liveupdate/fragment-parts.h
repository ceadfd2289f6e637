/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An insertion under way. Private to fragment-*.c. */
#ifndef LIVEUPDATE_FRAGMENT_PARTS_H
#define LIVEUPDATE_FRAGMENT_PARTS_H

#include "liveupdate/fragment.h"
#include "liveupdate/image.h"

/* The fragment does not fit: report->why says why. */
#define FRAGMENT_REFUSED ECANCELED

struct insertion {
	struct request *request;
	struct core *core;
	struct fragment_report *report;
	const void *data;
	size_t size;

	/* What the fragment says. */
	struct stream_image image;
	struct stream_domain_state state;
	struct stream_domain quotas; /* domid only valid with has_quotas */
	struct stream_connection connection;
	struct stream_client client_state;
	bool has_quotas, has_connection;
	char home[40]; /* of the domain where it comes from */
	size_t home_len;
	uint64_t watch_bytes;

	/* What it becomes. */
	struct domain *domain;
	bool fresh;		/* its record was made here */
	struct transaction *tx; /* with the nodes */
	struct client *client;
	bool connected; /* the client was made here */
	struct quota_limits old_limits;
	uint32_t old_features;
};

/** Note why the fragment does not fit. Returns FRAGMENT_REFUSED. */
int fragment_refuse(struct insertion *insertion, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** The path that @path of the fragment becomes here. Returns 0 or FRAGMENT_REFUSED. */
int fragment_path(struct insertion *insertion, const char *path, size_t len, struct path *out);

/** Create a node of the fragment in insertion->tx. Returns 0, ENOMEM or FRAGMENT_REFUSED. */
int fragment_node(struct insertion *insertion, const struct stream_node *node);

#endif
