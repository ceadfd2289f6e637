/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What makes a xenstored of another version, for tests of updates between
 * versions: linked with everything that ours is made of, it brings another note,
 * and a record of each class that ours does not know. There is nothing to
 * be seen of it in the daemon: the linker puts these functions around a few
 * others (--wrap).
 *
 * The state that the records carry are two numbers, "may" and "must". They are set
 * at a start by the environment variable XENSTORED_TEST_EXTRA ("may=1 must=2", either may be
 * missing), and are one more after each update.
 */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "liveupdate/abilities.h"
#include "liveupdate/image.h"

#define EXTRA_MAY  STREAM_OWN_MAY(900)
#define EXTRA_MUST STREAM_OWN_NEED(901)

/* An ability that nobody else has heard of. */
#define ABILITY_EXTRA 0x100u

struct extra {
	uint64_t number;
};

static const struct stream_field fields[] = {
	{.name = "number", .kind = FIELD_U64, .offset = 0, .since = 1},
	{.name = NULL},
};

static const struct stream_own_type types[] = {
	{EXTRA_MAY, "EXTRA_MAY", 1, 1, sizeof(struct extra), fields},
	{EXTRA_MUST, "EXTRA_MUST", 1, 1, sizeof(struct extra), fields},
};

/* What it knows beyond ours, and whatever has been added to ours: it is newer than all of it. */
#define KNOWN(type)                                                                                \
	{                                                                                          \
		type, 255                                                                          \
	}
#define DECLARED                                                                                   \
	KNOWN(STREAM_OWN_NEED(12)), KNOWN(STREAM_OWN_NEED(13)), KNOWN(STREAM_OWN_NEED(14)),        \
		KNOWN(STREAM_OWN_NEED(15)), KNOWN(STREAM_OWN_NEED(16)),                            \
		KNOWN(STREAM_OWN_NEED(17)), KNOWN(STREAM_OWN_NEED(18)),                            \
		KNOWN(STREAM_OWN_NEED(19)), KNOWN(STREAM_OWN_NEED(20)),                            \
		KNOWN(STREAM_OWN_NEED(21)), KNOWN(STREAM_OWN_NEED(22)), KNOWN(EXTRA_MUST)

static const struct abilities_record declared[] = {DECLARED};

/* In front of the libraries, so that it is the note that is found. */
static const struct {
	Elf64_Nhdr header;
	char name[12];
	uint32_t stream_versions, flags, records, declared;
	struct abilities_record record[sizeof(declared) / sizeof(*declared)];
} note __attribute__((section(".note.xenstored"), used, aligned(4))) = {
	.header = {sizeof(ABILITIES_NOTE_NAME), ABILITIES_FIXED + sizeof(declared),
		   ABILITIES_NOTE_TYPE},
	.name = ABILITIES_NOTE_NAME,
	.stream_versions = 1u << 1 | 1u << 2,
	.flags = ABILITY_CHECK | ABILITY_DESCRIPTOR | ABILITY_GUARD | ABILITY_EXTRA,
	.records = ABILITIES_RECORDS + 1,
	.declared = sizeof(declared) / sizeof(*declared),
	.record = {DECLARED},
};

static struct extra may, must;

const struct stream_own_type *__real_stream_own_find(uint32_t type);
const struct stream_own_type *__wrap_stream_own_find(uint32_t type);
int __real_stream_put_end(struct stream_writer *writer);
int __wrap_stream_put_end(struct stream_writer *writer);
int __real_image_restore(struct core *core, const struct image_process *process, const void *image,
			 size_t size, struct image_report *report);
int __wrap_image_restore(struct core *core, const struct image_process *process, const void *image,
			 size_t size, struct image_report *report);

const struct stream_own_type *__wrap_stream_own_find(uint32_t type)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (types[i].type == type)
			return &types[i];
	return __real_stream_own_find(type);
}

__attribute__((constructor)) static void begin(void)
{
	const char *text = getenv("XENSTORED_TEST_EXTRA");
	const char *may_text = text ? strstr(text, "may=") : NULL;
	const char *must_text = text ? strstr(text, "must=") : NULL;

	if (may_text)
		may.number = strtoul(may_text + 4, NULL, 10);
	if (must_text)
		must.number = strtoul(must_text + 5, NULL, 10);
}

int __wrap_stream_put_end(struct stream_writer *writer)
{
	if (may.number)
		stream_put_own(writer, EXTRA_MAY, &may);
	if (must.number)
		stream_put_own(writer, EXTRA_MUST, &must);
	return __real_stream_put_end(writer);
}

int __wrap_image_restore(struct core *core, const struct image_process *process, const void *image,
			 size_t size, struct image_report *report)
{
	struct stream_reader reader;
	struct stream_record record;
	struct stream_error error;

	may.number = must.number = 0;
	if (!stream_reader_init(&reader, image, size, &error))
		while (stream_next(&reader, &record, &error) == STREAM_RECORD) {
			const struct extra *extra = (const void *)&record.own;

			if (record.type == EXTRA_MAY)
				may.number = extra->number + 1;
			if (record.type == EXTRA_MUST)
				must.number = extra->number + 1;
		}
	core_log(core, LOG_NOTICE, "extra: may=%llu must=%llu", (unsigned long long)may.number,
		 (unsigned long long)must.number);
	return __real_image_restore(core, process, image, size, report);
}
