/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fragments: the part of an image that belongs to one domain. Images of other
 * xenstoreds have no record of a domain; one is made of what they say.
 */
#include <stdlib.h>
#include <string.h>

#include "bytes/path.h"
#include "bytes/wire.h"
#include "liveupdate/tool/model.h"

/* Serials below mean something else. */
#define FIRST_RECORD 16u

static const struct stream_connection *find_connection(const struct model *model,
						       unsigned int domid)
{
	for (size_t i = 0; i < model->connections.count; i++) {
		const struct stream_connection *connection = model->connections.item[i];

		if (connection->type == STREAM_RING && connection->domid == domid)
			return connection;
	}
	return NULL;
}

static const struct stream_domain *find_domain(const struct model *model, unsigned int domid)
{
	for (size_t i = 0; i < model->domains.count; i++) {
		const struct stream_domain *domain = model->domains.item[i];

		if (domain->domid == domid)
			return domain;
	}
	return NULL;
}

/* Returns whether the image knows the domain by more than nodes. */
static bool write_head(const struct model *model, unsigned int domid, struct stream_writer *writer)
{
	const struct stream_connection *connection = find_connection(model, domid);
	const struct stream_domain *domain = find_domain(model, domid);
	struct stream_image image = {.format = STREAM_OWN_FORMAT,
				     .flags = STREAM_IMAGE_FRAGMENT,
				     .priv_domid = model->priv_domid,
				     .own_domid = model->own_domid,
				     .program = {"xenstore-image", sizeof("xenstore-image") - 1}};
	struct stream_domain_state state = {
		.domid = (uint16_t)domid, .features = XS_FEATURES_DEFAULT, .record = FIRST_RECORD};
	bool known = connection || domain;

	if (connection) {
		state.flags = STREAM_DOMAIN_INTRODUCED;
		state.unique_id = connection->unique_id;
	}
	if (domain && domain->features)
		state.features = domain->features;
	for (size_t i = 0; i < model->own.count; i++) {
		const struct stream_record *record = model->own.item[i];

		if (record->type == STREAM_DOMAIN_STATE &&
		    record->own.domain_state.domid == domid) {
			state = record->own.domain_state;
			known = true;
		}
	}
	/* Its target is a domain of the host where it was, its shutdown the end of its time there.
	 */
	state.target_domid = STREAM_NO_TARGET;
	state.target_record = 0;
	state.flags &= STREAM_DOMAIN_INTRODUCED;
	stream_put_own(writer, STREAM_IMAGE, &image);
	stream_put_own(writer, STREAM_DOMAIN_STATE, &state);
	if (domain && domain->quotas.count + domain->quotas.global_count)
		stream_put_domain(writer, domain);
	return known;
}

static void write_connection(const struct model *model, const struct stream_connection *connection,
			     struct stream_writer *writer)
{
	struct stream_connection copy = *connection;

	copy.target = STREAM_NO_TARGET;
	stream_put_connection(writer, &copy);
	for (size_t i = 0; i < model->own.count; i++) {
		const struct stream_record *record = model->own.item[i];

		if (record->type == STREAM_CLIENT && record->own.client.conn_id == connection->id)
			stream_put_own(writer, STREAM_CLIENT, &record->own.client);
	}
	model_write_watches(model, writer, connection->id);
}

/* What they have seen stays behind, so that they can only end with EAGAIN. */
static void write_transactions(const struct model *model, uint32_t id, struct stream_writer *writer)
{
	for (size_t i = 0; i < model->own.count; i++) {
		const struct stream_record *record = model->own.item[i];
		struct stream_tx tx = {.conn_id = id, .flags = STREAM_TX_LOST};

		if (record->type != STREAM_TX || record->own.tx.conn_id != id)
			continue;
		tx.tx_id = record->own.tx.tx_id;
		stream_put_own(writer, STREAM_TX, &tx);
	}
}

static bool write_nodes(const struct model *model, unsigned int domid, struct stream_writer *writer)
{
	const struct tree_node *node = &model->tops;
	char home[40];
	size_t len = (size_t)snprintf(home, sizeof(home), "/local/domain/%u", domid);
	bool any = false;

	while ((node = model_next(&model->tops, node))) {
		if (node->path[0] == '@' || (!path_covers(home, len, node->path, node->path_len) &&
					     model_owner(node) != domid))
			continue;
		model_write_node(writer, node);
		any = true;
	}
	return any;
}

static int extract_from_file(const struct tool_options *options, unsigned int domid,
			     const char *name)
{
	struct stream_problem problem[20];
	struct stream_report report = {.problem = problem, .room = 20};
	const struct stream_connection *connection;
	struct stream_buffer buffer = {0};
	struct stream_writer writer;
	struct tool_file file;
	struct model model;
	bool any;

	tool_read(&file, name);
	tool_require(&file, &report);
	model_load(&model, &file);
	convert_start(&writer, options, stream_dialect_find("own"), &buffer);
	any = write_head(&model, domid, &writer);
	connection = find_connection(&model, domid);
	if (connection)
		write_connection(&model, connection, &writer);
	any |= write_nodes(&model, domid, &writer);
	if (connection)
		write_transactions(&model, connection->id, &writer);
	model_deinit(&model);
	if (!any) {
		stream_buffer_deinit(&buffer);
		fprintf(stderr, "%s: nothing belongs to domain %u\n", file.name, domid);
		return EXIT_WRONG;
	}
	stream_put_end(&writer);
	model_writer_check(&writer);
	convert_finish(options, &buffer);
	return EXIT_FINE;
}

int command_extract(const struct tool_options *options, char **args)
{
	unsigned int domid = tool_domid(args[0]);

	if (options->dialect && strcmp(options->dialect, "own") != 0)
		tool_fail("only our own xenstored can insert a part of a store");
	return args[1] ? extract_from_file(options, domid, args[1]) : live_extract(options, domid);
}
