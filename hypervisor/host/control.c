/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control connections: each record is one request, carried out at once in the
 * name of the connection's domain, and answered by one record. A client has at
 * most one request on its way, so there is always room for the answer; one that
 * does not keep to that is disconnected.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hypervisor/host/host.h"
#include "hypervisor/host/request.h"

static bool answer(struct request *request)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {{0}};
	struct iovec parts[2] = {{request->message, sizeof(*request->message)},
				 {request->data, request->answer_length}};
	struct msghdr header = {.msg_iov = parts, .msg_iovlen = request->answer_length ? 2 : 1};

	if (request->descriptor >= 0) {
		header.msg_control = control.bytes;
		header.msg_controllen = sizeof(control.bytes);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.align), &request->descriptor, sizeof(int));
	}
	return sendmsg(request->control->source.fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

void control_answer(struct host *host, struct control *control, int result, const void *data,
		    size_t length)
{
	struct simxen_message message = {.op = SIMXEN_KEXEC, .result = result};
	struct request request = {.control = control,
				  .message = &message,
				  .data = (unsigned char *)(uintptr_t)data,
				  .answer_length = length,
				  .descriptor = -1};

	if (!answer(&request))
		control_close(host, control);
}

void control_close(struct host *host, struct control *control)
{
	if (host->update.requester == control)
		host->update.requester = NULL;
	mappings_remove_all(host, control);
	shares_end_all(host, control);
	host_drop_source(host, &control->source);
	*control->link = control->next;
	if (control->next)
		control->next->link = control->link;
	host->control_count--;
	free(control);
	host_settle(host);
}

/* The descriptor that came with a request, or -1; there is room for one. */
static int received(struct msghdr *header)
{
	const struct cmsghdr *item = CMSG_FIRSTHDR(header);
	int fd;

	if (!item || item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(&fd, CMSG_DATA(item), sizeof(fd));
	return fd;
}

static void control_ready(struct host *host, struct source *source, uint32_t events)
{
	_Alignas(8) static unsigned char data[SIMXEN_DATA_MAX];
	struct control *control = (struct control *)source;
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} ancillary;
	struct simxen_message message;
	struct iovec parts[2] = {{&message, sizeof(message)}, {data, sizeof(data)}};
	struct msghdr header = {.msg_iov = parts,
				.msg_iovlen = 2,
				.msg_control = ancillary.bytes,
				.msg_controllen = sizeof(ancillary.bytes)};
	struct request request = {.host = host,
				  .control = control,
				  .message = &message,
				  .data = data,
				  .descriptor = -1,
				  .received = -1};
	ssize_t length = recvmsg(source->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	(void)events;
	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (length < (ssize_t)sizeof(message)) {
		if (length > 0 && received(&header) >= 0)
			close(received(&header));
		control_close(host, control);
		return;
	}
	request.length = (size_t)length - sizeof(message);
	request.received = received(&header);
	message.result = request_run(&request);
	if (request.received >= 0)
		close(request.received);
	host_settle(host);
	if (!request.later && !answer(&request))
		control_close(host, control);
}

struct control *control_new(struct host *host, int fd)
{
	struct control *control = calloc(1, sizeof(*control));

	if (!control)
		return NULL;
	control->source = (struct source){fd, control_ready};
	if (host_enter_source(host, &control->source) < 0) {
		free(control);
		return NULL;
	}
	control->next = host->controls;
	control->link = &host->controls;
	if (control->next)
		control->next->link = &control->next;
	host->controls = control;
	host->control_count++;
	return control;
}

void control_accept(struct host *host, struct source *listener, uint32_t events)
{
	int fd = accept(listener->fd, NULL, NULL);
	struct control *control = fd < 0 ? NULL : control_new(host, fd);

	(void)events;
	if (control && host_wait_for(host, &control->source) < 0)
		control_close(host, control);
	else if (!control && fd >= 0)
		close(fd);
}
