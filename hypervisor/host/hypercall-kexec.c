/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kexec hypercall, as a request of a process. The mechanism copies the image into the
 * machine and compares what it can; here the bytes become a program that can be
 * executed, and the rest is compared.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host.h"

static int read_caller(void *data, void *to, uint64_t address, uint64_t size)
{
	const int *fd = data;

	if (address > INT64_MAX || pread(*fd, to, size, (off_t)address) != (ssize_t)size)
		return -EFAULT;
	return 0;
}

static int write_caller(void *data, uint64_t address, const void *from, uint64_t size)
{
	const int *fd = data;

	if (address > INT64_MAX || pwrite(*fd, from, size, (off_t)address) != (ssize_t)size)
		return -EFAULT;
	return 0;
}

static void drop_program(struct update *update)
{
	if (update->program >= 0)
		close(update->program);
	update->program = -1;
}

/* What was loaded, put where it is going to run: a program that nobody can change any more. */
static int make_program(const struct host *host, const struct hv_kexec_image *image)
{
	int fd = memfd_create("simxen", MFD_CLOEXEC | MFD_ALLOW_SEALING), error = 0;

	if (fd < 0)
		return -errno;
	for (uint32_t i = 0; i < image->count && !error; i++) {
		uint64_t at = image->dests[i] - image->plan.image.first;

		/* What was loaded into boot memory is no part of the program. */
		if (image->dests[i] >= image->plan.image.first &&
		    pwrite(fd, memory_frame(host, image->sources[i]), HV_PAGE_SIZE,
			   (off_t)(at * HV_PAGE_SIZE)) != HV_PAGE_SIZE)
			error = -EIO;
	}
	if (!error && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) < 0)
		error = -errno;
	if (error)
		close(fd);
	return error ? error : fd;
}

/* What only this process can compare. */
static int check_release(const struct release *next, char *message)
{
	if (next->hand_over != release_own()->hand_over)
		snprintf(message, HV_KEXEC_MESSAGE,
			 "its hand-over file has version %u, that of this one is %u",
			 next->hand_over, release_own()->hand_over);
	else if (next->protocol != SIMXEN_PROTOCOL)
		snprintf(message, HV_KEXEC_MESSAGE,
			 "it speaks version %u of the protocol, and the processes here %u",
			 next->protocol, SIMXEN_PROTOCOL);
	return *message ? -EOPNOTSUPP : 0;
}

/* The mechanism has found nothing wrong. What was loaded before stays if this one is refused. */
static int accept_program(void *data, const struct hv_kexec_image *image)
{
	struct host *host = data;
	struct update *update = &host->update;
	char *message = update->kexec.message;
	struct release next;
	int program = make_program(host, image), error;

	if (program < 0)
		return program;
	error = release_read(program, &next);
	if (error == -ENOEXEC)
		snprintf(message, HV_KEXEC_MESSAGE, "it is no program for this machine");
	else if (!error)
		error = check_release(&next, message);
	if (error) {
		close(program);
		return error;
	}
	drop_program(update);
	update->program = program;
	update->next = next;
	return 0;
}

void host_kexec_init(struct host *host)
{
	struct update *update = &host->update;

	update->mapper = memory_mapper(host);
	update->program = -1;
	hv_kexec_init(&update->kexec, &host->hv, &update->mapper, &release_own()->image);
	update->kexec.accept = accept_program;
	update->kexec.accept_data = host;
}

void host_kexec_deinit(struct host *host)
{
	live_update_cancel(host);
	hv_kexec_deinit(&host->update.kexec);
	drop_program(&host->update);
}

int host_kexec(struct host *host, struct control *caller, unsigned int command, uint64_t address,
	       int memory, uint64_t flags, uint64_t patience)
{
	const struct hv_guest_memory guest = {read_caller, write_caller, &memory};
	struct update *update = &host->update;
	int error;

	update->kexec.message[0] = '\0';
	error = hv_kexec_op(&update->kexec, caller->domid, command, address, &guest);
	if (error)
		return error;
	if (command == HV_KEXEC_CMD_UNLOAD && !update->kexec.image)
		drop_program(update);
	if (command == HV_KEXEC_CMD_EXEC)
		error = live_update_begin(host, caller, flags, patience);
	return error;
}
