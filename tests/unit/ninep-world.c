/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See ninep-world.h.
 */
#include "ninep-world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ninepfsd/server.h"

static struct ninep_world *world_of(struct ninep_platform *platform)
{
	return (struct ninep_world *)platform;
}

static void check(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "ninep-world: %s\n", what);
	abort();
}

/* ---- nodes ---- */

static struct world_node *find(struct ninep_world *world, const char *path)
{
	for (unsigned int i = 0; i < world->node_count; i++)
		if (strcmp(world->nodes[i].path, path) == 0)
			return &world->nodes[i];
	return NULL;
}

const char *world_node(struct ninep_world *world, const char *path)
{
	struct world_node *node = find(world, path);

	return node ? node->value : NULL;
}

void world_set(struct ninep_world *world, const char *path, const char *value)
{
	struct world_node *node = find(world, path);

	if (!node) {
		check(world->node_count < 64, "too many nodes");
		node = &world->nodes[world->node_count++];
		snprintf(node->path, sizeof(node->path), "%s", path);
	}
	snprintf(node->value, sizeof(node->value), "%s", value);
}

void world_unset(struct ninep_world *world, const char *path)
{
	struct world_node *node = find(world, path);

	if (node)
		*node = world->nodes[--world->node_count];
}

/* ---- the platform ---- */

static uint64_t platform_now(struct ninep_platform *platform)
{
	return world_of(platform)->now;
}

static void platform_notify(struct ninep_platform *platform, uint32_t port)
{
	check(port < 32 && world_of(platform)->ports & 1U << port, "notify of a closed port");
}

static void backend_turn(struct ninep_world *world);

static void platform_wait(struct ninep_platform *platform, uint32_t port, uint64_t deadline)
{
	struct ninep_world *world = world_of(platform);

	check(port < 32 && world->ports & 1U << port, "wait for a closed port");
	check(deadline > world->now, "wait for the past");
	backend_turn(world);
	world->now += world->silent && deadline != NINEP_NEVER ? deadline - world->now : 1;
}

static int platform_read(struct ninep_platform *platform, const char *path, char *value,
			 size_t size)
{
	const char *text = world_node(world_of(platform), path);

	if (!text)
		return -ENOENT;
	if (strlen(text) >= size)
		return -E2BIG;
	memcpy(value, text, strlen(text) + 1);
	return 0;
}

static int platform_write(struct ninep_platform *platform, const char *path, const char *value)
{
	world_of(platform)->writes++;
	world_set(world_of(platform), path, value);
	return 0;
}

static int platform_grant(struct ninep_platform *platform, unsigned int domid, void *page,
			  uint32_t *ref)
{
	struct ninep_world *world = world_of(platform);

	if (world->fail_grants)
		return -ENOSPC;
	for (uint32_t i = 8; i < 32; i++) {
		if (world->grants[i].page &&
		    (world->grants[i].page != page || world->grants[i].domid != domid))
			continue;
		world->grants[i].page = page;
		world->grants[i].domid = domid;
		*ref = i;
		return 0;
	}
	return -ENOSPC;
}

static int platform_ungrant(struct ninep_platform *platform, uint32_t ref)
{
	struct ninep_world *world = world_of(platform);

	check(ref < 32 && world->grants[ref].page, "ungrant of nothing");
	if (world->grants[ref].mapped)
		return -EBUSY;
	world->grants[ref].page = NULL;
	return 0;
}

static int platform_alloc_port(struct ninep_platform *platform, unsigned int domid, uint32_t *port)
{
	struct ninep_world *world = world_of(platform);

	(void)domid;
	for (*port = 1; *port < 32; ++*port) {
		if (world->ports & 1U << *port)
			continue;
		world->ports |= 1U << *port;
		return 0;
	}
	return -ENOSPC;
}

static void platform_close_port(struct ninep_platform *platform, uint32_t port)
{
	struct ninep_world *world = world_of(platform);

	check(port < 32 && world->ports & 1U << port, "close of a closed port");
	world->ports &= ~(1U << port);
}

static void platform_message(struct ninep_platform *platform, const char *text)
{
	struct ninep_world *world = world_of(platform);

	world->messages++;
	snprintf(world->message, sizeof(world->message), "%s", text);
}

static const struct ninep_platform_ops ops = {
	.now = platform_now,
	.notify = platform_notify,
	.wait = platform_wait,
	.read = platform_read,
	.write = platform_write,
	.grant = platform_grant,
	.ungrant = platform_ungrant,
	.alloc_port = platform_alloc_port,
	.close_port = platform_close_port,
	.message = platform_message,
};

/* ---- the back-end ---- */

static void unmap_all(struct ninep_world *world)
{
	for (unsigned int i = 0; i < 32; i++)
		world->grants[i].mapped = false;
}

static void unlink_rings(struct ninep_world *world)
{
	if (!world->linked)
		return;
	p9_link_deinit(&world->link);
	p9_server_free(world->server);
	world->linked = false;
	unmap_all(world);
}

/* False: the front-end's pages or nodes do not describe rings (a test has spoilt them). */
static bool link_rings(struct ninep_world *world)
{
	const char *text = world_node(world, FRONT "/ring-ref0");
	uint32_t ref = text ? (uint32_t)strtoul(text, NULL, 10) : 0;
	struct p9_interface *page = world->memory.interface;
	uint32_t order = page->ring_order;

	if (ref >= 32 || world->grants[ref].page != page || order < 1 ||
	    order > world->memory.order)
		return false;
	for (uint32_t i = 0; i < 1U << order; i++) {
		uint32_t data_ref = page->ref[i];

		if (data_ref >= 32 || world->grants[data_ref].page !=
					      (char *)world->memory.data + i * NINEP_PAGE_SIZE)
			return false;
		world->grants[data_ref].mapped = true;
	}
	world->grants[ref].mapped = true;
	check(p9_server_new(world->directory, &world->limits, P9_RING_SIZE(order),
			    &world->server) == 0,
	      "no server");
	world->linked = p9_link_init(&world->link, page, world->memory.data, order) == 0;
	if (!world->linked)
		p9_server_free(world->server);
	return world->linked;
}

static void backend_nodes(struct ninep_world *world)
{
	const char *front = world_node(world, FRONT "/state"),
		   *back = world_node(world, BACK "/state");
	int state = front ? atoi(front) : 6;

	if (!back)
		return;
	if (state == 3 && atoi(back) == 2) {
		unlink_rings(world);
		if (link_rings(world)) {
			world_set(world, BACK "/state", "4");
		} else {
			unmap_all(world);
			world_set(world, BACK "/state", "6");
		}
	} else if (state >= 5 && atoi(back) != 6 && atoi(back) != 2) {
		unlink_rings(world);
		world_set(world, BACK "/state", "6");
	} else if (state == 1 && atoi(back) == 6) {
		world_set(world, BACK "/state", "2");
	}
}

static void backend_turn(struct ninep_world *world)
{
	if (world->peer)
		world->peer(world);
	else if (world->linked && !world->silent)
		check(p9_link_turn(&world->link, world->server, 100) >= 0, "bad ring");
}

/* ---- the world ---- */

void world_init(struct ninep_world *world, unsigned int order)
{
	*world = (struct ninep_world){.platform.ops = &ops, .now = 1000};
	world->memory.interface = aligned_alloc(4096, 4096);
	world->memory.data = aligned_alloc(4096, (size_t)4096 << order);
	world->memory.order = order;
	memset(world->memory.interface, 0x5a, 4096);
	memset(world->memory.data, 0x5a, (size_t)4096 << order);
	strcpy(world->directory, "/tmp/ninep.XXXXXX");
	check(mkdtemp(world->directory) != NULL, "no directory");
	world->fe = ninep_new(&world->platform, &world->memory, NULL);
	check(world->fe != NULL, "no front-end");
}

void world_deinit(struct ninep_world *world)
{
	char command[128];

	unlink_rings(world);
	ninep_free(world->fe);
	free(world->memory.interface);
	free(world->memory.data);
	snprintf(command, sizeof(command), "rm -rf %s", world->directory);
	check(system(command) == 0, "cannot clean up");
	world_file(NULL, NULL, NULL);
}

void world_offer(struct ninep_world *world)
{
	world_set(world, FRONT "/backend", BACK);
	world_set(world, FRONT "/backend-id", "0");
	world_set(world, FRONT "/tag", "Xen");
	world_set(world, FRONT "/state", "1");
	world_backend_begins(world);
}

void world_run(struct ninep_world *world)
{
	for (unsigned int i = 0; i < 300; i++) {
		if (!world->dead)
			backend_nodes(world);
		ninep_changed(world->fe);
		ninep_turn(world->fe);
		backend_turn(world);
	}
}

void world_backend_dies(struct ninep_world *world)
{
	unlink_rings(world);
	world->dead = true;
}

void world_backend_begins(struct ninep_world *world)
{
	world->dead = false;
	world_set(world, BACK "/online", "1");
	world_set(world, BACK "/versions", "1");
	world_set(world, BACK "/max-rings", "4");
	world_set(world, BACK "/max-ring-page-order", "9");
	world_set(world, BACK "/state", "2");
}

void world_kexec(struct ninep_world *world)
{
	ninep_save(world->fe, &world->saved);
	ninep_free(world->fe);
	world->fe = ninep_new(&world->platform, &world->memory, &world->saved);
	check(world->fe != NULL, "no front-end");
}

static void path_of(const struct ninep_world *world, const char *name, char *path, size_t size)
{
	snprintf(path, size, "%s/%s", world->directory, name);
}

const char *world_file(struct ninep_world *world, const char *name, size_t *length)
{
	static char *content;
	char path[256];
	FILE *file;
	long size;

	free(content);
	content = NULL;
	if (!world)
		return NULL;
	path_of(world, name, path, sizeof(path));
	file = fopen(path, "r");
	if (!file)
		return NULL;
	fseek(file, 0, SEEK_END);
	size = ftell(file);
	rewind(file);
	content = calloc(1, (size_t)size + 1);
	check(content && fread(content, 1, (size_t)size, file) == (size_t)size, "cannot read");
	fclose(file);
	if (length)
		*length = (size_t)size;
	return content;
}

void world_put_file(struct ninep_world *world, const char *name, const void *bytes, size_t length)
{
	char path[256];
	int fd;

	path_of(world, name, path, sizeof(path));
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	check(fd >= 0 && write(fd, bytes, length) == (ssize_t)length, "cannot write");
	close(fd);
}
