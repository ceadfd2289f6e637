/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole updates, step by step: one hypervisor hands the machine over, the next boots in
 * boot memory and takes it. And the same cut off at every step, after which the one
 * that runs carries on.
 */
#include "hypervisor/test-take-over.h"

#include "hypervisor/test-invariants.h"
#include "tests/unit/setting.h"

/* Everything that is to be the same if an update did not take place. */
static uint64_t digest(struct host *host)
{
	const struct hv_bootmem *bootmem = &host->memory.bootmem;

	return digest_bytes(host_digest(host), bootmem, sizeof(*bootmem)) ^
	       physical_digest(host->physical, bootmem->regions[0].first,
			       bootmem->regions[0].count + bootmem->image.count);
}

/* What domains own; the rest of the machine is the hypervisor's business. */
static uint64_t digest_owned(struct host *host)
{
	uint64_t position = 0, owned = UINT64_C(0xcbf29ce484222325);
	struct hv_frames frames;

	while (hv_frames_walk(&host->memory.table, &position, &frames)) {
		if (hv_frame_survives(frames.type))
			owned = digest_bytes(owned, &frames, offsetof(struct hv_frames, type));
	}
	return owned;
}

/* Region and image are the same span as ever, and every frame of it is accounted for. */
static void check_span(struct host *host, uint64_t base, uint64_t top)
{
	const struct hv_bootmem *bootmem = &host->memory.bootmem;
	uint64_t position = base;
	struct hv_frames frames;

	assert_true(bootmem->regions[0].first == base);
	assert_true(bootmem->regions[0].first + bootmem->regions[0].count == bootmem->image.first);
	assert_true(bootmem->image.first + bootmem->image.count == top);
	while (position < top) {
		assert_true(hv_frames_walk(&host->memory.table, &position, &frames));
		assert_true(frames.type == HV_FRAME_BOOTMEM || frames.type == HV_FRAME_IMAGE ||
			    frames.type == HV_FRAME_XEN);
	}
	assert_true(hv_bootmem_check(bootmem, &host->memory.table, &frames));
}

/* What is free or was set aside for the frame table: all but the span and what domains own. */
static uint64_t count_spare(struct host *host)
{
	uint64_t count = host_count(host, HV_FRAME_FREE);

	for (uint32_t i = 1; i < host->memory.bootmem.region_count; i++)
		count += host->memory.bootmem.regions[i].count;
	return count;
}

/* Images of all sizes, again and again: nothing is lost, neither of domains nor of memory. */
static void test_updates(void **state)
{
	unsigned int rounds = 24 * (unsigned int)setting("COUNT", 1);
	struct hv_image_note note = host_note(4);
	struct host *host = busy_host(&note, 16 * MIB);
	const uint64_t base = FRAMES_OF(1 * GIB - 20 * MIB), top = FRAMES_OF(1 * GIB);
	const uint64_t owned = digest_owned(host), spare = count_spare(host);
	unsigned int refused = 0;
	uint32_t random = 5;

	(void)state;
	for (unsigned int round = 0; round < rounds; round++) {
		random = random * 1103515245 + 12345;
		note = host_note(1 + (random >> 16) % 12);
		note.memory.frame_info_size = 16 + (random >> 20) % 100;
		refused += !update_to(host, &note);
		assert_true(digest_owned(host) == owned);
		check_span(host, base, top);
		assert_true(host->memory.bootmem.region_count <= 2);
		assert_int_equal(count_spare(host), spare);
	}
	/* Some frame tables are too long for memory in such pieces. */
	print_message("%u of %u refused\n", refused, rounds);
	assert_true(refused > 0 && refused < rounds / 2);
	host_free(host);
}

/* While domains stand still no frame has to be taken and mapped any more, whatever is written. */
static void test_frames_are_taken_before(void **state)
{
	struct hv_image_note note = host_note(4);
	struct host *host = busy_host(&note, 16 * MIB);
	struct update update = {.handing = false};
	enum phase phase = BEGIN;
	uint32_t pieces = 0;
	unsigned int domid;
	uint64_t gfn;

	(void)state;
	hv_heap_scatter(&host->memory.heap, 1, 3);
	assert_int_equal(hv_populate(&host->machine->hv, 0, 2, 1000, 60000), 60000);
	hv_heap_scatter(&host->memory.heap, 0, 0);
	/* It makes the M2P, which is written as well. */
	gfn = hv_p2m_mfn(&hv_domain_find(&host->machine->hv, 2)->p2m, 1000);
	assert_int_equal(hv_m2p_find(&host->machine->hv, gfn, &domid, &gfn), 0);
	assert_int_equal(host_load(host, &note, 0x77, 0), 0);
	while (phase != SEAL) {
		if (phase == STOP)
			pieces = update.handover.count;
		assert_int_equal(step(host, &update, &phase), 0);
	}
	assert_true(update.handover.pages > 2 * 256);
	assert_int_equal(update.handover.count, pieces);
	carry_on(host, &update);
	host_free(host);
}

/* The new image is in its place, and the breadcrumb in its own. */
static void test_what_is_handed_over(void **state)
{
	struct hv_image_note note = host_note(4), next = host_note(6);
	struct host *host = busy_host(&note, 16 * MIB);
	struct update update = {.handing = false};
	uint64_t words[3], frame, first;
	enum phase phase = BEGIN;
	unsigned char byte;

	(void)state;
	assert_int_equal(host_load(host, &next, 0x77, 0), 0);
	while (phase != FINISH)
		assert_int_equal(step(host, &update, &phase), 0);
	first = host->memory.bootmem.regions[0].first;
	physical_read(host->physical, first, 0, words, sizeof(words));
	assert_true(words[0] != HV_BREADCRUMB_MAGIC);
	assert_int_equal(step(host, &update, &phase), 0);
	physical_read(host->physical, first, 0, words, sizeof(words));
	assert_true(words[0] == UINT64_C(0x4c69766555706000));
	assert_int_equal(words[2] >> 12, update.handover.pages);
	assert_int_equal(words[2] & 0xfff, 0);
	for (uint64_t i = 0; i < words[2] >> 12; i++) {
		struct hv_frames frames;

		physical_read(host->physical, words[1] >> 12, i * 8, &frame, 8);
		assert_false(hv_bootmem_contains(&host->memory.bootmem, frame));
		assert_true(hv_frames_find(&host->memory.table, frame, &frames));
		assert_int_equal(frames.type, HV_FRAME_STREAM);
	}
	physical_read(host->physical, FRAMES_OF(1 * GIB - 6 * MIB), 17, &byte, 1);
	assert_int_equal(byte, 0x77);
	hv_handover_leave(&update.handover);
	hv_quiesce_undo(&host->machine->hv, &update.quiesce);
	host_free(host);
}

/* Cut off behind every step up to the breadcrumb: all is as before, and it can be done again. */
static void test_power_cut(void **state)
{
	struct hv_image_note note = host_note(2), next = host_note(3);
	struct host *host = busy_host(&note, 8 * MIB);
	struct update update = {.handing = false};
	const struct hv_frame_span *image = &host->memory.bootmem.image;
	unsigned char bytes[HV_PAGE_SIZE];
	unsigned long stop, steps = 0;
	enum phase phase = BEGIN;
	uint64_t before;

	(void)state;
	/* Something that would be missed. */
	for (uint64_t i = 0; i < image->count; i++) {
		memset(bytes, (int)(i % 251), sizeof(bytes));
		physical_write(host->physical, image->first + i, 0, bytes, sizeof(bytes));
	}
	assert_int_equal(host_load(host, &next, 0x77, 0), 0);
	before = digest(host);
	for (stop = 1; phase != DONE; stop += stop > 8 ? 97 : 1) {
		phase = BEGIN;
		for (steps = 0; steps < stop && phase != DONE; steps++)
			assert_int_equal(step(host, &update, &phase), 0);
		if (phase == DONE)
			break;
		carry_on(host, &update);
		assert_true(digest(host) == before);
		check_invariants(&host->machine->hv);
	}
	/* Pages of the image are steps of their own. */
	assert_true(steps > FRAMES_OF(4 * MIB));
	hv_handover_leave(&update.handover);
	hv_quiesce_undo(&host->machine->hv, &update.quiesce);
	host_free(host);
}

/* Every allocation and every mapping of the hand-over refused in turn. */
static void refuse_each(bool mappings)
{
	struct hv_image_note note = host_note(2);
	struct host *host = busy_host(&note, 8 * MIB);
	struct update update = {.handing = false};
	enum phase phase = BEGIN;
	unsigned long nth;
	uint64_t before;

	assert_int_equal(host_load(host, &note, 0x77, 0), 0);
	before = digest(host);
	for (nth = 1;; nth++) {
		int error = 0;

		if (mappings)
			physical_refuse(host->physical, nth);
		else
			machine_refuse(host->machine, nth);
		for (phase = BEGIN; !error && phase != DONE;)
			error = step(host, &update, &phase);
		physical_refuse(host->physical, 0);
		machine_refuse(host->machine, 0);
		if (!error)
			break;
		assert_int_equal(error, -XEN_ENOMEM);
		carry_on(host, &update);
		assert_true(digest(host) == before);
	}
	assert_true(nth > 3);
	hv_handover_leave(&update.handover);
	hv_quiesce_undo(&host->machine->hv, &update.quiesce);
	host_free(host);
}

static void test_refused_allocations(void **state)
{
	(void)state;
	refuse_each(false);
}

static void test_refused_mappings(void **state)
{
	(void)state;
	refuse_each(true);
}

/* The heap is full: the stream finds no pages, and the update is off. */
static void test_no_frames(void **state)
{
	struct hv_image_note note = host_note(2);
	struct host *host = busy_host(&note, 8 * MIB);
	struct update update = {.handing = false};
	enum phase phase = BEGIN;
	uint64_t first, before;
	int error = 0;

	(void)state;
	assert_int_equal(host_load(host, &note, 0x77, 0), 0);
	while (hv_heap_allocate(&host->memory.heap, UINT64_C(1) << 30, 2, HV_FRAME_P2M, &first) > 0)
		;
	before = digest(host);
	while (!error && phase != DONE)
		error = step(host, &update, &phase);
	assert_int_equal(error, -XEN_ENOMEM);
	assert_int_equal(phase, BEGIN); /* before anything was stopped */
	carry_on(host, &update);
	assert_true(digest(host) == before);
	host_free(host);
}

/* Something that must survive has got into boot memory: the update is off, and says what it is. */
static void test_rule_is_checked(void **state)
{
	struct hv_image_note note = host_note(2);
	struct host *host = busy_host(&note, 8 * MIB);
	struct update update = {.handing = false};
	struct hv_frames offender;
	enum phase phase = BEGIN;
	uint64_t place, before;

	(void)state;
	assert_int_equal(host_load(host, &note, 0x77, 0), 0);
	place = host->memory.bootmem.regions[0].first + 800;
	assert_int_equal(hv_frames_set(&host->memory.table, place, 1, 2, HV_FRAME_GRANT_TABLE), 0);
	before = digest(host);
	while (phase != SEAL)
		assert_int_equal(step(host, &update, &phase), 0);
	assert_int_equal(hv_handover_seal(&update.handover, &offender), -XEN_EINVAL);
	assert_int_equal(offender.first, place);
	assert_int_equal(offender.owner, 2);
	carry_on(host, &update);
	assert_true(digest(host) == before);
	host_free(host);
}

static void test_order_of_steps(void **state)
{
	struct hv_image_note note = host_note(2);
	struct host *host = busy_host(&note, 8 * MIB);
	struct hv_handover handover;
	struct hv_frames offender;

	(void)state;
	assert_int_equal(hv_handover_begin(&handover, &host->kexec), -XEN_ENOENT);
	assert_int_equal(host_load(host, &note, 0x77, 0), 0);
	assert_int_equal(hv_handover_begin(&handover, &host->kexec), 0);
	assert_int_equal(hv_handover_seal(&handover, &offender), -XEN_EINVAL);
	assert_int_equal(hv_handover_finish(&handover), -XEN_EINVAL);
	assert_false(hv_handover_relocate(&handover));
	assert_non_null(hv_handover_page(&handover));
	assert_int_equal(hv_handover_seal(&handover, &offender), 0);
	assert_null(hv_handover_page(&handover));
	assert_true(hv_handover_relocate(&handover));
	assert_int_equal(hv_handover_finish(&handover), -XEN_EINVAL);
	hv_handover_undo(&handover);
	host_free(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_of_steps),
		cmocka_unit_test(test_frames_are_taken_before),
		cmocka_unit_test(test_what_is_handed_over),
		cmocka_unit_test(test_updates),
		cmocka_unit_test(test_power_cut),
		cmocka_unit_test(test_refused_allocations),
		cmocka_unit_test(test_refused_mappings),
		cmocka_unit_test(test_no_frames),
		cmocka_unit_test(test_rule_is_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
