/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The beginning of a host, when the machine is switched on, and its end.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "hypervisor/boot.h"
#include "hypervisor/host/hand-over.h"
#include "hypervisor/host/host.h"

static int listen_at(const char *directory, const char *name, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int dir = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = -1, error = 0;

	if (dir < 0)
		return -errno;
	unlinkat(dir, name, 0);
	/* The path through the descriptor is short however long the directory's is. */
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", dir, name);
	fd = socket(AF_UNIX, type, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 4096) < 0)
		error = -errno;
	close(dir);
	if (error && fd >= 0)
		close(fd);
	return error ? error : fd;
}

/* Each guest that is played needs two or three descriptors. */
static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	/* With the privilege to do so, more. */
	limit.rlim_cur = limit.rlim_max = 262144;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static uint64_t boot_seed(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return ((uint64_t)now.tv_sec << 30) ^ (uint64_t)now.tv_nsec ^ (uint64_t)getpid() << 48;
}

void host_write_pid(int lock)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	if (ftruncate(lock, 0) < 0 || pwrite(lock, text, (size_t)length, 0) < 0)
		perror("simxen: pid file");
}

int host_listen(struct host *host, int control, int evtchn)
{
	int error;

	host->control_listener = (struct source){control, control_accept};
	host->evtchn_listener = (struct source){evtchn, handle_accept};
	if (evtchn < 0)
		return evtchn;
	if (control < 0)
		return control;
	error = host_enter_source(host, &host->evtchn_listener);
	return error ? error : host_enter_source(host, &host->control_listener);
}

void host_adopt(struct host *host, const struct hand_over *head)
{
	memset(host, 0, sizeof(*host));
	memcpy(host->directory, head->directory, sizeof(host->directory));
	memcpy(host->store_rundir, head->store_rundir, sizeof(host->store_rundir));
	host->xen_version = head->xen_version;
	host->epoll = head->epoll;
	host->lock = head->lock;
	host->memory = -1;
	/* The watchdog has another pid. */
	host_write_pid(host->lock);
}

/* All memory is RAM, but ring pages are not for everybody. */
static int init_memory(struct host *host, const char *command_line)
{
	const struct hv_image_memory *self = &release_own()->image.memory;
	struct hv_liveupdate_option option;
	int error = memory_open(host, -1);

	if (!error)
		error = hv_memory_init(&host->machine, &host_allocator, MEMORY_FRAMES);
	if (!error)
		error = hv_frames_set(&host->machine.table, 0, MEMORY_FRAMES, HV_DOMID_INVALID,
				      HV_FRAME_FREE);
	if (!error)
		error = memory_hide_rings(host);
	if (!error)
		error = hv_liveupdate_option_parse(command_line, strlen(command_line), &option);
	if (!error)
		error = hv_boot_first(&host->machine, self, &option);
	if (!error)
		hv_boot_free_init(&host->machine, self);
	return error;
}

/* The hypervisor and its first domain. */
static int init_machine(struct host *host, const struct host_options *options)
{
	struct hv_config config = host_config(host);
	int error;

	config.ids = options->ids;
	config.seed = options->ids == &hv_id_sequence ? 0 : boot_seed();
	hv_init(&host->hv, &config);
	error = init_memory(host, options->command_line);
	if (!error)
		error = domains_boot(host);
	if (!error)
		host_kexec_init(host);
	return error;
}

int host_init(struct host *host, const struct host_options *options)
{
	int error;

	memset(host, 0, sizeof(*host));
	snprintf(host->directory, sizeof(host->directory), "%s", options->directory);
	host->xen_version = options->xen_version;
	host->lock = options->lock;
	raise_limits();
	host->epoll = epoll_create1(0);
	if (host->epoll < 0)
		return -errno;
	error = init_machine(host, options);
	if (error == 0)
		error = host_listen(
			host, listen_at(options->directory, SIMXEN_CONTROL_SOCKET, SOCK_SEQPACKET),
			listen_at(options->directory, SIMXEN_EVTCHN_SOCKET, SOCK_STREAM));
	if (error == 0)
		error = host_wait_for(host, &host->evtchn_listener);
	if (error == 0)
		error = host_wait_for(host, &host->control_listener);
	return error;
}

void host_deinit(struct host *host)
{
	static const char *const names[] = {SIMXEN_CONTROL_SOCKET, SIMXEN_EVTCHN_SOCKET,
					    SIMXEN_MEMORY, "pid"};
	char path[4096];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (snprintf(path, sizeof(path), "%s/%s", host->directory, names[i]) <
		    (int)sizeof(path))
			unlink(path);
	while (host->controls)
		control_close(host, host->controls);
	while (host->handles)
		handle_close(host, host->handles);
	host_kexec_deinit(host);
	hv_deinit(&host->hv);
	hv_memory_deinit(&host->machine);
	memory_close(host);
	domains_free(host);
	free(host->mappings);
	free(host->sources);
	free(host->events);
	free(host->freed);
	close(host->epoll);
}
