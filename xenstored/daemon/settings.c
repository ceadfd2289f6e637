/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From options to the core's configuration and the trace. */
#include "daemon/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/paths.h"

static bool known_quota(void *context, const char *name, bool soft)
{
	char full[64];
	bool is_soft;

	(void)context;
	snprintf(full, sizeof(full), "%s%s", soft ? "soft-" : "", name);
	return quota_by_name(full, strlen(full), &is_soft) != QUOTA_COUNT && is_soft == soft;
}

void settings_read(struct options *options, int argc, char **argv)
{
	options_init(options);
	options->known_quota = known_quota;
	options->known_trace_switch = trace_switch_known;
	switch (options_parse(options, argc, argv, stderr)) {
	case OPTIONS_RUN:
		break;
	case OPTIONS_HELP:
		exit(0);
	case OPTIONS_VERSION:
		options_version(stdout);
		exit(0);
	case OPTIONS_FATAL:
		fatal("%s", options->error);
	default:
		fatal("out of memory");
	}
}

void settings_fill(const struct options *options, struct core_config *config)
{
	config->keep_orphans = options->keep_orphans;
	config->event_timeout_ms = options->watch_event_timeout * 1000;
	for (size_t i = 0; i < options->n_quotas; i++) {
		const struct options_quota *set = &options->quotas[i];
		bool soft;
		enum quota quota = quota_by_name(set->name, strlen(set->name), &soft);

		if (set->soft)
			config->quota.soft[quota] = set->value;
		else
			config->quota.hard[quota] = set->value;
	}
}

void settings_open_trace(const struct options *options, struct trace *trace)
{
	if (trace_init(trace, XENSTORED_LIBDIR))
		fatal("out of memory");
	for (size_t i = 0; i < options->n_trace_switches; i++)
		trace_switch(trace, options->trace_switches[i]);
	if (options->trace_file && trace_open(trace, options->trace_file))
		log_message(LOG_WARNING, "Could not open trace file %s: %s", options->trace_file,
			    strerror(errno));
}
