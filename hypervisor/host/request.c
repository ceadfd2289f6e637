/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each request does, in the name of its connection's domain. Most of them
 * are one call of the mechanism; the host adds whose port and whose mapping it is.
 */
#include "request.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Copies the request's data as a string that fits. */
static void text_of(const struct request *request, char *text, size_t size)
{
	size_t length = request->length < size - 1 ? request->length : size - 1;

	memcpy(text, request->data, length);
	memset(text + length, 0, size - length);
}

/* Domids of requests are 64 bits wide on the wire. */
static uint32_t narrow(uint64_t value)
{
	return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

static int hello(struct request *request)
{
	uint32_t domid = narrow(request->message->arg[1]);

	if (request->message->arg[0] != SIMXEN_PROTOCOL || request->control->greeted)
		return -EPROTO;
	if (!hv_domain_find(&request->host->hv, domid))
		return -ESRCH;
	request->control->domid = domid;
	request->control->greeted = true;
	text_of(request, request->control->rundir, sizeof(request->control->rundir));
	return 0;
}

static int status(struct request *request)
{
	struct host *host = request->host;

	request->message->arg[0] = (uint64_t)getpid();
	request->message->arg[1] = host->hv.domains.count;
	request->message->arg[2] = host->handle_count;
	request->message->arg[3] = host->mapping_used;
	request->answer_length = strlen(host->store_rundir);
	memcpy(request->data, host->store_rundir, request->answer_length);
	return 0;
}

static int stop(struct request *request)
{
	if (!hv_is_control(&request->host->hv, request->control->domid))
		return -EPERM;
	request->host->stopping = true;
	return 0;
}

static int create(struct request *request)
{
	struct simxen_domain *created = (struct simxen_domain *)(void *)request->data;
	size_t most = SIMXEN_DATA_MAX / sizeof(*created), count;
	char name[SIMXEN_NAME_MAX];
	int error = 0;

	text_of(request, name, sizeof(name));
	if (request->message->arg[2] < most)
		most = request->message->arg[2];
	for (count = 0; count < most && error == 0; count++) {
		error = domains_create(request->host, request->control->domid,
				       narrow(request->message->arg[0]),
				       narrow(request->message->arg[1]), request->message->arg[3],
				       name, &created[count]);
		if (error < 0)
			break;
	}
	/* Those that were created are there, whatever stopped it. */
	request->answer_length = count * sizeof(*created);
	return count ? (int)count : error;
}

static int list(struct request *request)
{
	size_t most = SIMXEN_DATA_MAX / sizeof(struct simxen_domain);
	int count;

	if (request->message->arg[1] < most)
		most = request->message->arg[1];
	count = domains_list(request->host, request->control->domid,
			     narrow(request->message->arg[0]), most,
			     (struct simxen_domain *)(void *)request->data);
	if (count > 0)
		request->answer_length = (size_t)count * sizeof(struct simxen_domain);
	return count;
}

static int set_introduced(struct request *request)
{
	const uint16_t *domids = (const uint16_t *)(void *)request->data;

	if (!hv_is_control(&request->host->hv, request->control->domid))
		return -EPERM;
	for (size_t i = 0; i < request->length / sizeof(*domids); i++)
		if (hv_domain_find(&request->host->hv, domids[i]))
			request->host->domains[domids[i]].introduced = request->message->arg[0] !=
								       0;
	return 0;
}

static int domctl(struct request *request)
{
	struct host *host = request->host;
	struct hv_get_domain_state head;
	int result;

	if (host->xen_version < HOST_DOMAIN_STATE_SINCE && request->length >= sizeof(head)) {
		memcpy(&head, request->data, sizeof(head));
		/* An unknown operation's version is compared with the only one that is known. */
		if (head.interface_version != host->hv.domctl_version)
			return -EACCES;
		if (head.cmd == HV_DOMCTL_GET_DOMAIN_STATE)
			return -ENOSYS;
	}
	result = hv_domctl(&host->hv, request->control->domid, request->data, request->length);
	if (result >= 0)
		request->answer_length = request->length;
	return result;
}

/* A handle that is named by its cookie and belongs to the caller's domain. */
static struct handle *handle_of(struct request *request)
{
	struct handle *handle = handle_by_cookie(request->host, request->message->arg[0]);

	return handle && handle->domid == request->control->domid ? handle : NULL;
}

/* Gives a port that was just made to the handle; the result of the request. */
static int adopt(struct request *request, struct handle *handle, uint32_t port)
{
	int error = handle_attach(request->host, handle, port, false);

	if (error < 0) {
		hv_evtchn_close(&request->host->hv, handle->domid, port);
		return error;
	}
	return (int)port;
}

/*
 * Whoever learns of dead domains is a xenstored. A handle that binds the virq for the first time
 * is one that has just begun; one that binds it again belongs to one that was updated.
 */
static void note_store(struct request *request, struct handle *handle)
{
	struct host *host = request->host;

	if (handle->had_dom_exc)
		return;
	handle->had_dom_exc = true;
	memcpy(host->store_rundir, request->control->rundir, sizeof(host->store_rundir));
	for (uint32_t domid = 1; domid < HV_DOMID_FIRST_RESERVED; domid++)
		host->domains[domid].introduced = false;
	host_spawn_introducer(host);
}

static int bind_virq(struct request *request)
{
	struct handle *handle = handle_of(request);
	uint32_t virq = narrow(request->message->arg[1]), port;
	int error;

	if (!handle)
		return -EBADF;
	error = hv_evtchn_bind_virq(&request->host->hv, handle->domid, virq, 0, &port);
	if (error < 0)
		return error;
	error = adopt(request, handle, port);
	if (error >= 0 && virq == HV_VIRQ_DOM_EXC)
		note_store(request, handle);
	return error;
}

static int bind_interdomain(struct request *request)
{
	struct handle *handle = handle_of(request);
	uint32_t port;
	int error;

	if (!handle)
		return -EBADF;
	error = hv_evtchn_bind_interdomain(&request->host->hv, handle->domid,
					   narrow(request->message->arg[1]),
					   narrow(request->message->arg[2]), &port);
	return error < 0 ? error : adopt(request, handle, port);
}

static int bind_unbound(struct request *request)
{
	struct handle *handle = handle_of(request);
	uint32_t port;
	int error;

	if (!handle)
		return -EBADF;
	error = hv_evtchn_alloc_unbound(&request->host->hv, handle->domid, handle->domid,
					narrow(request->message->arg[1]), &port);
	return error < 0 ? error : adopt(request, handle, port);
}

static int attach(struct request *request)
{
	struct handle *handle = handle_of(request);
	uint32_t port = narrow(request->message->arg[1]);
	struct hv_evtchn_status now;
	int error;

	if (!handle)
		return -EBADF;
	error = hv_evtchn_status(&request->host->hv, handle->domid, handle->domid, port, &now);
	if (error < 0)
		return error;
	if (now.state == HV_EVTCHN_CLOSED)
		return -EINVAL;
	if (handle_of_port(request->host, handle->domid, port))
		return -EBUSY;
	error = handle_attach(request->host, handle, port, true);
	return error < 0 ? error : (int)port;
}

/* The port if it is the named handle's, else a negative errno. */
static int own_port(struct request *request)
{
	struct handle *handle = handle_of(request);
	uint32_t port = narrow(request->message->arg[1]);

	if (!handle)
		return -EBADF;
	if (handle_of_port(request->host, handle->domid, port) != handle)
		return -ENOTCONN; /* as Linux says it */
	return (int)port;
}

static int detach(struct request *request)
{
	int port = own_port(request);

	if (port < 0)
		return port;
	handle_detach(request->host, request->control->domid, (uint32_t)port);
	return 0;
}

static int unbind(struct request *request)
{
	int port = own_port(request);

	if (port < 0)
		return port;
	handle_detach(request->host, request->control->domid, (uint32_t)port);
	return hv_evtchn_close(&request->host->hv, request->control->domid, (uint32_t)port);
}

static int alloc_unbound(struct request *request)
{
	uint32_t port;
	int error = hv_evtchn_alloc_unbound(&request->host->hv, request->control->domid,
					    narrow(request->message->arg[0]),
					    narrow(request->message->arg[1]), &port);

	return error < 0 ? error : (int)port;
}

/* A domain's kernel closes a port whoever has it. */
static int close_port(struct request *request)
{
	struct host *host = request->host;
	uint32_t domid = narrow(request->message->arg[0]);
	uint32_t port = narrow(request->message->arg[1]);

	if (domid != request->control->domid && !hv_is_control(&host->hv, request->control->domid))
		return -EPERM;
	if (!hv_domain_find(&host->hv, domid))
		return -ESRCH;
	handle_detach(host, domid, port);
	return hv_evtchn_close(&host->hv, domid, port);
}

/* Completes a mapping of either kind. */
static int mapped(struct request *request, uint32_t mapping, uint64_t frame)
{
	int64_t id = mappings_add(request->host, request->control, mapping);

	if (id < 0) {
		hv_unmap(&request->host->hv, request->control->domid, mapping);
		return (int)id;
	}
	request->message->arg[0] = (uint64_t)id;
	request->message->arg[1] = frame;
	return 0;
}

static int map_grant(struct request *request)
{
	uint32_t mapping;
	uint64_t frame;
	int error = hv_grant_map(&request->host->hv, request->control->domid,
				 narrow(request->message->arg[0]), narrow(request->message->arg[1]),
				 !request->message->arg[2], &mapping, &frame);

	return error < 0 ? error : mapped(request, mapping, frame);
}

/* A domain's only frame is its ring page. */
static int map_foreign(struct request *request)
{
	uint32_t domid = narrow(request->message->arg[0]), mapping;
	uint64_t frame = request->message->arg[1];
	int error;

	if (frame != domid)
		return -EINVAL;
	error = hv_foreign_map(&request->host->hv, request->control->domid, domid, frame, &mapping);
	return error < 0 ? error : mapped(request, mapping, frame);
}

static int unmap(struct request *request)
{
	return mappings_remove(request->host, request->message->arg[0]);
}

static int store_port(struct request *request)
{
	uint32_t domid = narrow(request->message->arg[0]);

	if (!hv_domain_find(&request->host->hv, domid))
		return -ESRCH;
	return (int)request->host->domains[domid].store_port;
}

static int kexec(struct request *request)
{
	const uint64_t *arg = request->message->arg;
	int result = host_kexec(request->host, request->control, narrow(arg[0]), arg[1],
				request->received, arg[2], arg[3]);

	request->later = result == 0 && arg[0] == HV_KEXEC_CMD_EXEC;
	if (result < 0) {
		request->answer_length = strlen(request->host->update.kexec.message);
		memcpy(request->data, request->host->update.kexec.message, request->answer_length);
	}
	return result;
}

static int share_add(struct request *request)
{
	return shares_add(request->host, request->control, narrow(request->message->arg[0]),
			  request->message->arg[1] != 0, &request->message->arg[0]);
}

/* A device model and its guest, as far as they matter to who wants to stop them. */
static int device(struct request *request)
{
	struct hypervisor *hv = &request->host->hv;
	uint32_t caller = request->control->domid, id;
	uint32_t domid = narrow(request->message->arg[1]);
	int error;

	switch (request->message->arg[0]) {
	case SIMXEN_DEVICE_SERVE:
		error = hv_ioreq_create(hv, caller, domid, domid, &id);
		return error ? error : (int)id;
	case SIMXEN_DEVICE_ACCESS:
		return hv_ioreq_send(hv, caller, 0, domid);
	case SIMXEN_DEVICE_ANSWER:
		return hv_ioreq_answer(hv, caller, domid, 0);
	default:
		return -ENOSYS;
	}
}

int request_run(struct request *request)
{
	struct hypervisor *hv = &request->host->hv;
	uint32_t caller = request->control->domid;
	uint32_t arg0 = narrow(request->message->arg[0]);

	if (!request->control->greeted && request->message->op != SIMXEN_HELLO)
		return -EPROTO;
	switch (request->message->op) {
	case SIMXEN_HELLO:
		return hello(request);
	case SIMXEN_MEMORY_FILE:
		request->descriptor = request->host->memory;
		return 0;
	case SIMXEN_STOP:
		return stop(request);
	case SIMXEN_STATUS:
		return status(request);
	case SIMXEN_DOMAIN_CREATE:
		return create(request);
	case SIMXEN_DOMAIN_UNPAUSE:
		return hv_domain_unpause(hv, caller, arg0);
	case SIMXEN_DOMAIN_PAUSE:
		return hv_domain_pause(hv, caller, arg0);
	case SIMXEN_DOMAIN_SHUTDOWN:
		return hv_domain_shutdown(hv, caller, arg0, narrow(request->message->arg[1]));
	case SIMXEN_DOMAIN_RESUME:
		return hv_domain_resume(hv, caller, arg0);
	case SIMXEN_DOMAIN_DESTROY:
		return domains_destroy(request->host, caller, arg0);
	case SIMXEN_DOMAIN_LIST:
		return list(request);
	case SIMXEN_DOMAIN_INTRODUCED:
		return set_introduced(request);
	case SIMXEN_DOMCTL:
		return domctl(request);
	case SIMXEN_XEN_VERSION:
		return (int)request->host->xen_version;
	case SIMXEN_EVTCHN_VIRQ:
		return bind_virq(request);
	case SIMXEN_EVTCHN_INTERDOMAIN:
		return bind_interdomain(request);
	case SIMXEN_EVTCHN_UNBOUND:
		return bind_unbound(request);
	case SIMXEN_EVTCHN_ATTACH:
		return attach(request);
	case SIMXEN_EVTCHN_DETACH:
		return detach(request);
	case SIMXEN_EVTCHN_UNBIND:
		return unbind(request);
	case SIMXEN_EVTCHN_ALLOC:
		return alloc_unbound(request);
	case SIMXEN_EVTCHN_CLOSE:
		return close_port(request);
	case SIMXEN_GRANT_MAP:
		return map_grant(request);
	case SIMXEN_GRANT_UNMAP:
		return unmap(request);
	case SIMXEN_FOREIGN_MAP:
		return map_foreign(request);
	case SIMXEN_STORE_PORT:
		return store_port(request);
	case SIMXEN_VIRQ_HANDLER:
		return hv_virq_set_handler(hv, caller, arg0, narrow(request->message->arg[1]));
	case SIMXEN_DEVICE:
		return device(request);
	case SIMXEN_KEXEC:
		return kexec(request);
	case SIMXEN_GRANT_END:
		return hv_grant_end_access(hv, caller, arg0, narrow(request->message->arg[1]));
	case SIMXEN_SHARE_ADD:
		return share_add(request);
	case SIMXEN_SHARE_END:
		return shares_end(request->host, request->control, arg0);
	default:
		return -ENOSYS;
	}
}
