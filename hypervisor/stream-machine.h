/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The records of a stream that are about the machine as a whole.
 *
 * Two need them: the boot, which has to know boot memory before there is a frame table,
 * and the restore.
 */
#ifndef HYPERVISOR_STREAM_MACHINE_H
#define HYPERVISOR_STREAM_MACHINE_H

#include "hypervisor/stream-reader.h"

struct hv_machine_records {
	struct hv_stream_header header;
	struct hv_read_record
		records[HV_RECORD_DOMAIN]; /* by type; without elements if not there */
	struct hv_reader sections;	   /* what follows */
};

/**
 * Read the machine's records of a stream (as hv_read_header() takes it), up to the first section or
 * the end, and compare their checksum. Returns NULL or a sentence; @unsupported as there, also when
 * a record is not in the stream that has to be.
 */
const char *hv_read_machine(const void *stream, uint64_t size, struct hv_machine_records *machine,
			    bool *unsupported);

#endif
