/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams of random machines with random faults, most of them signed, so that not the
 * checksums but the checks behind them are met. Whatever comes of it: either there is
 * no machine and nothing is left, or there is one that is consistent, that can be used,
 * and that can be saved again.
 *
 * COUNT multiplies the number of streams; SEED chooses others.
 */
#include "hypervisor/test-dump.h"
#include "hypervisor/test-stream-pages.h"
#include "hypervisor/test-threads.h"
#include "hypervisor/test-world.h"
#include "tests/unit/setting.h"

#define MACHINES 15
#define STREAMS	 150 /* of each */
#define STEPS	 1500

struct results {
	unsigned long refused, no_memory, whole, damaged, failed;
};

static void put(struct stream *stream, size_t at, size_t bytes, uint64_t value)
{
	if (at + bytes <= stream->size)
		memcpy(stream->bytes + at, &value, bytes);
}

/* A value that may be right somewhere. */
static uint64_t some_value(struct world *world, const struct stream *stream)
{
	const uint64_t edges[] = {0, 1, 0x7fef, 0x7ff0, 0x7ff4, 0xffff, UINT32_MAX, UINT64_MAX};

	switch (world_pick(world, 4)) {
	case 0:
		return edges[world_pick(world, sizeof(edges) / sizeof(edges[0]))];
	case 1:
		return world_pick(world, WORLD_DOMAINS);
	case 2:
		return world_pick(world, WORLD_FRAMES);
	default:
		return stream_word(stream->bytes +
				   world_pick(world, (unsigned int)(stream->size / 8)) * 8);
	}
}

/* Do something to the stream. */
static void damage(struct world *world, struct stream *stream)
{
	const struct hv_stream_header *header = (const void *)stream->bytes;
	const bool sane = header->size && header->size <= stream->size;
	const uint64_t used = sane ? header->size : stream->size;
	size_t at = world_pick(world, (unsigned int)used);
	const size_t sizes[] = {1, 2, 4, 8};
	size_t bytes = sizes[world_pick(world, 4)], length;

	switch (world_pick(world, 6)) {
	case 0:
		stream->bytes[at] ^= (uint8_t)(1u << world_pick(world, 8));
		break;
	case 1:
	case 2:
		put(stream, at / bytes * bytes, bytes, some_value(world, stream));
		break;
	case 3: /* one more or less */
		stream->bytes[at / 8 * 8] = (uint8_t)(stream->bytes[at / 8 * 8] +
						      (world_pick(world, 2) ? 1 : -1));
		break;
	case 4: /* a part again at another place */
		length = 8u * (1 + world_pick(world, 12));
		at = at / 8 * 8;
		if (at + length <= used)
			memmove(stream->bytes + at,
				stream->bytes +
					world_pick(world, (unsigned int)((used - length) / 8 + 1)) *
						8,
				length);
		break;
	default: /* elements of a record are exchanged */
		at = at / 8 * 8;
		length = 8u * (1 + world_pick(world, 3));
		if (at + 2 * length <= used) {
			uint8_t kept[24];

			memcpy(kept, stream->bytes + at, length);
			memcpy(stream->bytes + at, stream->bytes + at + length, length);
			memcpy(stream->bytes + at + length, kept, length);
		}
	}
}

/*
 * Say something else of a domain: of its life, or a count. Most of that is found out at the very
 * end, when others depend on it. Before the structure of the stream is damaged.
 */
static void misdescribe(struct world *world, struct stream *stream)
{
	static const struct {
		size_t at, bytes;
	} facts[] = {
		{offsetof(struct hv_stream_general, life), 1},
		{offsetof(struct hv_stream_general, flags), 1},
		{offsetof(struct hv_stream_general, target), 2},
		{offsetof(struct hv_stream_general, pages), 8},
		{offsetof(struct hv_stream_general, references), 4},
		{offsetof(struct hv_stream_general, references), 4},
		{offsetof(struct hv_stream_general, ports), 4},
	};
	const unsigned int fact = world_pick(world, sizeof(facts) / sizeof(facts[0]));
	size_t size;
	uint8_t *general = stream_record(stream, 1 + world_pick(world, WORLD_DOMAINS - 1),
					 HV_RECORD_GENERAL, &size);
	uint64_t value = 0;

	if (!general)
		return;
	memcpy(&value, general + facts[fact].at, facts[fact].bytes);
	value += world_pick(world, 3) - UINT64_C(1);
	memcpy(general + facts[fact].at, &value, facts[fact].bytes);
}

/* A machine that was restored from who knows what is as good as any other. */
static void use(struct world *world, struct world_host *host)
{
	struct hypervisor *hv = &host->machine->hv;
	struct world other = {.host = host, .hv = hv, .random = world->random};
	struct hv_quiesce quiesce;
	struct stream stream;

	check_invariants(hv);
	if (hv_domain_find(hv, 0)) {
		for (unsigned int i = 0; i < 200; i++)
			(void)world_step(&other);
		check_invariants(hv);
	}
	if (world_stop(&other, &quiesce)) {
		stream = stream_save(hv, HV_STREAM_VERSION);
		stream_free(&stream);
		hv_quiesce_undo(hv, &quiesce);
	}
}

static void try_stream(struct world *world, const struct stream *stream, struct results *results)
{
	struct world_host *host = world_host_new();
	struct hv_config config = world_config(host);
	struct hv_restore restore;
	int error;

	/* Sometimes memory ends, too. */
	machine_refuse(host->machine, world_pick(world, 10) ? 0 : 1 + world_pick(world, 100));
	error = hv_restore_begin(&restore, &host->machine->hv, &config, stream->bytes,
				 stream->size);
	if (!error) {
		threads_restore(&restore, 1 + !world_pick(world, 8));
		error = hv_restore_finish(&restore);
		hv_restore_end(&restore);
	}
	results->no_memory += error == -XEN_ENOMEM;
	machine_refuse(host->machine, 0);
	if (error) {
		assert_non_null(restore.reason);
		assert_int_equal(host->machine->hv.domains.count, 0);
		results->refused++;
	} else {
		results->failed += restore.failed;
		results->damaged += restore.failed != 0;
		results->whole += !restore.failed;
		use(world, host);
	}
	world_host_free(host);
}

static void test_fuzz(void **state)
{
	unsigned long machines = MACHINES * setting("COUNT", 1);
	struct world *world = world_new(setting("SEED", 20240302));
	struct results results = {0};

	(void)state;
	print_message("seed %llu\n", (unsigned long long)world->random);
	while (machines--) {
		struct hv_quiesce quiesce;
		struct stream good, bad;

		do {
			for (unsigned int i = 0; i < STEPS; i++)
				(void)world_step(world);
		} while (!world_stop(world, &quiesce));
		good = stream_save(world->hv,
				   world_pick(world, 4) ? HV_STREAM_VERSION : HV_STREAM_OLDEST);
		hv_quiesce_undo(world->hv, &quiesce);
		for (unsigned int i = 0; i < STREAMS; i++) {
			/* Exactly as large as it says, so that reading on is found out. */
			bad.size = good.size;
			bad.bytes = malloc(bad.size);
			assert_non_null(bad.bytes);
			memcpy(bad.bytes, good.bytes, bad.size);
			for (unsigned int facts = i % 2 ? 0 : world_pick(world, 9); facts--;)
				misdescribe(world, &bad);
			for (unsigned int faults = i % 2 ? world_pick(world, 4) : 0; faults--;)
				damage(world, &bad);
			if (world_pick(world, 20))
				stream_sign(&bad);
			try_stream(world, &bad, &results);
			stream_free(&bad);
		}
		stream_free(&good);
	}
	print_message("%lu refused, %lu of them for want of memory; %lu restored whole, %lu with "
		      "%lu domains failed\n",
		      results.refused, results.no_memory, results.whole, results.damaged,
		      results.failed);
	assert_true(results.refused && results.no_memory && results.whole && results.damaged);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fuzz),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
