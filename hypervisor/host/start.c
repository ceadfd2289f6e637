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

/*
 * The memory, as the firmware tells it.
 */
static int make_machine(struct host *host)
{
	int error = hv_memory_init(&host->machine, &host->hv.allocator, MEMORY_FRAMES);

	if (!error)
		error = hv_frames_set(&host->machine.table, 0, MEMORY_FRAMES, HV_DOMID_INVALID,
				      HV_FRAME_FREE);
	if (!error)
		error = memory_hide_rings(host);
	return error;
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

int host_init(struct host *host, const struct host_options *options)
{
	struct hv_config config;
	int error;

	memset(host, 0, sizeof(*host));
	host->directory = options->directory;
	host->xen_version = options->xen_version;
	host->lock = options->lock;
	host->memory = host->control_listener.fd = host->evtchn_listener.fd = -1;
	raise_limits();
	host->epoll = epoll_create1(0);
	if (host->epoll < 0)
		return -errno;
	config = host_config(host);
	config.ids = options->ids;
	config.seed = options->ids == &hv_id_sequence ? 0 : boot_seed();
	hv_init(&host->hv, &config);
	error = memory_open(host, -1);
	if (error == 0)
		error = make_machine(host);
	if (error == 0)
		error = domains_init(host);
	if (error < 0)
		return error;
	host->evtchn_listener = (struct source){
		listen_at(options->directory, SIMXEN_EVTCHN_SOCKET, SOCK_STREAM), handle_accept};
	host->control_listener = (struct source){
		listen_at(options->directory, SIMXEN_CONTROL_SOCKET, SOCK_SEQPACKET),
		control_accept};
	if (host->evtchn_listener.fd < 0)
		return host->evtchn_listener.fd;
	if (host->control_listener.fd < 0)
		return host->control_listener.fd;
	error = host_enter_source(host, &host->evtchn_listener);
	if (error == 0)
		error = host_wait_for(host, &host->evtchn_listener);
	if (error == 0)
		error = host_enter_source(host, &host->control_listener);
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
	hv_deinit(&host->hv);
	hv_memory_deinit(&host->machine);
	memory_close(host);
	domains_deinit(host);
	free(host->mappings);
	free(host->sources);
	free(host->events);
	free(host->freed);
	close(host->epoll);
}
