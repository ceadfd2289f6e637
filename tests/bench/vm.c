/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Playing the VM pattern, see vm.h.
 */
#define _GNU_SOURCE 1
#include "vm.h"
#include "fail.h"
#include "vm-pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 256

/* The text with the domid in the place of each '#'. */
static void expand(char *out, const char *text, unsigned int domid)
{
	size_t len = 0;

	for (; *text; text++) {
		int n = *text == '#' ? snprintf(out + len, TEXT_MAX - len, "%u", domid)
				     : snprintf(out + len, TEXT_MAX - len, "%c", *text);

		len += (size_t)n;
		if (len >= TEXT_MAX)
			fail("a text of the VM pattern is too long");
	}
	out[len] = '\0';
}

/* SET_PERMS' entries, each with its NUL; returns their length. */
static size_t permissions(char *out, const struct vm_house *house, const char *text,
			  unsigned int domid)
{
	size_t len;

	/* Where guests cannot own, the tool keeps the node and lets the guest write it. */
	expand(out, !house->guests_own && strcmp(text, "n#") == 0 ? "n0 b#" : text, domid);
	len = strlen(out) + 1;
	for (size_t i = 0; i < len; i++)
		if (out[i] == ' ')
			out[i] = '\0';
	return len;
}

/* One request of the pattern, with its reply. */
static void play(const struct vm_house *house, struct client *client, uint32_t *tx_id,
		 const struct vm_request *request, unsigned int domid)
{
	uint32_t tx = request->in_transaction ? *tx_id : 0, id;
	char path[TEXT_MAX] = "", more[TEXT_MAX] = "";
	struct reply reply;

	if (request->path)
		expand(path, request->path, domid);
	switch (request->type) {
	case XS_TRANSACTION_START:
		id = client_put(client, request->type, 0, "", 1);
		client_flush(client);
		client_take(client, &reply);
		if (reply.header.type != XS_TRANSACTION_START || reply.header.req_id != id ||
		    reply.header.len < 2 || reply.payload[reply.header.len - 1] != '\0')
			fail("%s: a wrong reply to TRANSACTION_START", client->subject->name);
		*tx_id = (uint32_t)strtoul((const char *)reply.payload, NULL, 10);
		break;
	case XS_TRANSACTION_END:
		id = client_put(client, request->type, tx, "T", 2);
		client_finish(client, request->type, id, tx, "OK", 3);
		break;
	case XS_READ:
		client_read(client, path, request->size);
		break;
	case XS_WATCH:
		expand(more, request->more, domid);
		client_watch(client, path, more);
		break;
	case XS_WRITE:
		id = client_put_path(client, request->type, tx, path, value_text(request->size),
				     request->size);
		client_finish(client, request->type, id, tx, "OK", 3);
		break;
	case XS_SET_PERMS:
		id = client_put_path(client, request->type, tx, path, more,
				     permissions(more, house, request->more, domid));
		client_finish(client, request->type, id, tx, "OK", 3);
		break;
	default:
		id = client_put_path(client, request->type, tx, path, NULL, 0);
		client_finish(client, request->type, id, tx, "OK", 3);
		break;
	}
}

/* Whether SET_PERMS accepts an owner that does not exist. */
static bool guests_may_own(struct client *client)
{
	static const char path[] = "/bench/owned";
	struct reply reply;
	bool refused;
	uint32_t id;

	client_write(client, path, VALUE_SIZE);
	id = client_put_path(client, XS_SET_PERMS, 0, path, "n1", 3);
	client_flush(client);
	client_take(client, &reply);
	refused = client_is_error(client, &reply, id, 0, "ENOENT");
	if (!refused)
		client_check(client, &reply, XS_SET_PERMS, id, 0, "OK", 3);
	client_rm(client, path);
	return !refused;
}

void vm_house_open(struct vm_house *house, const struct subject *subject, bool nodes_only)
{
	house->back = client_new(subject);
	house->nodes_only = nodes_only;
	house->guests_own = guests_may_own(house->back);
	for (size_t i = 0; i < vm_once_count && !nodes_only; i++)
		play(house, house->back, NULL, &vm_once[i], 0);
}

void vm_create(struct vm_house *house, struct client *tool, unsigned int domid)
{
	uint32_t tx_id = 0;

	for (size_t i = 0; i < vm_pattern_count; i++) {
		const struct vm_request *request = &vm_pattern[i];
		struct client *client = request->connection == VM_BACK ? house->back : tool;

		if (house->nodes_only && (request->type == XS_READ || request->type == XS_WATCH))
			continue;
		play(house, client, &tx_id, request, domid);
	}
	client_drain(tool);
	client_drain(house->back);
}

void vm_remove(struct vm_house *house, unsigned int domid)
{
	static const char *const roots[] = {
		"/local/domain/#",
		"/local/domain/0/backend/vif/#",
		"/local/domain/0/backend/vbd/#",
		"/libxl/#",
	};
	char path[TEXT_MAX], token[TEXT_MAX];

	for (size_t i = 0; i < vm_pattern_count; i++) {
		const struct vm_request *request = &vm_pattern[i];

		if (house->nodes_only || request->connection != VM_BACK ||
		    request->type != XS_WATCH)
			continue;
		expand(path, request->path, domid);
		expand(token, request->more, domid);
		client_unwatch(house->back, path, token);
	}
	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		expand(path, roots[i], domid);
		client_rm(house->back, path);
	}
	client_drain(house->back);
}

/* Whether the first len bytes of the path of a request are a node that an earlier request (or
 * this one, by a shorter path) has created already. */
static bool counted(size_t request, const char *path, size_t len)
{
	for (size_t i = 0; i < request; i++) {
		const char *earlier = vm_pattern[i].path;

		if (earlier && strncmp(earlier, path, len) == 0 &&
		    (earlier[len] == '\0' || earlier[len] == '/') &&
		    (vm_pattern[i].type == XS_WRITE || vm_pattern[i].type == XS_MKDIR))
			return true;
	}
	return false;
}

size_t vm_node_count(void)
{
	size_t nodes = 0;

	for (size_t i = 0; i < vm_pattern_count; i++) {
		const char *path = vm_pattern[i].path;
		const char *own = path ? strchr(path, '#') : NULL;

		if (!own || (vm_pattern[i].type != XS_WRITE && vm_pattern[i].type != XS_MKDIR))
			continue;
		/* Every node from the first that bears the domid downwards is the VM's own. */
		for (const char *end = own + strcspn(own, "/");; end += 1 + strcspn(end + 1, "/")) {
			if (!counted(i, path, (size_t)(end - path)))
				nodes++;
			if (*end == '\0')
				break;
		}
	}
	return nodes;
}
