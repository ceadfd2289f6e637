/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who writes and reads what (spec: live-update.md section 2).
 *
 * Upstream writes its newer records for version 1 as well: a version is what
 * must be understood, not all there is. Depth-limited watches are not written
 * for any upstream version, since none of them reads the documented layout.
 */
#include "liveupdate/stream-own.h"

#include <string.h>

static const struct stream_dialect dialects[] = {
	{.name = "4.17", .version_min = 1, .version_max = 1, .version = 1, .specials_first = true},
	{.name = "4.18", .version_min = 1, .version_max = 1, .version = 1},
	{.name = "4.21",
	 .version_min = 1,
	 .version_max = 2,
	 .version = 2,
	 .unique_ids = true,
	 .domains = true},
	{.name = "4.22",
	 .version_min = 1,
	 .version_max = 2,
	 .version = 2,
	 .unique_ids = true,
	 .domains = true,
	 .quotas = true},
	{.name = "own",
	 .version_min = 1,
	 .version_max = 2,
	 .version = 2,
	 .unique_ids = true,
	 .domains = true,
	 .quotas = true,
	 .depths = true,
	 .own = true},
};

const struct stream_dialect *stream_dialect_at(size_t index)
{
	return index < sizeof(dialects) / sizeof(*dialects) ? &dialects[index] : NULL;
}

const struct stream_dialect *stream_dialect_find(const char *name)
{
	const struct stream_dialect *dialect;

	for (size_t i = 0; (dialect = stream_dialect_at(i)); i++)
		if (!strcmp(dialect->name, name))
			return dialect;
	/* Releases that belong to a line of another name. */
	if (!strcmp(name, "4.19") || !strcmp(name, "4.20"))
		return stream_dialect_find("4.18");
	if (!strcmp(name, "4.23"))
		return stream_dialect_find("4.22");
	return NULL;
}

const char *stream_type_name(uint32_t type)
{
	static const char *const names[] = {
		[STREAM_END] = "END",
		[STREAM_GLOBAL] = "GLOBAL",
		[STREAM_CONNECTION] = "CONNECTION",
		[STREAM_WATCH] = "WATCH",
		[STREAM_TRANSACTION] = "TRANSACTION",
		[STREAM_NODE] = "NODE",
		[STREAM_GLOBAL_QUOTA] = "GLOBAL_QUOTA",
		[STREAM_DOMAIN] = "DOMAIN",
		[STREAM_WATCH_EXTENDED] = "WATCH_EXTENDED",
	};
	const struct stream_own_type *own = stream_own_find(type);

	if (own)
		return own->name;
	return type < sizeof(names) / sizeof(*names) ? names[type] : NULL;
}
