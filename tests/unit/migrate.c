/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One core replaced by another in a world in memory. */
#include "migrate.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "liveupdate/stream-check.h"

/* Where it stands in a COUNTERS record. */
#define GENERATION_AT (STREAM_HEADER_SIZE + sizeof(struct stream_own_prefix) + 20)

static struct client *adopt_socket(void *data, int fd)
{
	struct harness *harness = data;
	struct peer *peer;

	for (peer = harness->peers; peer; peer = peer->next)
		if (peer->number == fd && !peer->is_guest && !peer->closed)
			break;
	if (!peer)
		return NULL;
	peer->client = core_accept(harness->core, &peer->transport);
	return peer->client;
}

static int adopt_ring(void *data, unsigned int domid, uint32_t port, struct transport **transport)
{
	struct harness *harness = data;

	for (struct peer *peer = harness->peers; peer; peer = peer->next)
		if (peer->is_guest && peer->domid == domid && !peer->closed) {
			assert_int_equal(peer->port, port);
			*transport = &peer->transport;
			return 0;
		}
	return -ENOENT;
}

void migration_begin(struct migration *migration, struct harness *harness)
{
	if (migration->begun)
		return;
	memset(migration, 0, sizeof(*migration));
	migration->harness = harness;
	migration->process.listen_fd = migration->process.evtchn_fd = -1;
	migration->process.adopt_socket = adopt_socket;
	migration->process.adopt_ring = adopt_ring;
	migration->process.data = harness;
	assert_int_equal(stream_writer_init(&migration->writer, stream_dialect_find("own"), 0,
					    stream_buffer_put, &migration->image),
			 0);
	assert_int_equal(image_base_start(&migration->base, harness->core, &migration->process,
					  &migration->writer),
			 0);
	migration->begun = true;
}

void migration_some(struct migration *migration, unsigned int nodes)
{
	if (migration->begun)
		assert_int_equal(image_base_some(&migration->base, nodes), 0);
}

void migration_abandon(struct migration *migration)
{
	if (!migration->begun)
		return;
	image_base_drop(&migration->base);
	stream_buffer_deinit(&migration->image);
	migration->begun = false;
}

static void save(struct migration *migration, struct stream_buffer *out)
{
	struct image_requester nobody = {0};
	struct stream_writer writer;

	assert_int_equal(
		stream_writer_init(&writer, stream_dialect_find("own"), 0, stream_buffer_put, out),
		0);
	assert_int_equal(
		image_save(migration->harness->core, &migration->process, &nobody, &writer), 0);
}

static bool check(const struct stream_buffer *image, char *why, size_t size)
{
	static const struct hash_secret secret = {3, 4};
	struct stream_problem problem;
	struct stream_report report = {.problem = &problem, .room = 1};

	if (!stream_check(image->data, image->len, &secret, &report))
		return true;
	snprintf(why, size, "the image is refused at %zu: %s", problem.offset, problem.text);
	return false;
}

/* The old core lets go of its clients, and nobody notices. */
static void replace_core(struct harness *harness)
{
	const struct control_ops *control = harness->core->control;
	struct peer *peer;

	for (peer = harness->peers; peer; peer = peer->next)
		peer->kept = !peer->closed;
	harness->core->restoring = true; /* what its end sets free is no news either */
	core_free(harness->core);
	for (peer = harness->peers; peer; peer = peer->next)
		peer->closed = !peer->kept;
	harness->core = core_new(&harness->world, &harness->config);
	assert_non_null(harness->core);
	harness->core->control = control;
}

/*
 * Make @image what can be compared. Generations are numbers that every node gets anew. Transactions
 * are told by their difference from the live tree, from which entries of dead domains are gone
 * after a restore, so that it may be less; that they do what they should is seen by going on with
 * them.
 */
static void mask(struct stream_buffer *image)
{
	struct stream_reader reader;
	struct stream_record record;
	struct stream_error error;

	assert_int_equal(stream_reader_init(&reader, image->data, image->len, &error), 0);
	while (stream_next(&reader, &record, &error) == STREAM_RECORD) {
		if (record.type == STREAM_COUNTERS)
			memset(image->data + record.offset + GENERATION_AT, 0,
			       sizeof(record.own.counters.generation));
		if (record.type == STREAM_TX) {
			image->len = record.offset;
			return;
		}
	}
}

static bool same_image(struct stream_buffer *before, struct stream_buffer *after, char *why,
		       size_t size)
{
	struct stream_reader reader;
	struct stream_record record = {0};
	struct stream_error error;
	size_t at = 0;

	mask(before);
	mask(after);
	while (at < before->len && at < after->len && before->data[at] == after->data[at])
		at++;
	if (at == before->len && at == after->len)
		return true;
	stream_reader_init(&reader, before->data, before->len, &error);
	while (reader.at <= at && stream_next(&reader, &record, &error) == STREAM_RECORD)
		;
	snprintf(
		why, size,
		"saved again, the image differs at %zu of %zu, %zu bytes into a %s: 0x%02x, 0x%02x",
		at, before->len, at - record.offset, stream_type_name(record.type),
		before->data[at], after->data[at]);
	return false;
}

bool migration_finish(struct migration *migration, char *why, size_t size)
{
	struct harness *harness = migration->harness;
	struct image_requester nobody = {0};
	struct stream_buffer before = {0}, after = {0};
	struct image_report report;
	struct client *client;
	bool fine;

	harness_run_untold(harness); /* its clock goes on */
	migration_some(migration, UINT_MAX);
	assert_true(migration->base.done);
	assert_int_equal(image_finish(&migration->base, &migration->process, &nobody), 0);
	memcpy(migration->image.data + migration->base.snapshot_at + STREAM_SNAPSHOT_SIZE_AT,
	       &migration->base.size, sizeof(migration->base.size));
	image_base_drop(&migration->base);
	save(migration, &before);
	fine = check(&migration->image, why, size) && check(&before, why, size);
	if (fine) {
		replace_core(harness);
		fine = !image_restore(harness->core, &migration->process, migration->image.data,
				      migration->image.len, &report);
		if (!fine)
			snprintf(why, size, "restore: %s", report.error);
	}
	if (fine && (report.dropped_clients || report.dropped_nodes || report.dropped_watches)) {
		snprintf(why, size, "dropped: %u clients, %u nodes, %u watches",
			 report.dropped_clients, report.dropped_nodes, report.dropped_watches);
		fine = false;
	}
	if (fine) {
		TAILQ_FOREACH(client, &harness->core->clients, link)
			((struct peer *)(void *)client->transport)->client = client;
		harness_run_untold(harness);
		save(migration, &after);
		fine = same_image(&before, &after, why, size);
	}
	stream_buffer_deinit(&before);
	stream_buffer_deinit(&after);
	stream_buffer_deinit(&migration->image);
	migration->begun = false;
	return fine;
}
