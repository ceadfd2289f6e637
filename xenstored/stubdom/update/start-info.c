/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One after the other: the structure, the list of modules, their texts, the command line. */
#include "stubdom/update/start-info.h"

#include <string.h>

#define __XEN_INTERFACE_VERSION__ __XEN_LATEST_INTERFACE_VERSION__
#include <xen/xen-compat.h>
#include <xen/xen.h>
#include <xen/arch-x86/hvm/start_info.h>

struct place {
	char *bytes;
	size_t room, used;
	uint32_t address;
};

/* Room for @size bytes; *@at is their address. Returns NULL when there is none. */
static void *take(struct place *place, size_t size, uint64_t *at)
{
	void *taken = place->bytes + place->used;

	if (size > place->room - place->used)
		return NULL;
	*at = place->address + place->used;
	place->used += (size + 7) & ~(size_t)7;
	if (place->used > place->room)
		place->used = place->room;
	return taken;
}

static bool put_text(struct place *place, const char *text, uint64_t *at)
{
	size_t size = strlen(text) + 1;
	void *to = take(place, size, at);

	if (to)
		memcpy(to, text, size);
	return to;
}

bool start_info_make(void *bytes, size_t room, uint32_t address, const struct start_module *module,
		     unsigned int modules, const char *command_line)
{
	struct place place = {.bytes = bytes, .room = room, .address = address};
	struct hvm_modlist_entry *list;
	struct hvm_start_info *info;
	uint64_t at;

	memset(bytes, 0, room);
	info = take(&place, sizeof(*info), &at);
	list = take(&place, modules * sizeof(*list), &at);
	if (!info || !list)
		return false;
	info->magic = XEN_HVM_START_MAGIC_VALUE;
	info->version = 1;
	info->nr_modules = modules;
	info->modlist_paddr = modules ? at : 0;
	for (unsigned int i = 0; i < modules; i++) {
		list[i].paddr = module[i].start;
		list[i].size = module[i].size;
		if (!put_text(&place, module[i].text, &list[i].cmdline_paddr))
			return false;
	}
	return put_text(&place, command_line, &info->cmdline_paddr);
}
