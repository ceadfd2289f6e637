/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images for other receivers. What the receiver cannot be told is said to the user instead. */
#include "liveupdate/tool/model.h"

#include <stdlib.h>
#include <string.h>

#include "bytes/path.h"

static const struct stream_dialect *choose_dialect(const struct tool_options *options)
{
	const char *name = options->dialect ? options->dialect : "4.22";
	const struct stream_dialect *dialect = stream_dialect_find(name);

	if (!dialect)
		tool_fail("there is no \"%s\" to convert to; see --help", name);
	return dialect;
}

void convert_start(struct stream_writer *writer, const struct tool_options *options,
		   const struct stream_dialect *dialect, struct stream_buffer *buffer)
{
	if (stream_writer_init(writer, dialect, options->version, stream_buffer_put, buffer))
		tool_fail("xenstored %s has no version %u of the format", dialect->name,
			  options->version);
}

static void say(const char *format, size_t count)
{
	if (count) {
		fputs("lost: ", stderr);
		/* The formats are those below. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		fprintf(stderr, format, count);
#pragma GCC diagnostic pop
		fputc('\n', stderr);
	}
}

/* What is lost of our own records, in words of what happens then. */
static void report_own(const struct model *model)
{
	size_t transactions = 0, ignored = 0, shutdown = 0, unknown = 0, credits = 0, events = 0,
	       logs = 0, targets = 0;

	for (size_t i = 0; i < model->own.count; i++) {
		const struct stream_record *record = model->own.item[i];
		const union stream_own *own = &record->own;

		transactions += record->type == STREAM_TX;
		credits += record->type == STREAM_CREDIT;
		logs += record->type == STREAM_LOG;
		if (record->type == STREAM_EVENTS)
			events += own->events.events.count;
		if (record->type == STREAM_CLIENT)
			ignored += own->client.flags & STREAM_CLIENT_IGNORED;
		if (record->type == STREAM_DOMAIN_STATE) {
			shutdown += (own->domain_state.flags & STREAM_DOMAIN_SHUTDOWN) != 0;
			unknown += !(own->domain_state.flags & STREAM_DOMAIN_INTRODUCED);
			targets += own->domain_state.target_record != 0;
		}
	}
	say("%zu open transactions; their clients get ENOENT", transactions);
	say("that %zu connections are ignored; they are served again", ignored);
	say("that %zu domains' shutdown has been told; it is told again", shutdown);
	say("the unique ids of %zu domains that are not introduced", unknown);
	say("write credits of %zu domains; they start anew", credits);
	say("deadlines and causes of %zu messages", events);
	say("log settings (%zu record)", logs);
	say("to which domain the targets of %zu domains are bound", targets);
}

static void report_lost(const struct stream_lost *lost)
{
	say("the depth of %zu watches; they get more events", lost->depths);
	say("%zu watches of special nodes with a depth", lost->watches);
	say("%zu records with quotas", lost->quotas);
	say("%zu records of domains (features)", lost->domains);
}

/* The same image in another version of the format, record by record. */
static void rewrite(const struct tool_file *file, struct stream_writer *writer)
{
	struct stream_reader reader;
	struct stream_record record;
	struct stream_error error;
	enum stream_status status;

	if (stream_reader_init(&reader, file->data, file->size, &error))
		tool_fail("%s: %s", file->name, error.text);
	do {
		status = stream_next(&reader, &record, &error);
		if (status == STREAM_RECORD || status == STREAM_DONE)
			stream_put_record(writer, &record);
	} while (status == STREAM_RECORD);
	if (status != STREAM_DONE)
		tool_fail("%s: %s", file->name, error.text);
	model_writer_check(writer);
}

/* What was written must be good enough to hand it to somebody. */
void convert_finish(const struct tool_options *options, struct stream_buffer *buffer)
{
	struct stream_problem problem[20];
	struct stream_report report = {.problem = problem, .room = 20};
	struct tool_file file = {.name = "result", .data = buffer->data, .size = buffer->len};

	tool_require(&file, &report);
	tool_write(options, buffer);
	stream_buffer_deinit(buffer);
}

int command_convert(const struct tool_options *options, char **args)
{
	const struct stream_dialect *dialect = choose_dialect(options);
	struct stream_problem problem[20];
	struct stream_report report = {.problem = problem, .room = 20};
	struct stream_buffer buffer = {0};
	struct stream_writer writer;
	struct tool_file file;
	struct model model;

	tool_read(&file, args[0]);
	convert_start(&writer, options, dialect, &buffer);
	if (oxenstored_is_dump(&file)) {
		oxenstored_load(&model, &file);
		if (dialect->own)
			dialect = writer.dialect = stream_dialect_find("4.22");
	} else {
		tool_require(&file, &report);
		model_load(&model, &file);
		if (report.fragment && !dialect->own)
			tool_fail("%s: a part of a store is only for our own", file.name);
	}
	if (dialect->own) {
		rewrite(&file, &writer);
	} else {
		model_write(&model, &writer);
		report_own(&model);
	}
	report_lost(&writer.lost);
	model_deinit(&model);
	convert_finish(options, &buffer);
	return EXIT_FINE;
}
