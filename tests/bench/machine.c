/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The toolstack's part of a benchmark, see machine.h.
 */
#define _GNU_SOURCE 1
#include "machine.h"
#include "bulk.h"
#include "fail.h"
#include "hypervisor/host/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define AT_ONCE 256u  /* domains in one request */
#define TRIES	10000 /* of 1 ms, for a domid to become free */

static int connect_to(const struct machine *machine, const char *name, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		fail("socket: %s", strerror(errno));
	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", machine->directory,
		     name) >= (int)sizeof(address.sun_path))
		fail("%s: path is too long", machine->directory);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		fail("%s: connect %s: %s", machine->subject->name, address.sun_path,
		     strerror(errno));
	return fd;
}

/* As machine_ask(), for a whole message and with data behind the answer. */
static int call(int control, struct simxen_message *message, void *data, size_t size)
{
	struct iovec part[2] = {{message, sizeof(*message)}, {data, size}};
	struct msghdr header = {.msg_iov = part, .msg_iovlen = 2};

	message->result = 0;
	if (send(control, message, sizeof(*message), MSG_NOSIGNAL) != sizeof(*message) ||
	    recvmsg(control, &header, 0) < (ssize_t)sizeof(*message))
		fail("the host has gone");
	return message->result;
}

int machine_ask(int control, uint32_t op, uint64_t arg0, uint64_t arg1)
{
	struct simxen_message message = {.op = op, .arg = {arg0, arg1}};

	return call(control, &message, NULL, 0);
}

int machine_control(const struct machine *machine, uint32_t domid)
{
	int fd = connect_to(machine, SIMXEN_CONTROL_SOCKET, SOCK_SEQPACKET);

	if (machine_ask(fd, SIMXEN_HELLO, SIMXEN_PROTOCOL, domid) < 0)
		fail("the host does not know domain %u", domid);
	return fd;
}

int machine_evtchn(const struct machine *machine, uint32_t domid, uint64_t *cookie)
{
	struct simxen_evtchn_hello hello = {.protocol = SIMXEN_PROTOCOL, .domid = domid};
	int fd = connect_to(machine, SIMXEN_EVTCHN_SOCKET, SOCK_STREAM);
	socklen_t length = sizeof(*cookie);
	uint32_t answer;

	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, cookie, &length) < 0)
		fail("cookie: %s", strerror(errno));
	hello.cookie = *cookie;
	if (send(fd, &hello, sizeof(hello), MSG_NOSIGNAL) != sizeof(hello) ||
	    recv(fd, &answer, sizeof(answer), MSG_WAITALL) != sizeof(answer) || answer)
		fail("no events for domain %u", domid);
	return fd;
}

struct machine *machine_new(const struct subject *subject)
{
	static const char tail[] = "/run/socket";
	struct machine *machine = calloc(1, sizeof(*machine));
	size_t len = strlen(subject->socket), base = len - (sizeof(tail) - 1);
	char path[160];
	int fd;

	if (!machine)
		fail("out of memory");
	if (len < sizeof(tail) || strcmp(subject->socket + base, tail) != 0)
		fail("%s: not a socket on a simulated host: %s", subject->name, subject->socket);
	machine->subject = subject;
	snprintf(machine->directory, sizeof(machine->directory), "%.*s/host", (int)base,
		 subject->socket);
	machine->control = machine_control(machine, 0);
	snprintf(path, sizeof(path), "%s/" SIMXEN_MEMORY, machine->directory);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail("%s: %s", path, strerror(errno));
	machine->memory = mmap(NULL, (size_t)DOMIDS * SIMXEN_PAGE_SIZE, PROT_READ | PROT_WRITE,
			       MAP_SHARED, fd, 0);
	if (machine->memory == MAP_FAILED)
		fail("%s: %s", path, strerror(errno));
	close(fd);
	return machine;
}

/* Returns how many there are; 0 when the domid is not free. */
static unsigned int create(struct machine *machine, uint32_t domid, unsigned int count)
{
	static struct simxen_domain domains[AT_ONCE];
	struct simxen_message message = {.op = SIMXEN_DOMAIN_CREATE,
					 .arg = {domid, SIMXEN_CREATE_BARE, count}};
	int created = call(machine->control, &message, domains, sizeof(domains));

	if (created == -EEXIST)
		return 0;
	if (created <= 0)
		fail("the host creates no domain: %s", strerror(-created));
	for (int i = 0; i < created; i++)
		machine->ports[domains[i].domid] = domains[i].port;
	return (unsigned int)created;
}

void machine_create(struct machine *machine, unsigned int count)
{
	while (count)
		count -= create(machine, SIMXEN_DOMID_ANY, count < AT_ONCE ? count : AT_ONCE);
}

void machine_create_one(struct machine *machine, uint32_t domid)
{
	/* A dead domain is there until the daemon has let go of its page. */
	for (int i = 0; !create(machine, domid, 1); i++) {
		if (i == TRIES)
			fail("domain %u is dead and never gone", domid);
		usleep(1000);
	}
}

void machine_destroy(struct machine *machine, uint32_t domid)
{
	int error = machine_ask(machine->control, SIMXEN_DOMAIN_DESTROY, domid, 0);

	if (error < 0)
		fail("the host does not destroy domain %u: %s", domid, strerror(-error));
	machine->ports[domid] = 0;
}

void machine_homes(const struct machine *machine, struct client *dom0, uint32_t first,
		   uint32_t last)
{
	struct bulk bulk = {.client = dom0};
	char path[32], owner[16];

	(void)machine;
	for (uint32_t domid = first; domid <= last; domid++) {
		snprintf(path, sizeof(path), "/local/domain/%u", domid);
		snprintf(owner, sizeof(owner), "n%u", domid);
		bulk_put(&bulk, XS_MKDIR, path, NULL, 0);
		bulk_put(&bulk, XS_SET_PERMS, path, owner, strlen(owner) + 1);
	}
	bulk_finish(&bulk);
}

void machine_introduce(const struct machine *machine, struct client *dom0, uint32_t first,
		       uint32_t last)
{
	struct bulk bulk = {.client = dom0};
	char name[16], rest[32];

	for (uint32_t domid = first; domid <= last; domid++) {
		/* The number of the frame is the domid, for daemons that look at it. */
		int len = snprintf(rest, sizeof(rest), "%u%c%u", domid, 0, machine->ports[domid]);

		snprintf(name, sizeof(name), "%u", domid);
		bulk_put(&bulk, XS_INTRODUCE, name, rest, (size_t)len + 1);
	}
	bulk_finish(&bulk);
}
