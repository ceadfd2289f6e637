/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests that only look: READ, DIRECTORY, DIRECTORY_PART, GET_PERMS. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "verbs/request.h"

/* Bytes of copying that count as one more unit of work. */
#define BYTES_PER_WORK 1024

int verb_read(struct request *request)
{
	struct lookup lookup;
	struct path path;
	char *out;
	int error = request_path(request, false, &path);

	if (!error)
		error = request_lookup(request, &path, PERM_READ, FACET_VALUE, &lookup);
	if (error)
		return error;
	out = request_reply(request, lookup.node->value_len);
	if (!out)
		return ENOMEM;
	memcpy(out, node_value(lookup.node), lookup.node->value_len);
	return 0;
}

/*
 * Copy names with their NULs: from child @index on, leaving out @skip bytes of the first, as many
 * whole names as fit. A name fits when the bytes before it and the name without its NUL are less
 * than @room. Returns the number of bytes; @end tells whether the last name was reached.
 */
static size_t copy_names(const struct node *node, uint32_t index, size_t skip, char *out,
			 size_t room, bool *end)
{
	uint32_t count;
	void *const *run;
	size_t used = 0;

	*end = false;
	while ((run = children_run(node, index, &count))) {
		for (uint32_t i = 0; i < count; i++) {
			const struct node *child = run[i];
			size_t len = child->name_len - skip;

			if (used + len >= room)
				return used;
			memcpy(out + used, child->data + skip, len + 1);
			used += len + 1;
			skip = 0;
		}
		index += count;
	}
	*end = true;
	return used;
}

int verb_directory(struct request *request)
{
	struct lookup lookup;
	struct path path;
	uint64_t bytes;
	char *out;
	bool end;
	int error = request_path(request, false, &path);

	if (!error)
		error = request_lookup(request, &path, PERM_READ, FACET_CHILDREN, &lookup);
	if (error)
		return error;
	bytes = node_child_bytes(lookup.node);
	if (bytes > WIRE_PAYLOAD_MAX)
		return E2BIG;
	out = request_reply(request, bytes);
	if (!out)
		return ENOMEM;
	copy_names(lookup.node, 0, 0, out, bytes + 1, &end);
	request->work += (long)(bytes / BYTES_PER_WORK);
	return 0;
}

int verb_directory_part(struct request *request)
{
	struct lookup lookup;
	struct path path;
	struct arg args[2];
	char generation[24], *out, data[WIRE_PAYLOAD_MAX];
	size_t prefix, used = 0;
	uint64_t start;
	uint32_t index;
	bool end = true;
	int error;

	if (args_split(request->payload, request->len, args, 2) != 2)
		return EINVAL;
	error = request_make_path(request, &args[0], false, &path);
	if (!error)
		error = request_lookup(request, &path, PERM_READ, FACET_CHILDREN | FACET_GENERATION,
				       &lookup);
	if (error)
		return error;
	prefix = (size_t)snprintf(generation, sizeof(generation), "%" PRIu64,
				  lookup.node->generation) +
		 1;
	/* A negative offset is a huge one. */
	uint64_t offset = (unsigned int)args_int(&args[1]);

	if (children_seek(lookup.node, offset, &index, &start))
		used = copy_names(lookup.node, index, (size_t)(offset - start), data,
				  WIRE_PAYLOAD_MAX - prefix - 1, &end);
	out = request_reply(request, prefix + used + (end ? 1 : 0));
	if (!out)
		return ENOMEM;
	memcpy(out, generation, prefix);
	memcpy(out + prefix, data, used);
	if (end)
		out[prefix + used] = 0;
	request->work += (long)(used / BYTES_PER_WORK);
	return 0;
}

/* Entries of dead domains are gone; those that were stale from the start are shown. */
static bool shown(const struct domains *domains, const struct perm *entry)
{
	return entry->record == PERM_RECORD_STALE || entry->record == PERM_RECORD_ANY ||
	       domain_with_record(domains, entry->domid, entry->record);
}

int verb_get_perms(struct request *request)
{
	const struct perms *perms;
	struct lookup lookup;
	struct path path;
	char text[WIRE_PAYLOAD_MAX + 16], *out;
	size_t used = 0;
	int error = request_path(request, true, &path);

	if (!error)
		error = request_lookup(request, &path, PERM_READ, FACET_PERMS, &lookup);
	if (error)
		return error;
	perms = lookup.node->perms;
	for (uint32_t i = 0; i < perms->count; i++) {
		const struct perm *entry = &perms->entry[i];

		if (i && !shown(&request->core->state.domains, entry))
			continue;
		used += (size_t)sprintf(text + used, "%c%d", perm_char(entry->letter),
					entry->domid) +
			1;
		if (used > WIRE_PAYLOAD_MAX)
			return E2BIG;
	}
	out = request_reply(request, used);
	if (!out)
		return ENOMEM;
	memcpy(out, text, used);
	return 0;
}
