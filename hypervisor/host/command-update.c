/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command that updates the hypervisor: what kexec's user program is on a real host.
 * Its memory, for the hypercall, is a file.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "hypervisor/kexec.h"
#include "hypervisor/libs/client.h"
#include "release.h"

/* Where things stand in the file. */
#define ARGUMENT_AT 0
#define SEGMENT_AT  256
#define PROGRAM_AT  4096

struct updater {
	const struct command *command;
	struct simxen_client *client;
	int memory;
	const char *program;
	bool hash, quiet;
	uint32_t patience;	     /* milliseconds, 0: the host's */
	struct simxen_update update; /* what was answered */
	size_t answered;
};

static bool parse(int argc, char **argv, struct updater *updater)
{
	updater->program = "/proc/self/exe";
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--hash") == 0)
			updater->hash = true;
		else if (strcmp(argv[i], "--quiet") == 0)
			updater->quiet = true;
		else if (strcmp(argv[i], "--xen") == 0 && i + 1 < argc)
			updater->program = argv[++i];
		else if (strcmp(argv[i], "--patience") == 0 && i + 1 < argc)
			updater->patience = (uint32_t)atoi(argv[++i]);
		else
			return false;
	}
	return true;
}

/* One hypercall with this argument, which may change. */
static int kexec(struct updater *updater, unsigned int command, void *argument, size_t size)
{
	struct simxen_message message = {.op = SIMXEN_KEXEC,
					 .arg = {command, ARGUMENT_AT,
						 updater->hash ? SIMXEN_KEXEC_HASH : 0,
						 updater->patience}};
	int result;

	if (pwrite(updater->memory, argument, size, ARGUMENT_AT) != (ssize_t)size)
		return -EIO;
	memset(&updater->update, 0, sizeof(updater->update));
	updater->answered = sizeof(updater->update) - 1;
	result = simxen_client_call_with(updater->client, &message, NULL, 0, updater->memory,
					 &updater->update, &updater->answered);
	if (pread(updater->memory, argument, size, ARGUMENT_AT) != (ssize_t)size)
		return -EIO;
	return result;
}

/* What the hypervisor said about a refusal, or what the error means. */
static int refused(const struct updater *updater, int error)
{
	const char *why = (const char *)&updater->update;

	fprintf(stderr, "simxen %s: %s: refused: %s\n", updater->command->name, updater->program,
		updater->answered && *why ? why : strerror(-error));
	return 1;
}

/* The address behind the place of the hypervisor's image, where the next one's place ends too. */
static int find_top(struct updater *updater, uint64_t *top)
{
	struct hv_kexec_range range = {.range = HV_KEXEC_RANGE_MA_XEN};
	int error = kexec(updater, HV_KEXEC_CMD_GET_RANGE, &range, sizeof(range));

	*top = range.start + range.size;
	return error;
}

/*
 * Where the program is to be. What it takes stands in its note; to one without a note the
 * hypervisor will say something.
 */
static int place(struct updater *updater, int program, struct hv_kexec_segment *segment)
{
	struct hv_image_memory needs = {0};
	struct release release;
	struct stat stat;
	uint64_t top = 0;
	int error = fstat(program, &stat) < 0 ? -errno : find_top(updater, &top);

	if (error)
		return error;
	needs.image_size = (uint64_t)stat.st_size;
	if (release_read(program, &release) == 0)
		needs = release.image.memory;
	segment->buf = PROGRAM_AT;
	segment->buf_size = (uint64_t)stat.st_size;
	segment->dest_size = hv_frames_of_bytes(segment->buf_size) << HV_PAGE_SHIFT;
	segment->dest_maddr = top - (hv_image_frames(&needs) << HV_PAGE_SHIFT);
	return 0;
}

static int copy(int from, int to, size_t size)
{
	off_t offset = 0;

	if (lseek(to, PROGRAM_AT, SEEK_SET) < 0)
		return -errno;
	while ((size_t)offset < size) {
		ssize_t done = sendfile(to, from, &offset, size - (size_t)offset);

		if (done <= 0)
			return done < 0 ? -errno : -EIO;
	}
	return 0;
}

/* Returns the exit status. */
static int load(struct updater *updater)
{
	struct hv_kexec_load argument = {.type = HV_KEXEC_TYPE_LIVE_UPDATE,
					 .arch = HV_KEXEC_ARCH_X86_64,
					 .nr_segments = 1,
					 .segments = SEGMENT_AT};
	struct hv_kexec_segment segment = {0};
	int program = open(updater->program, O_RDONLY | O_CLOEXEC), error;

	if (program < 0)
		return command_failed(updater->command, updater->program, -errno);
	error = place(updater, program, &segment);
	if (!error)
		error = copy(program, updater->memory, segment.buf_size);
	if (!error && pwrite(updater->memory, &segment, sizeof(segment), SEGMENT_AT) < 0)
		error = -errno;
	close(program);
	if (error)
		return command_failed(updater->command, updater->program, error);
	argument.entry_maddr = segment.dest_maddr;
	error = kexec(updater, HV_KEXEC_CMD_LOAD, &argument, sizeof(argument));
	return error < 0 ? refused(updater, error) : 0;
}

static double milliseconds(int64_t nanoseconds)
{
	return (double)nanoseconds / 1e6;
}

static void print(const struct updater *updater)
{
	const struct simxen_update *update = &updater->update;

	printf("from %s to %s: stream version %" PRIu32 ", %" PRIu64 " bytes, %" PRIu32
	       " domains, restored on %" PRIu32 " CPUs\n",
	       update->from, update->to, update->version, update->stream_bytes, update->domains,
	       update->cpus);
	if (update->failed)
		printf("%" PRIu32 " domains could not be restored\n", update->failed);
	if (updater->hash)
		printf("memory of the domains: %016" PRIx64 " before, %016" PRIx64 " after\n",
		       update->hash_before, update->hash_after);
	printf("pause: %.1f ms (save %.1f, boot %.1f, restore %.1f)\n", milliseconds(update->pause),
	       milliseconds(update->save), milliseconds(update->boot),
	       milliseconds(update->restore));
}

/* Returns the exit status. */
static int execute(struct updater *updater)
{
	struct hv_kexec_exec argument = {HV_KEXEC_TYPE_LIVE_UPDATE};
	const struct simxen_update *update = &updater->update;
	int error = kexec(updater, HV_KEXEC_CMD_EXEC, &argument, sizeof(argument));

	if (error < 0)
		return refused(updater, error);
	if (!updater->quiet)
		print(updater);
	if (update->hash_before != update->hash_after) {
		fprintf(stderr, "simxen %s: the domains' memory has changed\n",
			updater->command->name);
		return 1;
	}
	return update->failed ? 1 : 0;
}

int command_live_update(const struct command *command, int argc, char **argv)
{
	struct updater updater = {.command = command};
	int status;

	if (!parse(argc, argv, &updater))
		return command_usage(command);
	updater.memory = memfd_create("kexec", MFD_CLOEXEC);
	if (updater.memory < 0)
		return command_failed(command, "memory", -errno);
	updater.client = command_client(command);
	status = load(&updater);
	if (status == 0)
		status = execute(&updater);
	simxen_client_free(updater.client);
	close(updater.memory);
	return status;
}
