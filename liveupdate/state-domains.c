/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records of domains: identity, features, quotas, statistics, write credit. */
#include <errno.h>
#include <string.h>

#include "liveupdate/image.h"

static uint16_t flags_of(const struct domain *domain)
{
	return (uint16_t)((domain->introduced ? STREAM_DOMAIN_INTRODUCED : 0) |
			  (domain->shutdown_reported ? STREAM_DOMAIN_SHUTDOWN : 0) |
			  (domain->shutdown_owed ? STREAM_DOMAIN_OWED : 0) |
			  (domain->account.over_hard ? STREAM_DOMAIN_OVER_HARD : 0) |
			  (domain->account.over_soft ? STREAM_DOMAIN_OVER_SOFT : 0) |
			  (domain->client && domain->client->ignored ? STREAM_DOMAIN_IGNORED : 0));
}

int save_domains(struct core *core, struct stream_writer *writer)
{
	const struct domain *domain;
	int error = 0;

	TAILQ_FOREACH(domain, &core->state.domains.list, link) {
		struct stream_domain_state state = {.domid = domain->domid,
						    .flags = flags_of(domain),
						    .features = domain->features,
						    .target_domid = STREAM_NO_TARGET,
						    .record = domain->record,
						    .unique_id = domain->unique_id};
		struct stream_credit credit = {.domid = domain->domid,
					       .flags = STREAM_CREDIT_JOINED,
					       .points = domain->credit.points,
					       .rest = domain->credit.rest};

		if (domain_with_record(&core->state.domains, domain->target_domid,
				       domain->target)) {
			state.target_domid = domain->target_domid;
			state.target_record = domain->target;
		}
		error = stream_put_own(writer, STREAM_DOMAIN_STATE, &state);
		if (!error && domain->credit.joined) {
			if (domain->credit.active)
				credit.flags |= STREAM_CREDIT_ACTIVE;
			if (domain->credit.told)
				credit.flags |= STREAM_CREDIT_TOLD;
			error = stream_put_own(writer, STREAM_CREDIT, &credit);
		}
		if (error)
			break;
	}
	return error;
}

/* The names in the order of all listings, with soft ones behind their hard ones. */
static void fill_quotas(const struct quota_limits *limits, struct stream_quotas *out)
{
	out->count = out->global_count = 0;
	for (enum quota i = 0; i < QUOTA_COUNT; i++) {
		out->entry[out->count].name = quota_name(i);
		out->entry[out->count++].value = limits->hard[i];
		if (limits->soft[i] != QUOTA_OFF) {
			out->entry[out->count].name = "soft-memory";
			out->entry[out->count++].value = limits->soft[i];
		}
	}
}

int save_domain_quota(const struct domain *domain, struct stream_writer *writer)
{
	struct stream_domain out = {.domid = domain->domid, .features = domain->features};

	fill_quotas(&domain->account.limits, &out.quotas);
	return stream_put_domain(writer, &out);
}

int save_domain_quotas(struct core *core, struct stream_writer *writer)
{
	const struct domain *domain;
	int error = 0;

	TAILQ_FOREACH(domain, &core->state.domains.list, link) {
		/* Other readers end at a domain that neither a connection nor a node made known. */
		if (!writer->dialect->own && !domain->client && !domain->account.now[QUOTA_NODES])
			continue;
		error = save_domain_quota(domain, writer);
		if (error)
			break;
	}
	return error;
}

int save_global_quota(const struct core *core, struct stream_writer *writer)
{
	struct stream_quotas quotas;

	fill_quotas(&core->state.domains.quota, &quotas);
	return stream_put_global_quota(writer, &quotas);
}

static int put_statistics(uint16_t domid, const uint64_t *max, struct stream_writer *writer)
{
	struct stream_serial value[QUOTA_COUNT];
	struct stream_statistics out = {.domid = domid, .max = {value, 0}};
	char names[QUOTA_COUNT * 32];

	out.names.data = (const uint8_t *)names;
	for (enum quota i = 0; i < QUOTA_COUNT; i++) {
		size_t len = strlen(quota_name(i)) + 1;

		if (!max[i] || out.names.count + len > sizeof(names))
			continue;
		memcpy(names + out.names.count, quota_name(i), len);
		out.names.count += (uint32_t)len;
		value[out.max.count++].value = max[i];
	}
	return stream_put_own(writer, STREAM_STATISTICS, &out);
}

/* Behind all that is counted, since counting it again has its own maxima. */
int save_statistics(struct core *core, struct stream_writer *writer)
{
	const struct domain *domain;
	int error = put_statistics(STREAM_STATISTICS_GLOBAL, core->state.domains.global_max,
				   writer);

	TAILQ_FOREACH(domain, &core->state.domains.list, link)
		if (!error)
			error = put_statistics(domain->domid, domain->account.max, writer);
	return error;
}

int restore_statistics(struct restore *restore, const struct stream_statistics *in)
{
	struct domains *domains = &restore->core->state.domains;
	struct domain *domain = domain_find(domains, in->domid);
	const char *name = (const char *)in->names.data, *end = name + in->names.count;
	uint64_t *max = in->domid == STREAM_STATISTICS_GLOBAL ? domains->global_max
			: domain			      ? domain->account.max
							      : NULL;

	if (!max)
		return 0;
	memset(max, 0, QUOTA_COUNT * sizeof(*max));
	for (uint32_t i = 0; i < in->max.count && name < end; i++) {
		size_t len = strnlen(name, (size_t)(end - name));
		bool soft;
		enum quota quota = quota_by_name(name, len, &soft);

		if (quota != QUOTA_COUNT && !soft)
			max[quota] = in->max.data[i].value;
		name += len + 1;
	}
	return 0;
}

int restore_domain_state(struct restore *restore, const struct stream_domain_state *in)
{
	struct domains *domains = &restore->core->state.domains;
	struct domain *domain = domain_find(domains, in->domid);

	if (in->domid >= DOMID_FIRST_RESERVED)
		return EINVAL;
	if (!domain)
		domain = domain_new(domains, in->domid);
	if (!domain)
		return ENOMEM;
	domain->record = in->record;
	if (in->record > domains->last_record)
		domains->last_record = in->record;
	domain->unique_id = in->unique_id;
	domain->features = in->features;
	domain->introduced = in->flags & STREAM_DOMAIN_INTRODUCED;
	domain->shutdown_reported = in->flags & STREAM_DOMAIN_SHUTDOWN;
	domain->shutdown_owed = in->flags & STREAM_DOMAIN_OWED;
	restore->core->owed |= domain->shutdown_owed;
	domain->account.over_hard = in->flags & STREAM_DOMAIN_OVER_HARD;
	domain->account.over_soft = in->flags & STREAM_DOMAIN_OVER_SOFT;
	domain->target_domid = in->target_domid;
	domain->target = in->target_record;
	return 0;
}

int restore_credit(struct restore *restore, const struct stream_credit *in)
{
	struct domains *domains = &restore->core->state.domains;
	struct domain *domain = domain_find(domains, in->domid);

	if (!domain || !(in->flags & STREAM_CREDIT_JOINED))
		return 0;
	ratelimit_restore(&domains->ratelimit, &domain->credit, in->points, in->rest);
	domain->credit.told = in->flags & STREAM_CREDIT_TOLD;
	return 0;
}

void image_take_quotas(const struct stream_quotas *in, struct quota_limits *limits)
{
	for (unsigned int i = 0; i < in->count; i++) {
		bool soft;
		enum quota quota = quota_by_name(in->entry[i].name, strlen(in->entry[i].name),
						 &soft);

		if (quota == QUOTA_COUNT)
			continue;
		if (soft)
			limits->soft[quota] = in->entry[i].value;
		else
			limits->hard[quota] = in->entry[i].value;
	}
}

int restore_domain(struct restore *restore, const struct stream_domain *in)
{
	struct domain *domain = restore_know(restore, in->domid);

	if (!domain)
		return 0;
	if (!restore->own && in->features)
		domain->features = in->features;
	image_take_quotas(&in->quotas, &domain->account.limits);
	return 0;
}

int restore_global_quota(struct restore *restore, const struct stream_quotas *in)
{
	image_take_quotas(in, &restore->core->state.domains.quota);
	return 0;
}

struct domain *restore_know(struct restore *restore, unsigned int domid)
{
	struct core *core = restore->core;
	struct domain *domain = domain_find(&core->state.domains, domid);
	struct domain_state state = {0};

	if (domain || restore->own || domid >= DOMID_FIRST_RESERVED)
		return domain;
	if (domstate_get(core->world->domstate, domid, &state) || !(state.state & DOMSTATE_EXIST) ||
	    (state.state & DOMSTATE_DEAD))
		return NULL;
	domain = domain_new(&core->state.domains, domid);
	if (domain)
		domain->unique_id = state.unique_id;
	return domain;
}
