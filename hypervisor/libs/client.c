/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections to the simulated host. Request and answer buffers are handed to the
 * kernel as they are, so that an inaccessible one is found by the kernel (EFAULT),
 * as it would be by a hypervisor.
 */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct simxen_client {
	int fd;
	int memory;
	pthread_mutex_t lock;
};

const char *simxen_directory(char *buffer, size_t size)
{
	const char *directory = getenv("SIMXEN_DIR");

	if (directory && *directory)
		return directory;
	snprintf(buffer, size, "/tmp/simxen-%u", (unsigned int)geteuid());
	return buffer;
}

uint32_t simxen_own_domid(void)
{
	const char *text = getenv("SIMXEN_DOMID");

	return text && *text ? (uint32_t)strtoul(text, NULL, 10) : 0;
}

/* Connects to a socket in the directory, whose path may be longer than an address. */
static int connect_to(const char *directory, const char *name, int type, int flags)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int dir = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd, error = 0;

	if (dir < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", dir, name);
	fd = socket(AF_UNIX, type | flags, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		error = -errno;
		if (fd >= 0)
			close(fd);
	}
	close(dir);
	return error ? error : fd;
}

int simxen_client_new(const char *directory, uint32_t domid, struct simxen_client **client)
{
	struct simxen_message hello = {.op = SIMXEN_HELLO, .arg = {SIMXEN_PROTOCOL, domid}};
	const char *rundir = getenv("XENSTORED_RUNDIR");
	struct simxen_client *c = calloc(1, sizeof(*c));
	int error;

	if (!c)
		return -ENOMEM;
	c->memory = -1;
	pthread_mutex_init(&c->lock, NULL);
	c->fd = connect_to(directory, SIMXEN_CONTROL_SOCKET, SOCK_SEQPACKET, SOCK_CLOEXEC);
	if (c->fd < 0) {
		error = c->fd;
	} else {
		if (!rundir)
			rundir = "";
		error = simxen_client_call(c, &hello, rundir, strlen(rundir), NULL, NULL);
	}
	if (error < 0) {
		simxen_client_free(c);
		return error;
	}
	*client = c;
	return 0;
}

int simxen_client_open(struct simxen_client **client)
{
	char buffer[64];

	return simxen_client_new(simxen_directory(buffer, sizeof(buffer)), simxen_own_domid(),
				 client);
}

void simxen_client_free(struct simxen_client *client)
{
	if (!client)
		return;
	if (client->fd >= 0)
		close(client->fd);
	if (client->memory >= 0)
		close(client->memory);
	pthread_mutex_destroy(&client->lock);
	free(client);
}

int simxen_client_fd(const struct simxen_client *client)
{
	return client->fd;
}

/* Waits, whatever the descriptor's mode, and however often a signal interrupts. */
static ssize_t exchange(int fd, struct msghdr *header, bool sending)
{
	struct pollfd wait = {.fd = fd, .events = sending ? POLLOUT : POLLIN};
	ssize_t length;

	for (;;) {
		if (sending)
			length = sendmsg(fd, header, MSG_NOSIGNAL);
		else
			length = recvmsg(fd, header, MSG_CMSG_CLOEXEC);
		if (length >= 0)
			return length;
		if (errno == EAGAIN)
			poll(&wait, 1, -1);
		else if (errno != EINTR)
			return errno == EPIPE || errno == ECONNRESET ? -ENODEV : -errno;
	}
}

/* A descriptor that came with a message is the memory's; there is no other. */
static void take_descriptor(struct simxen_client *client, struct msghdr *header)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(header);
	int fd;

	if (!control || control->cmsg_type != SCM_RIGHTS)
		return;
	memcpy(&fd, CMSG_DATA(control), sizeof(fd));
	if (client->memory >= 0)
		close(fd);
	else
		client->memory = fd;
}

static int call_locked(struct simxen_client *client, struct simxen_message *message,
		       const void *data, size_t length, int descriptor, void *reply,
		       size_t *reply_length)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {{0}};
	size_t room = reply_length ? *reply_length : 0;
	struct iovec parts[2] = {{message, sizeof(*message)}, {(void *)(uintptr_t)data, length}};
	struct msghdr header = {.msg_iov = parts, .msg_iovlen = length ? 2 : 1};
	ssize_t done;

	if (descriptor >= 0) {
		header.msg_control = control.bytes;
		header.msg_controllen = sizeof(control.bytes);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.align), &descriptor, sizeof(int));
	}
	done = exchange(client->fd, &header, true);
	if (done < 0)
		return (int)done;
	parts[1].iov_base = reply;
	parts[1].iov_len = room;
	header.msg_iovlen = room ? 2 : 1;
	header.msg_control = control.bytes;
	header.msg_controllen = sizeof(control.bytes);
	done = exchange(client->fd, &header, false);
	if (done < 0)
		return (int)done;
	if ((size_t)done < sizeof(*message))
		return -ENODEV;
	take_descriptor(client, &header);
	if (reply_length)
		*reply_length = (size_t)done - sizeof(*message);
	return message->result;
}

int simxen_client_call_with(struct simxen_client *client, struct simxen_message *message,
			    const void *data, size_t length, int descriptor, void *reply,
			    size_t *reply_length)
{
	int result;

	pthread_mutex_lock(&client->lock);
	result = call_locked(client, message, data, length, descriptor, reply, reply_length);
	pthread_mutex_unlock(&client->lock);
	return result;
}

int simxen_client_call(struct simxen_client *client, struct simxen_message *message,
		       const void *data, size_t length, void *reply, size_t *reply_length)
{
	return simxen_client_call_with(client, message, data, length, -1, reply, reply_length);
}

int simxen_client_ask(struct simxen_client *client, uint32_t op, uint64_t arg0, uint64_t arg1,
		      uint64_t arg2)
{
	struct simxen_message message = {.op = op, .arg = {arg0, arg1, arg2}};

	return simxen_client_call(client, &message, NULL, 0, NULL, NULL);
}

int simxen_client_memory(struct simxen_client *client)
{
	int error = 0;

	if (client->memory < 0)
		error = simxen_client_ask(client, SIMXEN_MEMORY_FILE, 0, 0, 0);
	if (error < 0)
		return error;
	return client->memory >= 0 ? client->memory : -ENODEV;
}

void *simxen_client_map_page(struct simxen_client *client, uint64_t page, int prot, void *where)
{
	int fd = simxen_client_memory(client);
	void *address;

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	address = mmap(where, SIMXEN_PAGE_SIZE, prot, MAP_SHARED | (where ? MAP_FIXED : 0), fd,
		       (off_t)(page * SIMXEN_PAGE_SIZE));
	return address == MAP_FAILED ? NULL : address;
}

int simxen_evtchn_cookie(int fd, uint64_t *cookie)
{
	socklen_t length = sizeof(*cookie);

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, cookie, &length) < 0 ? -errno : 0;
}

int simxen_evtchn_send(int fd, uint32_t word)
{
	struct iovec part = {&word, sizeof(word)};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
	ssize_t length = exchange(fd, &header, true);

	/* The host reads four bytes or none, and a word fits or it does not. */
	return length < 0 ? (int)length : 0;
}

int simxen_evtchn_connect(const char *directory, uint32_t domid, bool close_on_exec)
{
	struct simxen_evtchn_hello hello = {.protocol = SIMXEN_PROTOCOL, .domid = domid};
	struct iovec part = {&hello, sizeof(hello)};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
	uint32_t answer = 0;
	ssize_t length;
	int fd = connect_to(directory, SIMXEN_EVTCHN_SOCKET, SOCK_STREAM,
			    close_on_exec ? SOCK_CLOEXEC : 0);

	if (fd < 0)
		return fd;
	length = simxen_evtchn_cookie(fd, &hello.cookie);
	if (length == 0)
		length = exchange(fd, &header, true);
	if (length >= 0) {
		part = (struct iovec){&answer, sizeof(answer)};
		length = exchange(fd, &header, false);
		if (length >= 0 && (length != sizeof(answer) || answer != 0))
			length = -ENODEV;
	}
	if (length < 0) {
		close(fd);
		return (int)length;
	}
	return fd;
}
