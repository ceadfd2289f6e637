/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Updates of random machines, one after the other, while guests work: whatever there
 * is must be the same after each. The machines before and after are compared as text
 * (test-dump.h), and go on with all kinds of operations, so that what is stored in
 * two places would be found out.
 *
 * COUNT, 20 in a soak run, makes it a thousand of them; SEED chooses another machine.
 */
#include "hypervisor/test-dump.h"
#include "hypervisor/test-stream-pages.h"
#include "hypervisor/test-threads.h"
#include "hypervisor/test-world.h"
#include "tests/unit/setting.h"

#define UPDATES	     20
#define MORE_UPDATES 50	  /* times COUNT, if it is not 1 */
#define STEPS	     1500 /* before each */

static void run(struct world *world, unsigned int steps)
{
	for (unsigned int i = 0; i < steps; i++) {
		machine_refuse(world->host->machine, world_pick(world, 20) ? 0 : 1);
		(void)world_step(world);
	}
	machine_refuse(world->host->machine, 0);
	check_invariants(world->hv);
	world_check_work(world);
}

/* What a test of updates is about; each must have been there. */
static const char *const kinds[] = {
	"life 0",      "life 1",    "life 2",	 "shut down 1",	 "state 1",	 "state 2",
	"state 4",     "foreign 0", "foreign 1", "granted 0",	 "server",	 "iommu",
	"special",     "changed",   "handler",	 "references 2", "limit 131072", "paused 1",
	"emulation 0", "hvm 1",	    "target 1"};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void count_kinds(const char *text, unsigned long *seen)
{
	for (size_t i = 0; i < KINDS; i++)
		seen[i] += strstr(text, kinds[i]) != NULL;
}

/* The machine, all of whose domains are stopped, goes over to another hypervisor. */
static void update(struct world *world, uint32_t version, unsigned int cpus, unsigned long *seen)
{
	struct world_host *next = world_host_new();
	struct hv_config config = world_config(next);
	char *before = dump_machine(world->hv, true), *after;
	struct stream stream = stream_save(world->hv, version);
	struct hv_restore restore;

	/* What the next hypervisor did not get must not be there to be found. */
	world_host_free(world->host);
	world->host = next;
	world->hv = &next->machine->hv;
	assert_int_equal(hv_restore_begin(&restore, world->hv, &config, stream.bytes, stream.size),
			 0);
	threads_restore(&restore, cpus);
	assert_int_equal(hv_restore_finish(&restore), 0);
	assert_int_equal(restore.failed, 0);
	hv_restore_end(&restore);
	stream_free(&stream);

	after = dump_machine(world->hv, false);
	dump_compare(before, after);
	count_kinds(after, seen);
	free(before);
	free(after);
	check_invariants(world->hv);
	world_check_work(world);
}

static void test_updates(void **state)
{
	unsigned long longer = setting("COUNT", 1), done = 0, refused = 0;
	unsigned long count = longer > 1 ? MORE_UPDATES * longer : UPDATES;
	struct world *world = world_new(setting("SEED", 20240301));
	unsigned long seen[KINDS] = {0};

	(void)state;
	while (done < count) {
		struct hv_quiesce quiesce;

		run(world, STEPS);
		if (!world_stop(world, &quiesce)) {
			refused++;
			assert_true(refused < 20 + done);
			continue;
		}
		/* The order belongs to the hypervisor that ends. */
		hv_release(&world->hv->allocator, quiesce.order,
			   (quiesce.count + 1u) * sizeof(*quiesce.order));
		update(world, done % 3 ? HV_STREAM_VERSION : HV_STREAM_OLDEST, 1 + done % 2, seen);
		done++;
	}
	for (size_t i = 0; i < KINDS; i++) {
		if (!seen[i])
			fail_msg("no update had \"%s\"", kinds[i]);
	}
	print_message("%lu updates, %lu refused since a guest did not stop\n", done, refused);
	world_free(world);
}

/* Saving is a look at the machine; and a second one sees the same. */
static void test_save_changes_nothing(void **state)
{
	struct world *world = world_new(7);
	struct stream first, second;
	struct hv_quiesce quiesce;
	char *before, *after;

	(void)state;
	do {
		run(world, STEPS);
	} while (!world_stop(world, &quiesce));
	before = dump_machine(world->hv, false);
	first = stream_save(world->hv, HV_STREAM_VERSION);
	second = stream_save(world->hv, HV_STREAM_VERSION);
	assert_int_equal(first.size, second.size);
	assert_memory_equal(first.bytes, second.bytes, first.size);
	after = dump_machine(world->hv, false);
	dump_compare(before, after);
	hv_quiesce_undo(world->hv, &quiesce);
	stream_free(&first);
	stream_free(&second);
	free(before);
	free(after);
	world_free(world);
}

/*
 * The update ends before the hypervisor does, at any point: while domains are being stopped, for
 * want of a page of the stream. Then the machine is what it was, and runs.
 */
static void test_given_up(void **state)
{
	struct world *world = world_new(11);
	struct pages pages = {0};
	struct hv_page_source source = {pages_add, &pages};
	struct hv_quiesce quiesce;
	struct hv_writer writer;
	char *before, *after;
	size_t needed;

	(void)state;
	do {
		run(world, STEPS);
		/* Stopped in part. */
		assert_int_equal(hv_quiesce_begin(world->hv, &quiesce, UINT64_MAX), 0);
		(void)hv_quiesce_step(world->hv, &quiesce, 0);
		hv_quiesce_undo(world->hv, &quiesce);
	} while (!world_stop(world, &quiesce));
	before = dump_machine(world->hv, false);
	hv_writer_init(&writer, &source, HV_STREAM_VERSION);
	assert_int_equal(hv_save(world->hv, &writer), 0);
	needed = pages.count;
	assert_true(needed > 1);
	pages_free(&pages);
	for (size_t most = 1; most < needed; most++) {
		pages.most = most;
		hv_writer_init(&writer, &source, HV_STREAM_VERSION);
		assert_int_equal(hv_save(world->hv, &writer), -XEN_ENOMEM);
		pages_free(&pages);
	}
	after = dump_machine(world->hv, false);
	dump_compare(before, after);
	hv_quiesce_undo(world->hv, &quiesce);
	hv_writer_init(&writer, &source, HV_STREAM_VERSION);
	assert_int_equal(hv_save(world->hv, &writer), -XEN_EBUSY); /* domains run */
	assert_int_equal(pages.count, 0);
	run(world, STEPS);
	free(before);
	free(after);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_updates),
		cmocka_unit_test(test_save_changes_nothing),
		cmocka_unit_test(test_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
