/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests about domains: INTRODUCE, RELEASE, RESUME, SET_TARGET and two questions. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/domains.h"
#include "verbs/request.h"

/* The payload as one domain id. Returns 0 or EINVAL. */
static int one_domid(const struct request *request, unsigned int *domid)
{
	struct arg arg;

	if (!args_one(request->payload, request->len, &arg))
		return EINVAL;
	return args_domid(&arg, domid);
}

int verb_introduce(struct request *request)
{
	struct arg args[3];
	unsigned int domid;
	int port, error;

	if (args_split(request->payload, request->len, args, 3) < 3)
		return EINVAL;
	if (args_domid(&args[0], &domid))
		return EINVAL;
	port = args_int(&args[2]);
	if (port <= 0)
		return EINVAL;
	error = core_introduce(request->core, domid, (unsigned int)port, INTRODUCE_REQUEST);
	return error ? error : request_ack(request);
}

/* The introduced domain that RELEASE, RESUME and SET_TARGET name. */
static int introduced(const struct request *request, unsigned int domid, struct domain **domain)
{
	*domain = domain_find(&request->core->state.domains, domid);
	if (!*domain || (*domain)->dying)
		return ENOENT;
	if (!(*domain)->introduced)
		/* The daemon's own domain is always there, if only as an identity of sockets. */
		return domain_is_special(&request->core->state.domains, *domain) ? EINVAL : ENOENT;
	return (*domain)->client ? 0 : EINVAL;
}

/* The same, unless another domain has the domid meanwhile: then the record ends here. */
static int living(const struct request *request, unsigned int domid, struct domain **domain)
{
	int error = introduced(request, domid, domain);

	if (error)
		return error;
	error = core_know_domain(request->core, request->client, domid, domain);
	if (error)
		return error == REQUEST_LATER ? ENOENT : error;
	return (*domain)->introduced ? 0 : ENOENT;
}

static bool is_special(const struct request *request, unsigned int domid)
{
	const struct domains *domains = &request->core->state.domains;

	return domid == domains->own_domid || domid == domains->priv_domid;
}

int verb_release(struct request *request)
{
	struct client *client = request->client;
	struct domain *domain;
	unsigned int domid;
	int error;

	if (one_domid(request, &domid) || is_special(request, domid))
		return EINVAL;
	if (client->releasing == domid + 1) {
		/* The second look at this request: is what it started through? */
		domain = domain_find(&request->core->state.domains, domid);
		if (domain && domain->dying)
			return REQUEST_LATER;
		client->releasing = 0;
		return request_ack(request);
	}
	error = introduced(request, domid, &domain);
	if (error)
		return error;
	core_forget_domain(request->core, domain);
	domain = domain_find(&request->core->state.domains, domid);
	if (domain && domain->dying) {
		client->releasing = domid + 1;
		return REQUEST_LATER;
	}
	return request_ack(request);
}

int verb_resume(struct request *request)
{
	struct domain *domain;
	unsigned int domid;
	int error;

	if (one_domid(request, &domid) || is_special(request, domid))
		return EINVAL;
	error = living(request, domid, &domain);
	if (error)
		return error;
	domain->shutdown_reported = false;
	return request_ack(request);
}

int verb_set_target(struct request *request)
{
	struct domain *domain, *target;
	struct transaction *tx;
	struct arg args[2];
	unsigned int domid, target_domid;
	int error;

	if (args_split(request->payload, request->len, args, 2) < 2)
		return EINVAL;
	if (args_domid(&args[0], &domid) || args_domid(&args[1], &target_domid))
		return EINVAL;
	error = living(request, domid, &domain);
	if (!error)
		error = living(request, target_domid, &target);
	if (error)
		return error;
	/* What its open transactions were told may have depended on the old one. */
	if (domain->target != target->record)
		LIST_FOREACH(tx, &domain->client->transactions, of_client)
			tx->target = TRANSACTION_TARGET_CHANGED;
	/* Bound to the target's record: it ends with the target, and nobody inherits it. */
	domain->target = target->record;
	domain->target_domid = target->domid;
	return request_ack(request);
}

int verb_get_domain_path(struct request *request)
{
	char text[40];
	unsigned int domid;
	char *out;
	size_t len;

	if (one_domid(request, &domid))
		return EINVAL;
	len = (size_t)snprintf(text, sizeof(text), "/local/domain/%u", domid) + 1;
	out = request_reply(request, len);
	if (!out)
		return ENOMEM;
	memcpy(out, text, len);
	return 0;
}

int verb_is_domain_introduced(struct request *request)
{
	struct domain *domain;
	unsigned int domid;

	if (one_domid(request, &domid))
		return EINVAL;
	if (domid == DOMID_SELF || !living(request, domid, &domain) ||
	    domid == request->core->state.domains.priv_domid)
		return request_answer(request, "T");
	return request_answer(request, "F");
}
