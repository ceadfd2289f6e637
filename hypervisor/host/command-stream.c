/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * simxen stream: look at a live update stream in a file, on any machine.
 *
 * "show" prints what is there, record by record, without any judgement; where the
 * stream makes no sense any more it says so and stops. "check" restores it, into a
 * machine that nobody runs, and says what each domain would come to.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "host.h"
#include "hypervisor/restore.h"
#include "hypervisor/stream-reader.h"

/* A file in memory, aligned as a page. */
struct file {
	uint8_t *bytes;
	size_t size;
};

/* Reads a file; returns 0 or a negative errno. */
static int read_file(const char *path, struct file *file)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), error = 0;
	size_t done = 0;
	struct stat status;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0)
		error = -errno;
	file->size = error ? 0 : (size_t)status.st_size;
	file->bytes = error ? NULL
			    : aligned_alloc(HV_STREAM_PAGE,
					    file->size / HV_STREAM_PAGE * HV_STREAM_PAGE +
						    HV_STREAM_PAGE);
	if (!error && !file->bytes)
		error = -ENOMEM;
	while (!error && done < file->size) {
		ssize_t length = read(fd, file->bytes + done, file->size - done);

		if (length < 0)
			error = -errno;
		else if (length == 0)
			file->size = done;
		else
			done += (size_t)length;
	}
	close(fd);
	return error;
}

/* ---- Elements of records. ---- */

/* Whoever wrote the stream does not write to the terminal. */
static void show_text(const char *text, size_t size)
{
	for (size_t i = 0; i < size && text[i]; i++)
		putchar(text[i] >= ' ' && text[i] <= '~' ? text[i] : '?');
}

static void show_machine(const void *data)
{
	const struct hv_stream_machine *machine = data;

	printf("ids ");
	show_text(machine->ids, sizeof(machine->ids));
	printf(", latest id %#" PRIx64 ", %" PRIu64 " frames, latest domid %u, hardware domain %u",
	       machine->id_state, machine->frames, machine->latest, machine->hardware);
}

static void show_identity(const void *data)
{
	const struct hv_stream_identity *identity = data;

	printf("domain %u: unique id %#" PRIx64, identity->domid, identity->unique_id);
}

static void show_virq(const void *data)
{
	const struct hv_stream_virq *virq = data;

	printf("virq %u: handler %u", virq->virq, virq->handler);
}

static void show_changed(const void *data)
{
	const uint8_t *bits = data;

	printf("domids:");
	for (unsigned int domid = 0; domid < HV_CHANGED_BYTES * 8; domid++) {
		if (bits[domid / 8] >> domid % 8 & 1)
			printf(" %u", domid);
	}
}

static void show_region(const void *data)
{
	const struct hv_stream_region *region = data;

	printf("frames %#" PRIx64 " + %#" PRIx64, region->first, region->count);
}

static void show_m2p(const void *data)
{
	const struct hv_stream_m2p *m2p = data;

	printf("mfn %#" PRIx64 " + %#" PRIx64 ": domain %" PRIu64 " gfn %#" PRIx64, m2p->mfn,
	       m2p->count, m2p->domid, m2p->gfn);
}

static void show_section(const void *data)
{
	const struct hv_stream_domain *section = data;

	printf("%u: %" PRIu64 " bytes, checksum %#" PRIx64, section->domid, section->size,
	       section->checksum);
}

static void show_general(const void *data)
{
	static const char *const lives[] = {"alive", "dying", "dead", "removed"};
	const struct hv_stream_general *general = data;

	printf("%s, %s%s, caps %u, paused %u, ", general->life < 4 ? lives[general->life] : "?",
	       general->flags & HV_STREAM_HVM ? "HVM" : "PV",
	       general->flags & HV_STREAM_FIFO ? " with FIFO" : "", general->caps,
	       general->pause_count);
	if (general->flags & HV_STREAM_SHUT_DOWN)
		printf("shut down (%u), ", general->shutdown_code);
	if (general->target != HV_DOMID_INVALID)
		printf("device model of %u, ", general->target);
	printf("%" PRIu64 " pages, suspend port %u; limits: port %u, grants %u, mappings %u; "
	       "counts: vCPUs %u, references %u, grants %u, ports %u, mappings %u, foreign %u, "
	       "servers %u",
	       general->pages, general->suspend_port, general->max_port, general->max_grants,
	       general->max_mappings, general->vcpus, general->references, general->grants,
	       general->ports, general->mappings, general->foreign, general->servers);
}

static void show_vcpu(const void *data)
{
	static const char *const runs[] = {"down", "blocked", "runnable"};
	const struct hv_stream_vcpu *vcpu = data;

	printf("%s at %#" PRIx64, vcpu->run < 3 ? runs[vcpu->run] : "?", vcpu->ip);
	if (vcpu->hypercall)
		printf(", on hypercall %" PRIu64 " with %" PRIu64 " units left", vcpu->hypercall,
		       vcpu->left);
}

static void show_extent(const void *data)
{
	const struct hv_stream_extent *extent = data;

	printf("%#" PRIx64 ": mfn %#" PRIx64 " + %#" PRIx64, extent->gfn, extent->mfn,
	       extent->count);
}

static void show_pages(const void *data)
{
	const struct hv_stream_pages *pages = data;

	printf("mfn %#" PRIx64 " + %u: %s", pages->mfn, pages->count,
	       hv_frame_type_name(pages->type));
}

static void show_grant(const void *data)
{
	const struct hv_stream_grant *grant = data;

	printf("ref %u: frame %#" PRIx64 " to %u%s%s, mapped %u times", grant->ref, grant->frame,
	       grant->to, grant->flags & HV_STREAM_READONLY ? ", read-only" : "",
	       grant->flags & HV_STREAM_GRANTED ? "" : ", revoked", grant->mappings);
}

static void show_port(const void *data)
{
	const struct hv_stream_port *port = data;

	printf("port %u: ", port->port);
	if (port->state == HV_EVTCHN_UNBOUND)
		printf("for %u", port->remote);
	else if (port->state == HV_EVTCHN_INTERDOMAIN)
		printf("to %u.%u", port->remote, port->number);
	else if (port->state == HV_EVTCHN_VIRQ)
		printf("virq %u", port->number);
	else
		printf("state %u", port->state);
	printf("%s%s", port->flags & HV_STREAM_PENDING ? ", pending" : "",
	       port->flags & HV_STREAM_MASKED ? ", masked" : "");
}

static void show_mapping(const void *data)
{
	const struct hv_stream_mapping *mapping = data;

	printf("handle %u: frame %#" PRIx64 " of %u, ref %u%s", mapping->handle, mapping->frame,
	       mapping->from, mapping->ref,
	       mapping->flags & HV_STREAM_READONLY ? ", read-only" : "");
}

static void show_server(const void *data)
{
	const struct hv_stream_server *server = data;

	printf("server %u: emulator %u, frame %#" PRIx64, server->id, server->emulator,
	       server->frame);
}

static void (*const show_element[])(const void *data) = {
	[HV_RECORD_MACHINE] = show_machine,
	[HV_RECORD_DOMAINS] = show_identity,
	[HV_RECORD_VIRQS] = show_virq,
	[HV_RECORD_CHANGED] = show_changed,
	[HV_RECORD_REGIONS] = show_region,
	[HV_RECORD_M2P] = show_m2p,
	[HV_RECORD_DOMAIN] = show_section,
	[HV_RECORD_GENERAL] = show_general,
	[HV_RECORD_VCPUS] = show_vcpu,
	[HV_RECORD_P2M] = show_extent,
	[HV_RECORD_PAGES] = show_pages,
	[HV_RECORD_GRANTS] = show_grant,
	[HV_RECORD_EVTCHN_2LEVEL] = show_port,
	[HV_RECORD_EVTCHN_FIFO] = show_port,
	[HV_RECORD_MAPPINGS] = show_mapping,
	[HV_RECORD_FOREIGN] = show_mapping,
	[HV_RECORD_IOREQ] = show_server,
	[HV_RECORD_IOMMU] = show_extent,
	[HV_RECORD_END] = NULL,
};

static void show_record(const struct hv_read_record *record)
{
	const char *name = hv_record_name(record->type);
	const size_t element = hv_record_element(record->type);

	if (!name) {
		printf("unknown (%u), %" PRIu64 " bytes, may be skipped\n", record->type,
		       record->count);
		return;
	}
	printf("%s\n", name);
	if (record->type == HV_RECORD_SOFTWARE && record->count) {
		printf("  ");
		show_text(record->data, record->count);
		printf("\n");
	}
	for (uint64_t i = 0; show_element[record->type] && i < record->count; i++) {
		printf("  ");
		show_element[record->type]((const uint8_t *)record->data + i * element);
		printf("\n");
	}
}

static int show(const struct command *command, const struct file *file)
{
	struct hv_stream_header header;
	struct hv_read_record record = {0};
	struct hv_reader reader;
	bool unsupported;
	const char *reason = hv_read_header(file->bytes, file->size, &header, &reader,
					    &unsupported);

	if (!reason)
		printf("live update stream, version %u, %" PRIu64 " bytes, %u domains\n",
		       header.version, header.size, header.domains);
	while (!reason && record.type != HV_RECORD_END) {
		reason = hv_read_record(&reader, &record);
		if (!reason)
			show_record(&record);
	}
	if (!reason && reader.left)
		reason = "something follows the end";
	if (!reason)
		return 0;
	fflush(stdout);
	fprintf(stderr, "simxen %s: %s\n", command->name, reason);
	return 1;
}

/* ---- Restoring. ---- */

static void no_upcall(void *data, unsigned int domid, uint32_t port)
{
	(void)data;
	(void)domid;
	(void)port;
}

/* The memory of the machine that the stream was made on, all of it free; 0 or a negative errno. */
static int make_memory(const struct file *file, const struct hv_allocator *allocator,
		       struct hv_memory *memory, bool *is_modelled)
{
	struct hv_stream_header header;
	struct hv_read_record record;
	struct hv_reader reader;
	bool unsupported;
	uint64_t frames = 0;
	int error;

	if (!hv_read_header(file->bytes, file->size, &header, &reader, &unsupported) &&
	    !hv_read_record(&reader, &record) && record.type == HV_RECORD_MACHINE && record.count)
		frames = ((const struct hv_stream_machine *)record.data)->frames;
	*is_modelled = frames != 0;
	if (!frames)
		return 0;
	error = hv_memory_init(memory, allocator, frames);
	return error ? error
		     : hv_frames_set(&memory->table, 0, frames, HV_DOMID_INVALID, HV_FRAME_FREE);
}

static int report(const struct command *command, const struct hv_restore *restore, int error)
{
	for (uint32_t i = 0; !error && i < restore->domain_count; i++) {
		unsigned int domid;
		const char *verdict = hv_restore_verdict(restore, i, &domid);

		if (verdict)
			printf("domain %u fails: %s\n", domid, verdict);
	}
	if (error) {
		fprintf(stderr, "simxen %s: %s\n", command->name, restore->reason);
		return 1;
	}
	printf("%u domains, %u of them fail\n", restore->domain_count, restore->failed);
	return restore->failed != 0;
}

static int check(const struct command *command, const struct file *file)
{
	struct hv_memory memory = {0};
	struct hv_config config = {.allocator = host_allocator, .callbacks = {.upcall = no_upcall}};
	struct hv_restore restore;
	struct hypervisor hv;
	bool is_modelled;
	int error = make_memory(file, &config.allocator, &memory, &is_modelled), result;

	if (error) {
		hv_memory_deinit(&memory);
		return command_failed(command, "the machine's memory", error);
	}
	config.memory = is_modelled ? &memory : NULL;
	error = hv_restore_begin(&restore, &hv, &config, file->bytes, file->size);
	if (!error) {
		hv_restore_all(&restore);
		error = hv_restore_finish(&restore);
	}
	result = report(command, &restore, error);
	if (!error)
		hv_deinit(&hv);
	hv_restore_end(&restore);
	hv_memory_deinit(&memory);
	return result;
}

int command_stream(const struct command *command, int argc, char **argv)
{
	struct file file = {NULL, 0};
	int error, result;

	if (argc != 3 || (strcmp(argv[1], "show") != 0 && strcmp(argv[1], "check") != 0))
		return command_usage(command);
	error = read_file(argv[2], &file);
	if (error)
		result = command_failed(command, argv[2], error);
	else
		result = argv[1][0] == 's' ? show(command, &file) : check(command, &file);
	free(file.bytes);
	return result;
}
