/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files, memory and messages of the tool, and its check command. */
#include "liveupdate/tool/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "bytes/wire.h"

void tool_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "xenstore-image: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	exit(EXIT_TROUBLE);
}

/* Nothing is given back before the end, so memory is cut from large pieces. */
struct slab {
	struct slab *next;
	size_t used, size;
	max_align_t data[];
};

#define SLAB_SIZE (1024u * 1024)

static struct slab *slabs;

void *tool_alloc(size_t size)
{
	void *memory;

	size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
	if (!slabs || size > slabs->size - slabs->used) {
		size_t room = size > SLAB_SIZE ? size : SLAB_SIZE;
		struct slab *slab = calloc(1, sizeof(*slab) + room);

		if (!slab)
			tool_fail("out of memory");
		slab->size = room;
		slab->next = slabs;
		slabs = slab;
	}
	memory = (char *)slabs->data + slabs->used;
	slabs->used += size;
	return memory;
}

char *tool_copy(const char *text, size_t len)
{
	char *copy = tool_alloc(len + 1);

	memcpy(copy, text, len);
	return copy;
}

void tool_free_all(void)
{
	while (slabs) {
		struct slab *next = slabs->next;

		free(slabs);
		slabs = next;
	}
}

void tool_read(struct tool_file *file, const char *name)
{
	int fd = strcmp(name, "-") ? open(name, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	struct stream_buffer buffer = {0};
	char *chunk = tool_alloc(65536);
	ssize_t got = fd;

	while (fd >= 0 && (got = read(fd, chunk, 65536)) > 0)
		if (stream_buffer_put(&buffer, chunk, (size_t)got))
			tool_fail("out of memory");
	if (got < 0)
		tool_fail("%s: %s", name, strerror(errno));
	if (fd != STDIN_FILENO)
		close(fd);
	file->name = name;
	file->size = buffer.len;
	file->data = tool_alloc(buffer.len + 1);
	if (buffer.len)
		memcpy(file->data, buffer.data, buffer.len);
	stream_buffer_deinit(&buffer);
}

const struct hash_secret *tool_secret(void)
{
	static struct hash_secret secret;

	if (!secret.k0 && getrandom(&secret, sizeof(secret), 0) != (ssize_t)sizeof(secret))
		tool_fail("no random numbers");
	return &secret;
}

static void write_all(int fd, const char *name, const struct stream_buffer *buffer)
{
	for (size_t at = 0; at < buffer->len;) {
		ssize_t done = write(fd, buffer->data + at, buffer->len - at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			tool_fail("%s: %s", name, strerror(errno));
		at += (size_t)done;
	}
}

void tool_write(const struct tool_options *options, const struct stream_buffer *buffer)
{
	char *temporary;
	size_t len;
	int fd;

	if (!options->output) {
		if (isatty(STDOUT_FILENO))
			tool_fail("an image is nothing for a terminal; use -o");
		write_all(STDOUT_FILENO, "standard output", buffer);
		return;
	}
	/* Somebody may rely on the file: it is there as a whole or not at all. */
	len = strlen(options->output);
	temporary = tool_alloc(len + 8);
	memcpy(temporary, options->output, len);
	memcpy(temporary + len, ".XXXXXX", 8);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		tool_fail("%s: %s", temporary, strerror(errno));
	write_all(fd, temporary, buffer);
	if (fsync(fd) || close(fd) || rename(temporary, options->output)) {
		int error = errno;

		unlink(temporary);
		tool_fail("%s: %s", options->output, strerror(error));
	}
}

unsigned int tool_domid(const char *text)
{
	char *end;
	unsigned long domid = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || domid >= DOMID_FIRST_RESERVED)
		tool_fail("%s is not the number of a domain", text);
	return (unsigned int)domid;
}

static void print_problems(FILE *out, const char *name, const struct stream_report *report)
{
	for (size_t i = 0; i < report->count && i < report->room; i++)
		fprintf(out, "%s: offset %zu: %s%s\n", name, report->problem[i].offset,
			report->problem[i].warning ? "warning: " : "", report->problem[i].text);
	if (report->count > report->room)
		fprintf(out, "%s: %zu more problems\n", name, report->count - report->room);
}

void tool_require(const struct tool_file *file, struct stream_report *report)
{
	int error = stream_check(file->data, file->size, tool_secret(), report);

	if (error == ENOMEM)
		tool_fail("out of memory");
	if (report->errors) {
		print_problems(stderr, file->name, report);
		exit(EXIT_WRONG);
	}
}

static void print_json(const struct stream_report *report)
{
	printf("{\"consistent\": %s, \"errors\": %zu, \"warnings\": %zu, \"records\": %zu, "
	       "\"connections\": %zu, \"watches\": %zu, \"nodes\": %zu, \"domains\": %zu, "
	       "\"transactions\": %zu, \"own\": %s, \"problems\": [",
	       report->errors ? "false" : "true", report->errors, report->warnings, report->records,
	       report->connections, report->watches, report->nodes, report->domains,
	       report->transactions, report->own ? "true" : "false");
	for (size_t i = 0; i < report->count && i < report->room; i++) {
		printf("%s\n{\"offset\": %zu, \"warning\": %s, \"text\": \"", i ? "," : "",
		       report->problem[i].offset, report->problem[i].warning ? "true" : "false");
		for (const char *c = report->problem[i].text; *c; c++)
			printf(*c == '"' || *c == '\\' ? "\\%c"
			       : *c < ' '	       ? "\\u00%02x"
						       : "%c",
			       (unsigned char)*c);
		printf("\"}");
	}
	printf("]}\n");
}

int command_check(const struct tool_options *options, char **args)
{
	struct stream_report report = {.room = options->problems};
	struct tool_file file;
	int error;

	tool_read(&file, args[0]);
	report.problem = tool_alloc((options->problems + 1) * sizeof(*report.problem));
	error = stream_check(file.data, file.size, tool_secret(), &report);
	if (error == ENOMEM)
		tool_fail("out of memory");
	if (options->json) {
		print_json(&report);
		return error ? EXIT_WRONG : EXIT_FINE;
	}
	print_problems(stdout, file.name, &report);
	printf("%s: %s%s: %zu connections, %zu watches, %zu nodes, %zu domains", file.name,
	       report.errors ? "inconsistent" : "consistent", report.own ? " image of ours" : "",
	       report.connections, report.watches, report.nodes, report.domains);
	if (report.transactions)
		printf(", %zu open transactions", report.transactions);
	printf("; %zu errors, %zu warnings\n", report.errors, report.warnings);
	return error ? EXIT_WRONG : EXIT_FINE;
}
