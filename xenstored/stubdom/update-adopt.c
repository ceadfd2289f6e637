/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From another xenstored that is a domain: upstream's stub domain has started this image. What it
 * leaves is the other end of update-exchange.c: the pages of its 9pfs device in a module, event
 * channels at the numbers that its state names, the state in the file. It is gone, so every failure
 * is the end; the reason is on the console. (spec: stubdom.md section 6)
 */
#include "stubdom/update-parts.h"

#include "core/domains.h"
#include "daemon/log.h"
#include "stubdom/ring0/events.h"
#include "stubdom/ring0/grants.h"
#include "stubdom/ring0/memory.h"
#include "stubdom/ring0/ring0.h"
#include "stubdom/ring0/state.h"
#include "stubdom/update/kexec-module.h"

static bool find_grant(void *data, uint32_t ref, unsigned int *domid, uint64_t *address)
{
	(void)data;
	return grants_find(ref, domid, address);
}

static const struct ring0_module *find_module(void)
{
	for (unsigned int i = 0; i < ring0.module_count; i++) {
		const struct ring0_module *module = &ring0.module[i];
		const struct handover_range range = {module->start, module->size};

		if (handover_range_fits(&range, LAYOUT_IMAGE, ring0_memory.end) &&
		    kexec_module_is((const void *)module->start, module->size))
			return module;
	}
	return NULL;
}

const struct ninep_saved *stubdom_update_adopt_files(void)
{
	static struct ninep_saved saved;
	const struct kexec_module_grants grants = {find_grant, NULL};
	const struct ring0_module *module = find_module();
	const char *why;
	int error;

	if (!module)
		fatal("-U: whoever started this image has left nothing to take over");
	if (!kexec_module_read((const void *)module->start, module->size, module->start, &grants,
			       &saved, &ring0_state()->files_pages, &why))
		fatal("live-update: the module of the image before: %s", why);
	error = events_take_over();
	if (error)
		fatal_errno(-error, "live-update: event channels");
	return &saved;
}

void stubdom_update_adopt(struct stubdom_update *update)
{
	struct image_report report;
	char why[KERNEL_WHY_MAX], *state;
	size_t size;

	stubdom_host_stand(update->host, true);
	if (!update_file_measure(update->files, &size, why))
		fatal("live-update: %s", why);
	state = update_memory_get(size, why);
	if (!state || !update_file_read(update->files, state, size, why) ||
	    !update_state_check(state, size, why))
		fatal("live-update: %s", why);
	if (image_restore(update->core, &update->process, state, size, &report))
		fatal("live-update: the state cannot be restored: %s", report.error);
	log_message(LOG_NOTICE, "live-update: %zu bytes of state taken over from another xenstored",
		    size);
	update_memory_give_back(&state, size);
	update_file_remove(update->files);
	memory_shrink(&ring0_memory);
	stubdom_host_stand(update->host, false);
	core_recheck_domains(update->core);
}
