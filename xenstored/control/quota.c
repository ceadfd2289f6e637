/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CONTROL quota and quota-soft. */
#include <errno.h>
#include <string.h>

#include "control/control.h"

static int set(struct request *request, const struct arg *args, bool want_soft)
{
	struct quota_limits *limits = &request->core->state.domains.quota;
	int value = args_int(&args[1]);
	enum quota quota;
	bool soft;

	quota = quota_by_name(args[0].text, args[0].len, &soft);
	if (quota == QUOTA_COUNT || soft || value < 1)
		return EINVAL;
	if (want_soft && limits->soft[quota] == QUOTA_OFF)
		return EINVAL;
	if (want_soft)
		limits->soft[quota] = (uint32_t)value;
	else
		limits->hard[quota] = (uint32_t)value;
	return 0;
}

static void list(const struct quota_limits *limits, bool soft, struct control_text *out)
{
	control_print(out, "Quota settings:\n");
	for (enum quota i = 0; i < QUOTA_COUNT; i++) {
		uint32_t value = soft ? limits->soft[i] : limits->hard[i];

		if (value != QUOTA_OFF)
			control_print(out, "%-17s: %8d %s\n", quota_name(i), (int)value,
				      quota_description(i));
	}
}

static int show_max(struct request *request, bool reset, struct control_text *out)
{
	struct domains *domains = &request->core->state.domains;
	struct domain *domain;

	if (reset) {
		memset(domains->global_max, 0, sizeof(domains->global_max));
		TAILQ_FOREACH(domain, &domains->list, link)
			memcpy(domain->account.max, domain->account.now,
			       sizeof(domain->account.max));
	}
	control_print(out, "Max. seen accounting values:\n");
	for (enum quota i = 0; i < QUOTA_COUNT; i++)
		control_print(out, "%-17s: %8u\n", quota_name(i),
			      (unsigned int)domains->global_max[i]);
	return 0;
}

static int show_domain(struct request *request, const struct arg *arg, struct control_text *out)
{
	unsigned int domid = (unsigned int)args_int(arg);
	struct domain *domain = domain_find(&request->core->state.domains, domid);

	if (!domain)
		return ENOENT;
	/* What was removed is taken off the account first. */
	if (core_has_releases(request->core))
		return REQUEST_LATER;
	control_print(out, "Domain %u:\n", domid);
	for (enum quota i = 0; i < QUOTA_COUNT; i++)
		control_print(out, "%-17s: %8u (max %8u)\n", quota_name(i),
			      (unsigned int)domain->account.now[i],
			      (unsigned int)domain->account.max[i]);
	return 0;
}

int control_quota(struct request *request, const struct arg *args, size_t count,
		  struct control_text *out)
{
	if (count == 0) {
		list(&request->core->state.domains.quota, false, out);
		return 0;
	}
	if (arg_is(&args[0], "set"))
		return count == 3 ? set(request, args + 1, false) : EINVAL;
	if (arg_is(&args[0], "max")) {
		bool reset = count == 2 && arg_is(&args[1], "-r");

		return count == 1 || reset ? show_max(request, reset, out) : EINVAL;
	}
	return count == 1 ? show_domain(request, &args[0], out) : EINVAL;
}

int control_quota_soft(struct request *request, const struct arg *args, size_t count,
		       struct control_text *out)
{
	if (count == 0) {
		list(&request->core->state.domains.quota, true, out);
		return 0;
	}
	return count == 3 && arg_is(&args[0], "set") ? set(request, args + 1, true) : EINVAL;
}
