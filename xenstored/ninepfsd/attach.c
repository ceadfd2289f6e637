/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The nodes of a 9pfs device, as libxl writes them.
 *
 * Spec: stubdom.md section 5 (nodes).
 */
#include "ninepfsd/attach.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xenstore.h>

#include "ninepfsd/backend.h"
#include "ninepfsd/nodes.h"
#include "ninepfsd/share.h"

/* Where the Xenstore domain's files are, and where those of all others are, each in its own. */
#define XENSTORE_DIRECTORY "/var/lib/xen/xenstore"
#define LOG_DIRECTORY	   "/var/log/xen/9pfs"

#define WAIT_STEP 50000 /* microseconds */

/* How long detach waits for both ends without being told. */
#define DETACH_SECONDS 10U

struct places {
	unsigned int domid;
	char front[NODES_PATH_MAX];
	char back[NODES_PATH_MAX];
	char copy[NODES_PATH_MAX]; /* libxl's, for "xl destroy" */
};

static int complain(const char *what)
{
	fprintf(stderr, "xenstore-9pfsd: %s\n", what);
	return 1;
}

static int complain_errno(const char *what)
{
	fprintf(stderr, "xenstore-9pfsd: %s: %s\n", what, strerror(errno));
	return 1;
}

/* The number of the domain with that name; false: said why there is none. */
static bool find_name(struct xs_handle *xs, const char *name, unsigned int *domid)
{
	unsigned int count = 0, found = 0;
	char **domains = xs_directory(xs, XBT_NULL, "/local/domain", &count);
	char text[80];

	for (unsigned int i = 0; i < count; i++) {
		char *other = nodes_read(xs, XBT_NULL, "/local/domain/%s/name", domains[i]);

		if (other && strcmp(other, name) == 0) {
			*domid = (unsigned int)strtoul(domains[i], NULL, 10);
			found++;
		}
		free(other);
	}
	free(domains);
	snprintf(text, sizeof(text), "%u domains have that name", found);
	if (found != 1)
		complain(found ? text : "there is no such domain in the Xenstore");
	return found == 1;
}

/* A number, else a name. */
static bool find_domain(struct xs_handle *xs, const char *domain, unsigned int *domid)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(domain, &end, 10);
	if (domain[0] < '0' || domain[0] > '9' || *end)
		return find_name(xs, domain, domid);
	*domid = (unsigned int)number;
	if (!errno && number < DOMID_FIRST_RESERVED)
		return true;
	complain("there is no such domain in the Xenstore");
	return false;
}

static void find_places(const struct attach_options *options, unsigned int domid,
			struct places *places)
{
	*places = (struct places){.domid = domid};
	snprintf(places->front, sizeof(places->front), "/local/domain/%u/device/9pfs/%u", domid,
		 options->number);
	snprintf(places->back, sizeof(places->back), "/local/domain/%u/" BACKEND_ROOT "/%u/%u",
		 options->backend, domid, options->number);
	snprintf(places->copy, sizeof(places->copy), "/libxl/%u/device/9pfs/%u", domid,
		 options->number);
}

/* Where the domain's files go if nobody says so. */
static void default_path(struct xs_handle *xs, unsigned int domid, char *path, size_t size)
{
	uint64_t store = nodes_read_number(xs, UINT64_MAX, "/tool/xenstored/domid");
	char *name = nodes_read(xs, XBT_NULL, "/local/domain/%u/name", domid);

	if (domid != 0 && store == domid)
		snprintf(path, size, XENSTORE_DIRECTORY);
	else if (name && share_name_ok(name, strlen(name)))
		snprintf(path, size, LOG_DIRECTORY "/%s", name);
	else
		snprintf(path, size, LOG_DIRECTORY "/%u", domid);
	free(name);
}

/* A directory node of @owner that @reader may read. */
static bool make_directory(struct xs_handle *xs, xs_transaction_t t, const char *path,
			   unsigned int owner, unsigned int reader)
{
	struct xs_permissions perms[2] = {{.id = owner, .perms = XS_PERM_NONE},
					  {.id = reader, .perms = XS_PERM_READ}};

	return xs_mkdir(xs, t, path) && xs_set_permissions(xs, t, path, perms, 2);
}

static bool write_back(struct xs_handle *xs, xs_transaction_t t, const struct places *places,
		       const struct attach_options *options, const char *path)
{
	const char *back = places->back;

	return make_directory(xs, t, back, options->backend, places->domid) &&
	       nodes_write(xs, t, back, "frontend", places->front) &&
	       nodes_write_number(xs, t, back, "frontend-id", places->domid) &&
	       nodes_write_number(xs, t, back, "online", 1) &&
	       nodes_write(xs, t, back, "path", path) &&
	       nodes_write(xs, t, back, "security_model", "none") &&
	       nodes_write_number(xs, t, back, "max-space", options->max_space) &&
	       nodes_write_number(xs, t, back, "max-files", options->max_files) &&
	       nodes_write_number(xs, t, back, "max-open-files", options->max_open_files) &&
	       nodes_write_number(xs, t, back, "auto-delete", options->auto_delete) &&
	       nodes_write(xs, t, back, ATTACHED_NODE, ATTACHED_NAME) &&
	       nodes_write_number(xs, t, back, "state", XENBUS_INITIALISING);
}

static bool write_front(struct xs_handle *xs, xs_transaction_t t, const struct places *places,
			const struct attach_options *options)
{
	const char *front = places->front;

	return make_directory(xs, t, front, places->domid, options->backend) &&
	       nodes_write(xs, t, front, "backend", places->back) &&
	       nodes_write_number(xs, t, front, "backend-id", options->backend) &&
	       nodes_write(xs, t, front, "tag", options->tag) &&
	       nodes_write_number(xs, t, front, "state", XENBUS_INITIALISING);
}

static bool write_copy(struct xs_handle *xs, xs_transaction_t t, const struct places *places)
{
	return nodes_write(xs, t, places->copy, "frontend", places->front) &&
	       nodes_write(xs, t, places->copy, "backend", places->back);
}

/* Both ends' nodes at once. */
static int write_nodes(struct xs_handle *xs, const struct places *places,
		       const struct attach_options *options, const char *path)
{
	for (;;) {
		xs_transaction_t t = xs_transaction_start(xs);
		bool done;

		if (t == XBT_NULL)
			return complain_errno("cannot start a transaction");
		done = write_back(xs, t, places, options, path) &&
		       write_front(xs, t, places, options) && write_copy(xs, t, places);
		if (!done) {
			int error = errno;

			xs_transaction_end(xs, t, true);
			errno = error;
			return complain_errno("cannot write the device's nodes");
		}
		if (xs_transaction_end(xs, t, false))
			return 0;
		if (errno != EAGAIN)
			return complain_errno("cannot write the device's nodes");
	}
}

static enum xenbus_state state_of(struct xs_handle *xs, const char *path)
{
	return (enum xenbus_state)nodes_read_number(xs, XENBUS_NONE, "%s/state", path);
}

/* Waits until the back-end has one of two states. */
static bool wait_for(struct xs_handle *xs, const char *path, enum xenbus_state one,
		     enum xenbus_state other, unsigned int seconds)
{
	for (unsigned int i = 0; i <= seconds * (1000000U / WAIT_STEP); i++) {
		enum xenbus_state state = state_of(xs, path);

		if (state == one || state == other)
			return true;
		usleep(WAIT_STEP);
	}
	return false;
}

static int attach_with(struct xs_handle *xs, const struct attach_options *options)
{
	char path[NODES_PATH_MAX], *home;
	struct places places;
	unsigned int domid;
	int error;

	if (!find_domain(xs, options->domain, &domid))
		return 1;
	find_places(options, domid, &places);
	home = nodes_read(xs, XBT_NULL, "/local/domain/%u", domid);
	if (!home)
		return complain("there is no such domain in the Xenstore");
	free(home);
	if (state_of(xs, places.front) != XENBUS_NONE)
		return complain("the domain has this device already");
	default_path(xs, domid, path, sizeof(path));
	error = write_nodes(xs, &places, options, options->path ? options->path : path);
	if (error)
		return error;
	if (options->wait &&
	    !wait_for(xs, places.back, XENBUS_CONNECTED, XENBUS_CONNECTED, options->wait))
		return complain("the device is attached, but not connected yet");
	return 0;
}

static int detach_with(struct xs_handle *xs, const struct attach_options *options)
{
	struct places places;
	unsigned int domid;
	bool closed;

	if (!find_domain(xs, options->domain, &domid))
		return 1;
	find_places(options, domid, &places);
	if (state_of(xs, places.back) == XENBUS_NONE)
		return complain("the domain has no such device");
	nodes_write_number(xs, XBT_NULL, places.back, "online", 0);
	nodes_write_number(xs, XBT_NULL, places.back, "state", XENBUS_CLOSING);
	closed = wait_for(xs, places.back, XENBUS_CLOSED, XENBUS_NONE,
			  options->wait ? options->wait : DETACH_SECONDS);
	/* A front-end that does not answer loses its device all the same. */
	nodes_remove(xs, places.front);
	nodes_remove(xs, places.copy);
	if (!nodes_remove(xs, places.back) && errno != ENOENT)
		return complain_errno("cannot remove the device's nodes");
	return closed ? 0 : complain("removed, although the domain did not close it");
}

static int with_store(const struct attach_options *options,
		      int (*work)(struct xs_handle *xs, const struct attach_options *options))
{
	struct xs_handle *xs = xs_open(0);
	int status;

	if (!xs)
		return complain_errno("cannot connect to the Xenstore");
	status = work(xs, options);
	xs_close(xs);
	return status;
}

int attach(const struct attach_options *options)
{
	if (options->path && options->path[0] != '/')
		return complain("the path of the directory must be absolute");
	return with_store(options, attach_with);
}

int detach(const struct attach_options *options)
{
	return with_store(options, detach_with);
}
