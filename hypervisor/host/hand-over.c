/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file that crosses: its head, then one entry for each evtchn connection, control
 * connection and domain, each followed by what belongs to it. Connections are named
 * by their place in the file.
 */
#include "hand-over.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct handle_entry {
	int32_t fd;
	uint32_t domid;
	uint64_t cookie;
	uint32_t sent_bytes, queued; /* queued: so many ports follow */
	uint8_t greeted, had_dom_exc, blocked, partial_length;
	unsigned char partial[sizeof(struct simxen_evtchn_hello)];
	uint32_t unused;
};

struct control_entry {
	int32_t fd;
	uint32_t domid;
	uint32_t greeted;
	uint32_t mappings; /* so many entries follow */
	uint32_t shares;   /* then so many share numbers */
	uint32_t unused;
	char rundir[256];
};

struct mapping_entry {
	uint32_t id;	 /* as the process knows it */
	uint32_t handle; /* as the mechanism knows it */
};

struct domain_entry {
	uint32_t domid;
	uint32_t store_port;
	uint8_t introduced, bare;
	uint16_t unused;
	uint32_t ports; /* so many entries follow */
	char name[SIMXEN_NAME_MAX];
};

struct port_entry {
	uint32_t port;
	uint32_t handle; /* its place in the file */
	uint32_t keeps_open;
};

/* ---- writing ---- */

static void put(FILE *file, const void *data, size_t size)
{
	/* A failure is remembered by the stream and found at its end. */
	fwrite(data, size, 1, file);
}

static void put_handle(FILE *file, const struct handle *handle)
{
	struct handle_entry entry = {
		.fd = handle->source.fd,
		.domid = handle->domid,
		.cookie = handle->cookie,
		.sent_bytes = (uint32_t)handle->sent_bytes,
		.queued = (uint32_t)handle->queue_count,
		.greeted = handle->greeted,
		.had_dom_exc = handle->had_dom_exc,
		.blocked = handle->blocked,
		.partial_length = (uint8_t)handle->partial_length,
	};

	memcpy(entry.partial, handle->partial, handle->partial_length);
	put(file, &entry, sizeof(entry));
	for (size_t i = 0; i < handle->queue_count; i++)
		put(file, &handle->queue[(handle->queue_start + i) % handle->queue_room],
		    sizeof(uint32_t));
}

/* The numbers of the pages that a connection shares, to a file or (NULL) just counted. */
static uint32_t put_shares(FILE *file, const struct host *host, const struct control *control)
{
	const struct host_domain *domain = &host->domains[control->domid];
	uint32_t count = 0;

	for (uint32_t nr = 0; nr < domain->share_count; nr++) {
		if (domain->shares[nr] != control)
			continue;
		count++;
		if (file)
			put(file, &nr, sizeof(nr));
	}
	return count;
}

static void put_control(FILE *file, const struct host *host, const struct control *control)
{
	struct control_entry entry = {
		.fd = control->source.fd, .domid = control->domid, .greeted = control->greeted};

	memcpy(entry.rundir, control->rundir, sizeof(entry.rundir));
	for (uint32_t i = control->first_mapping; i; i = host->mappings[i - 1].next)
		entry.mappings++;
	entry.shares = put_shares(NULL, host, control);
	put(file, &entry, sizeof(entry));
	for (uint32_t i = control->first_mapping; i; i = host->mappings[i - 1].next) {
		struct mapping_entry mapping = {i - 1, host->mappings[i - 1].handle};

		put(file, &mapping, sizeof(mapping));
	}
	put_shares(file, host, control);
}

/* Handles have got their places before. False: there is nothing to say about the domid. */
static bool put_domain(FILE *file, const struct host *host, uint32_t domid)
{
	const struct host_domain *domain = &host->domains[domid];
	struct domain_entry entry = {.domid = domid,
				     .store_port = domain->store_port,
				     .introduced = domain->introduced,
				     .bare = domain->bare};

	if (!domain->name[0] && !domain->store_port && !domain->port_count)
		return false;
	memcpy(entry.name, domain->name, sizeof(entry.name));
	for (uint32_t port = 0; port < domain->port_count; port++)
		entry.ports += domain->ports[port].handle != NULL;
	put(file, &entry, sizeof(entry));
	for (uint32_t port = 0; port < domain->port_count; port++) {
		const struct port_owner *owner = &domain->ports[port];
		struct port_entry item = {port, 0, owner->keeps_open};

		if (!owner->handle)
			continue;
		item.handle = owner->handle->place;
		put(file, &item, sizeof(item));
	}
	return true;
}

static void put_all(FILE *file, struct host *host, struct hand_over *head)
{
	put(file, head, sizeof(*head));
	for (struct handle *handle = host->handles; handle; handle = handle->next) {
		handle->place = head->handles++;
		put_handle(file, handle);
	}
	for (struct control *control = host->controls; control; control = control->next) {
		put_control(file, host, control);
		head->controls++;
	}
	for (uint32_t domid = 0; domid < HV_DOMID_FIRST_RESERVED; domid++)
		head->domains += put_domain(file, host, domid);
}

int hand_over_write_head(int fd, const struct hand_over *head)
{
	ssize_t length = pwrite(fd, head, sizeof(*head), 0);

	return length == (ssize_t)sizeof(*head) ? 0 : length < 0 ? -errno : -EIO;
}

int hand_over_turn_back(int fd, struct hand_over *head)
{
	head->image = head->previous_image;
	head->loaded = 0;
	return hand_over_write_head(fd, head);
}

int hand_over_write(struct host *host, struct hand_over *head)
{
	int fd = memfd_create("simxen-hand-over", 0), copy = fd < 0 ? -1 : dup(fd), error = 0;
	FILE *file = copy < 0 ? NULL : fdopen(copy, "w");

	head->magic = HAND_OVER_MAGIC;
	head->version = HAND_OVER_VERSION;
	head->xen_version = host->xen_version;
	head->memory = host->memory;
	head->lock = host->lock;
	head->epoll = host->epoll;
	head->control_listener = host->control_listener.fd;
	head->evtchn_listener = host->evtchn_listener.fd;
	head->controls = head->handles = head->domains = 0;
	memcpy(head->store_rundir, host->store_rundir, sizeof(head->store_rundir));
	if (!file || strlen(host->directory) >= sizeof(head->directory))
		error = file ? -ENAMETOOLONG : -errno;
	if (!error) {
		strcpy(head->directory, host->directory);
		put_all(file, host, head);
		if (fflush(file) != 0)
			error = -errno;
		head->size = (uint64_t)ftell(file);
	}
	if (!error)
		error = hand_over_write_head(fd, head);
	if (file)
		fclose(file);
	else if (copy >= 0)
		close(copy);
	if (error && fd >= 0)
		close(fd);
	return error ? error : fd;
}

/* ---- reading ---- */

static bool terminated(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

int hand_over_read_head(int fd, struct hand_over *head)
{
	struct stat stat;

	if (pread(fd, head, sizeof(*head), 0) != (ssize_t)sizeof(*head) || fstat(fd, &stat) < 0)
		return -EIO;
	if (head->magic != HAND_OVER_MAGIC)
		return -EINVAL;
	if (head->version != HAND_OVER_VERSION)
		return -EPROTO;
	if (head->size != (uint64_t)stat.st_size ||
	    !terminated(head->directory, sizeof(head->directory)) ||
	    !terminated(head->store_rundir, sizeof(head->store_rundir)) ||
	    !terminated(head->previous_command_line, sizeof(head->previous_command_line)) ||
	    !terminated(head->report.from, sizeof(head->report.from)) ||
	    !terminated(head->report.to, sizeof(head->report.to)) ||
	    !terminated(head->report.refusal, sizeof(head->report.refusal)))
		return -EINVAL;
	return 0;
}

struct reader {
	struct host *host;
	const unsigned char *next;
	size_t left;
	const struct hand_over *head;
	struct handle **handles; /* by place */
	uint32_t handle_count;
	uint64_t *owned; /* mappings that somebody has: domid and the mechanism's handle */
	size_t owned_count;
	uint32_t next_domid; /* lowest that the next domain's entry may have */
	unsigned int odd;
};

/* Takes some bytes; false when there are not so many. */
static bool take(struct reader *reader, void *data, size_t size)
{
	if (size > reader->left)
		return false;
	memcpy(data, reader->next, size);
	reader->next += size;
	reader->left -= size;
	return true;
}

static bool domain_lives(const struct reader *reader, uint32_t domid)
{
	const struct hv_domain *domain = hv_domain_find(&reader->host->hv, domid);

	return domain && domain->life == HV_ALIVE;
}

static int read_queue(struct reader *reader, struct handle *handle, uint32_t queued)
{
	for (uint32_t i = 0; i < queued; i++) {
		uint32_t port;

		if (!take(reader, &port, sizeof(port)))
			return -EINVAL;
		if (handle_queue(handle, port) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* More than a process can have open. */
#define DESCRIPTORS (1 << 20)

/* Can this be a connection's descriptor, and is it nobody else's, nor the host's own? */
static bool is_descriptor(const struct reader *reader, int32_t fd)
{
	const struct hand_over *head = reader->head;
	const int32_t others[] = {
		head->memory,	       head->lock,     head->epoll,   head->control_listener,
		head->evtchn_listener, head->previous, head->watchdog};
	const struct host *host = reader->host;

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (fd == others[i])
			return false;
	return fd >= 0 && fd < DESCRIPTORS &&
	       ((size_t)fd >= host->source_room || !host->sources[fd]);
}

static int read_handle(struct reader *reader)
{
	struct handle_entry entry;
	struct handle *handle;

	if (!take(reader, &entry, sizeof(entry)) || !is_descriptor(reader, entry.fd) ||
	    entry.domid >= HV_DOMID_FIRST_RESERVED ||
	    entry.partial_length > sizeof(entry.partial) || entry.sent_bytes >= sizeof(uint32_t))
		return -EINVAL;
	handle = handle_new(reader->host, entry.fd);
	if (!handle)
		return -ENOMEM;
	reader->handles[reader->handle_count++] = handle;
	handle->domid = entry.domid;
	handle->greeted = entry.greeted;
	handle->had_dom_exc = entry.had_dom_exc;
	handle->blocked = entry.blocked;
	handle->cookie = entry.cookie;
	handle->sent_bytes = entry.sent_bytes;
	handle->partial_length = entry.partial_length;
	memcpy(handle->partial, entry.partial, sizeof(handle->partial));
	return read_queue(reader, handle, entry.queued);
}

static int read_mappings(struct reader *reader, struct control *control, uint32_t count)
{
	int error = 0;

	for (uint32_t i = 0; i < count && !error; i++) {
		struct mapping_entry mapping;

		if (!take(reader, &mapping, sizeof(mapping)))
			return -EINVAL;
		error = mappings_put(reader->host, control, mapping.id, mapping.handle);
		if (!error)
			reader->owned[reader->owned_count++] = (uint64_t)control->domid << 32 |
							       mapping.handle;
		if (error == -ESRCH) {
			reader->odd += domain_lives(reader, control->domid);
			error = 0;
		}
	}
	return error;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

/* Has somebody the same mapping as somebody else, or twice? Both would give it back. */
static bool owned_twice(struct reader *reader)
{
	qsort(reader->owned, reader->owned_count, sizeof(*reader->owned), compare);
	for (size_t i = 1; i < reader->owned_count; i++)
		if (reader->owned[i] == reader->owned[i - 1])
			return true;
	return false;
}

static int read_shares(struct reader *reader, struct control *control, uint32_t count)
{
	int error = 0;

	for (uint32_t i = 0; i < count && !error; i++) {
		uint32_t nr;

		if (!take(reader, &nr, sizeof(nr)))
			return -EINVAL;
		error = shares_put(reader->host, control, nr);
	}
	return error;
}

static int read_control(struct reader *reader)
{
	struct control_entry entry;
	struct control *control;
	int error;

	if (!take(reader, &entry, sizeof(entry)) || !is_descriptor(reader, entry.fd) ||
	    entry.domid >= HV_DOMID_FIRST_RESERVED ||
	    !terminated(entry.rundir, sizeof(entry.rundir)))
		return -EINVAL;
	control = control_new(reader->host, entry.fd);
	if (!control)
		return -ENOMEM;
	control->domid = entry.domid;
	control->greeted = entry.greeted != 0;
	memcpy(control->rundir, entry.rundir, sizeof(control->rundir));
	error = read_mappings(reader, control, entry.mappings);
	return error ? error : read_shares(reader, control, entry.shares);
}

static int read_port(struct reader *reader, uint32_t domid)
{
	struct hv_evtchn_status status;
	struct port_entry entry;
	struct handle *handle;

	if (!take(reader, &entry, sizeof(entry)) || entry.handle >= reader->handle_count)
		return -EINVAL;
	handle = reader->handles[entry.handle];
	if (handle->domid != domid || handle_of_port(reader->host, domid, entry.port))
		return -EINVAL;
	if (hv_evtchn_status(&reader->host->hv, HV_DOMID_XEN, domid, entry.port, &status) < 0 ||
	    status.state == HV_EVTCHN_CLOSED) {
		reader->odd++;
		return 0;
	}
	return handle_own(reader->host, handle, entry.port, entry.keeps_open != 0);
}

static int read_domain(struct reader *reader)
{
	struct host_domain *domain;
	struct domain_entry entry;
	int error = 0;

	if (!take(reader, &entry, sizeof(entry)) || entry.domid >= HV_DOMID_FIRST_RESERVED ||
	    entry.domid < reader->next_domid || !terminated(entry.name, sizeof(entry.name)))
		return -EINVAL;
	reader->next_domid = entry.domid + 1;
	domain = &reader->host->domains[entry.domid];
	domain->store_port = entry.store_port;
	domain->introduced = entry.introduced;
	domain->bare = entry.bare;
	memcpy(domain->name, entry.name, sizeof(domain->name));
	for (uint32_t i = 0; i < entry.ports && !error; i++)
		error = read_port(reader, entry.domid);
	return error;
}

static int read_connections(struct reader *reader)
{
	const struct hand_over *head = reader->head;
	int error = 0;

	for (uint32_t i = 0; i < head->handles && !error; i++)
		error = read_handle(reader);
	for (uint32_t i = 0; i < head->controls && !error; i++)
		error = read_control(reader);
	if (!error && owned_twice(reader))
		error = -EINVAL;
	for (uint32_t i = 0; i < head->domains && !error; i++)
		error = read_domain(reader);
	return error;
}

static int read_all(struct reader *reader)
{
	const struct hand_over *head = reader->head;
	int error = -ENOMEM;

	if (head->handles > reader->left / sizeof(struct handle_entry))
		return -EINVAL;
	reader->handles = calloc(head->handles + 1, sizeof(*reader->handles));
	/* As many as there is room for in the file. */
	reader->owned = calloc(reader->left / sizeof(struct mapping_entry) + 1,
			       sizeof(*reader->owned));
	if (reader->handles && reader->owned)
		error = read_connections(reader);
	free(reader->handles);
	free(reader->owned);
	mappings_link_free(reader->host);
	return error ? error : reader->left ? -EINVAL : 0;
}

int hand_over_read(int fd, struct host *host, unsigned int *odd)
{
	struct hand_over head;
	struct reader reader = {.host = host, .head = &head};
	void *file;
	int error = hand_over_read_head(fd, &head);

	if (error)
		return error;
	file = mmap(NULL, head.size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (file == MAP_FAILED)
		return -errno;
	reader.next = (const unsigned char *)file + sizeof(head);
	reader.left = head.size - sizeof(head);
	error = read_all(&reader);
	munmap(file, head.size);
	*odd = reader.odd;
	return error;
}
