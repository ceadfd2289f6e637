/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading what a stream says of the machine as a whole, which comes before the domains
 * and has a checksum of its own.
 */
#include "hypervisor/stream-machine.h"

#include <stddef.h>
#include <string.h>

const char *hv_read_machine(const void *stream, uint64_t size, struct hv_machine_records *machine,
			    bool *unsupported)
{
	struct hv_reader *reader = &machine->sections;
	struct hv_read_record record;
	const uint8_t *begin;
	const char *reason;
	uint32_t latest = 0;
	uint64_t checksum;

	memset(machine, 0, sizeof(*machine));
	reason = hv_read_header(stream, size, &machine->header, reader, unsupported);
	if (reason)
		return reason;
	begin = reader->at;
	*unsupported = (HV_STREAM_REQUIRED & ~machine->header.types) != 0;
	if (*unsupported)
		return "the stream lacks records that are required";
	for (;;) {
		struct hv_reader ahead = *reader;

		reason = hv_read_record(&ahead, &record);
		if (reason)
			return reason;
		if (record.type == HV_RECORD_DOMAIN || record.type == HV_RECORD_END)
			break;
		*reader = ahead;
		if (!hv_record_name(record.type))
			continue;
		if (record.type <= latest || record.type > HV_RECORD_DOMAIN)
			return "the machine's records are not in order";
		latest = record.type;
		machine->records[latest] = record;
	}
	checksum = hv_read_checksum(0, stream, offsetof(struct hv_stream_header, size));
	checksum = hv_read_checksum(checksum, begin, (uint64_t)(reader->at - begin));
	checksum = hv_checksum(checksum, machine->header.size);
	return checksum == machine->header.checksum ? NULL : "the machine's records have changed";
}
