/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GET_FEATURE, SET_FEATURE, GET_QUOTA, SET_QUOTA. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/domains.h"
#include "verbs/request.h"

static int answer_number(struct request *request, unsigned int number)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	return request_answer(request, text);
}

int verb_get_feature(struct request *request)
{
	struct domain *domain;
	struct arg arg;
	unsigned int domid;
	size_t count = args_split(request->payload, request->len, &arg, 1);
	int error;

	if (!count)
		return answer_number(request, request->client->is_socket
						      ? XS_FEATURES_DEFAULT
						      : request->client->identity.domain->features);
	if (!request->client->identity.privileged)
		return EACCES;
	if (count > 1 || args_domid(&arg, &domid))
		return EINVAL;
	error = core_know_domain(request->core, request->client, domid, &domain);
	return error ? error : answer_number(request, domain->features);
}

int verb_set_feature(struct request *request)
{
	struct domain *domain;
	struct arg args[2];
	unsigned int domid, features;
	int error;

	if (args_split(request->payload, request->len, args, 2) != 2 ||
	    args_domid(&args[0], &domid))
		return EINVAL;
	features = (unsigned int)args_int(&args[1]);
	error = core_know_domain(request->core, request->client, domid, &domain);
	if (error)
		return error;
	if (domain->introduced || domain_is_special(&request->core->state.domains, domain))
		return EBUSY;
	if (features & ~XS_FEATURES_DEFAULT)
		return EINVAL;
	domain->features = features;
	return request_ack(request);
}

static int quota_names(struct request *request)
{
	const struct quota_limits *limits = &request->core->state.domains.quota;
	char text[512], *out;
	size_t used = 0;

	for (enum quota i = 0; i < QUOTA_COUNT; i++) {
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i ? " " : "",
					 quota_name(i));
		if (limits->soft[i] != QUOTA_OFF)
			used += (size_t)snprintf(text + used, sizeof(text) - used, " soft-%s",
						 quota_name(i));
	}
	out = request_reply(request, used + 1);
	if (!out)
		return ENOMEM;
	memcpy(out, text, used + 1);
	return 0;
}

/* The limits that the first of the arguments speaks of: a domain's, or the global ones. */
static int limits_of(struct request *request, const struct arg *domid_arg, struct domain **of,
		     struct quota_limits **limits)
{
	struct domain *domain;
	unsigned int domid;
	int error;

	*of = NULL;
	*limits = &request->core->state.domains.quota;
	if (!domid_arg)
		return 0;
	if (args_domid(domid_arg, &domid))
		return EINVAL;
	error = core_know_domain(request->core, request->client, domid, &domain);
	if (!error) {
		*of = domain;
		*limits = &domain->account.limits;
	}
	return error;
}

int verb_get_quota(struct request *request)
{
	struct quota_limits *limits;
	struct domain *domain;
	struct arg args[2];
	size_t count = args_split(request->payload, request->len, args, 2);
	enum quota quota;
	bool soft;
	int error;

	if (!count)
		return quota_names(request);
	if (count > 2)
		return EINVAL;
	error = limits_of(request, count == 2 ? &args[0] : NULL, &domain, &limits);
	if (error)
		return error;
	quota = quota_by_name(args[count - 1].text, args[count - 1].len, &soft);
	if (quota == QUOTA_COUNT)
		return EINVAL;
	return answer_number(request, soft ? limits->soft[quota] : limits->hard[quota]);
}

int verb_set_quota(struct request *request)
{
	struct quota_limits *limits;
	struct domain *domain;
	struct arg args[3];
	size_t count = args_split(request->payload, request->len, args, 3);
	unsigned int value;
	enum quota quota;
	bool soft;
	int error;

	if (count != 2 && count != 3)
		return EINVAL;
	error = limits_of(request, count == 3 ? &args[0] : NULL, &domain, &limits);
	if (error)
		return error;
	quota = quota_by_name(args[count - 2].text, args[count - 2].len, &soft);
	value = (unsigned int)args_int(&args[count - 1]);
	if (quota == QUOTA_COUNT || value == QUOTA_OFF)
		return EINVAL;
	if (soft)
		limits->soft[quota] = value;
	else
		limits->hard[quota] = value;
	request->core->recheck = true;
	/* A limit that is met now stalls the domain now. */
	if (domain && quota == QUOTA_MEMORY)
		core_memory_changed(request->core, domain);
	return request_ack(request);
}
