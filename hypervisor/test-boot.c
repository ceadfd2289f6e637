/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a hypervisor finds that takes over need not be right. Whatever it is, the boot
 * says no, leaves everything as it was, and another hypervisor can try again.
 */
#include "hypervisor/test-take-over.h"

/* A machine whose xen#1 has written the breadcrumb. */
struct left {
	struct host *host;
	struct hv_image_note note;
	struct update update;
	struct hv_frame_span image, region;
	uint64_t words[3];
	uint64_t array[8];
};

static struct left *left_new(void)
{
	struct left *left = calloc(1, sizeof(*left));
	enum phase phase = BEGIN;

	assert_non_null(left);
	left->note = host_note(4);
	left->host = busy_host(&left->note, 16 * MIB);
	assert_int_equal(host_load(left->host, &left->note, 0x77, 0), 0);
	left->image = left->host->kexec.image->plan.image;
	left->region = left->host->kexec.image->plan.region;
	while (phase != DONE)
		assert_int_equal(step(left->host, &left->update, &phase), 0);
	hv_handover_leave(&left->update.handover);
	hv_quiesce_undo(&left->host->machine->hv, &left->update.quiesce);
	physical_read(left->host->physical, left->region.first, 0, left->words,
		      sizeof(left->words));
	assert_true(left->words[2] >> 12 >= 2 && left->words[2] >> 12 <= 8);
	physical_read(left->host->physical, left->words[1] >> 12, 0, left->array,
		      (left->words[2] >> 12) * 8);
	return left;
}

static void left_free(struct left *left)
{
	host_free(left->host);
	free(left);
}

static void put_words(struct left *left, uint64_t word0, uint64_t word1, uint64_t word2)
{
	const uint64_t words[3] = {word0, word1, word2};

	physical_write(left->host->physical, left->region.first, 0, words, sizeof(words));
}

static void put_array(struct left *left, unsigned int index, uint64_t frame)
{
	physical_write(left->host->physical, left->words[1] >> 12, index * 8, &frame, 8);
}

/*
 * Let a hypervisor try, whose allocation number @refuse fails; returns the error. When it succeeds,
 * its machine is looked at and freed.
 */
static int attempt_without(struct left *left, struct hv_boot *boot, unsigned long refuse)
{
	struct hv_memory *memory = calloc(1, sizeof(*memory));
	struct machine *machine = calloc(1, sizeof(*machine));
	int error;

	assert_non_null(memory);
	assert_non_null(machine);
	machine->hidden = HV_DOMID_INVALID;
	machine->refuse = refuse;
	error = take_over(left->host, &left->note, &left->image,
			  left->region.count << HV_PAGE_SHIFT, left->region.first << HV_PAGE_SHIFT,
			  boot, memory, machine);
	if (!error) {
		assert_int_equal(hv_domain_find(&machine->hv, 2)->p2m.frames, 500);
		hv_memory_deinit(memory);
		machine->hv.memory = NULL;
		hv_deinit(&machine->hv);
	}
	/* Neither memory nor a mapping is left. */
	assert_int_equal(machine->blocks, 0);
	assert_int_equal(left->host->physical->mapped, 0);
	free(machine);
	free(memory);
	return error;
}

static int attempt(struct left *left, struct hv_boot *boot)
{
	return attempt_without(left, boot, 0);
}

static void refused(struct left *left, int expected)
{
	struct hv_boot boot;

	assert_int_equal(attempt(left, &boot), expected);
	if (expected != -XEN_ENOENT)
		assert_non_null(boot.reason);
}

static void test_breadcrumb(void **state)
{
	struct left *left = left_new();
	const uint64_t *words = left->words;
	const uint64_t frames = left->host->physical->frames;
	struct hv_boot boot;

	(void)state;
	put_words(left, words[0] + 1, words[1], words[2]);
	refused(left, -XEN_ENOENT);
	put_words(left, 0, 0, 0);
	refused(left, -XEN_ENOENT);
	put_words(left, words[0], words[1] + 1, words[2]);
	refused(left, -XEN_EINVAL);
	put_words(left, words[0], words[1], words[2] + 1);
	refused(left, -XEN_EINVAL);
	put_words(left, words[0], words[1], 0);
	refused(left, -XEN_EINVAL);
	put_words(left, words[0], words[1], UINT64_MAX << 12);
	refused(left, -XEN_EINVAL);
	put_words(left, words[0], UINT64_MAX << 12, words[2]);
	refused(left, -XEN_EINVAL);
	put_words(left, words[0], frames << 12, words[2]);
	refused(left, -XEN_EINVAL);
	put_words(left, words[0], (frames - 1) << 12, UINT64_C(513) << 12);
	refused(left, -XEN_EINVAL);
	put_words(left, words[0], (left->region.first + 1) << 12, words[2]);
	refused(left, -XEN_EINVAL);
	put_words(left, words[0], left->image.first << 12, words[2]);
	refused(left, -XEN_EINVAL);
	/* One page less, or more, than there are. */
	put_words(left, words[0], words[1], words[2] - HV_PAGE_SIZE);
	refused(left, -XEN_EINVAL);
	put_words(left, words[0], words[1], words[2] + (UINT64_C(600) << 12));
	refused(left, -XEN_EINVAL);
	/* After all this it is still there. */
	put_words(left, words[0], words[1], words[2]);
	assert_int_equal(attempt(left, &boot), 0);
	/* And when it has been used, it is not there any more. */
	assert_int_equal(attempt(left, &boot), -XEN_ENOENT);
	left_free(left);
}

static void test_array(void **state)
{
	struct left *left = left_new();
	const uint64_t wrong[] = {
		left->host->physical->frames,
		UINT64_MAX,
		left->region.first,
		left->region.first + left->region.count - 1,
		left->image.first + 1,
		left->words[1] >> 12, /* the array itself */
		left->array[0],	      /* a page that is there already */
		0,		      /* memory, but no page of a stream */
		200,		      /* no memory */
	};
	struct hv_boot boot;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		put_array(left, 1, wrong[i]);
		refused(left, -XEN_EINVAL);
	}
	put_array(left, 1, left->array[1]);
	assert_int_equal(attempt(left, &boot), 0);
	left_free(left);
}

static void test_option(void **state)
{
	struct left *left = left_new();
	const struct hv_liveupdate_option right = {.size = left->region.count << HV_PAGE_SHIFT,
						   .base = left->region.first << HV_PAGE_SHIFT,
						   .has_base = true};
	struct hv_liveupdate_option option = right;
	struct hv_boot boot;

	(void)state;
	/* kexec-tools says a MiB too much when the size is not one of whole MiB: harmless. */
	option.size += 2 * MIB;
	assert_int_equal(hv_boot_update(&boot, &left->note.memory, &left->image, &option, 0), 0);
	assert_int_equal(boot.bootmem.regions[0].count, left->region.count);
	option = right;
	option.has_base = false;
	assert_int_equal(hv_boot_update(&boot, &left->note.memory, &left->image, &option, 0),
			 -XEN_EINVAL);
	option = right;
	option.base += 8;
	assert_int_equal(hv_boot_update(&boot, &left->note.memory, &left->image, &option, 0),
			 -XEN_EINVAL);
	option.base = left->image.first << HV_PAGE_SHIFT;
	assert_int_equal(hv_boot_update(&boot, &left->note.memory, &left->image, &option, 0),
			 -XEN_EINVAL);
	option = (struct hv_liveupdate_option){0};
	assert_int_equal(hv_boot_update(&boot, &left->note.memory, &left->image, &option, 0),
			 -XEN_EINVAL);
	option = right;
	option.size = 3 * MIB; /* what is allocated at boot, and no frame for the breadcrumb */
	assert_int_equal(hv_boot_update(&boot, &left->note.memory, &left->image, &option, 0),
			 -XEN_ENOMEM);
	option = right;
	assert_int_equal(
		hv_boot_update(&boot, &left->note.memory, &left->image, &option, UINT64_MAX),
		-XEN_ENOMEM);
	left_free(left);
}

/* The place for the image or the machine's size is none. */
static void test_machine(void **state)
{
	struct left *left = left_new();
	const struct hv_liveupdate_option option = {.size = left->region.count << HV_PAGE_SHIFT,
						    .base = left->region.first << HV_PAGE_SHIFT,
						    .has_base = true};
	const struct hv_mapper *mapper = &left->host->physical->mapper;
	struct hv_boot boot;

	(void)state;
	assert_int_equal(hv_boot_update(&boot, &left->note.memory, &left->image, &option, 0), 0);
	assert_int_equal(hv_boot_find_stream(&boot, mapper, 0), -XEN_EINVAL);
	assert_int_equal(hv_boot_find_stream(&boot, mapper, UINT64_MAX), -XEN_EINVAL);
	assert_int_equal(hv_boot_find_stream(&boot, mapper, left->image.first + 1), -XEN_EINVAL);
	left_free(left);
}

/* Too long a frame table for a hypervisor that was not asked before: nothing is lost. */
static void test_second_try(void **state)
{
	struct left *left = left_new();
	const struct hv_image_note right = left->note;
	struct hv_boot boot;

	(void)state;
	left->note.memory.frame_info_size = 4000;
	assert_int_equal(attempt(left, &boot), -XEN_ENOMEM);
	assert_string_equal(boot.reason, "no boot memory has room for the frame table");
	left->note.memory.boot_size = 17 * MIB;
	assert_int_equal(attempt(left, &boot), -XEN_ENOMEM);
	assert_string_equal(boot.reason, "boot memory is too small");
	left->note = right;
	assert_int_equal(attempt(left, &boot), 0);
	left_free(left);
}

static int attempt_unmapped(struct left *left, struct hv_boot *boot, unsigned long refuse)
{
	physical_refuse(left->host->physical, refuse);
	return attempt(left, boot);
}

/* Refuses in turn each of what an attempt needs, until it has all. Returns how many were refused.
 */
static unsigned long refuse_each(int (*try_without)(struct left *, struct hv_boot *, unsigned long))
{
	struct left *left = left_new();
	struct hv_boot boot;
	unsigned long nth = 1;
	int error;

	while ((error = try_without(left, &boot, nth))) {
		assert_int_equal(error, -XEN_ENOMEM);
		nth++;
	}
	left_free(left);
	return nth - 1;
}

static void test_refused_mappings(void **state)
{
	(void)state;
	assert_int_equal(refuse_each(attempt_unmapped), 3); /* breadcrumb, array, stream */
}

/* Of the next hypervisor: all is still there for the last one. */
static void test_refused_allocations(void **state)
{
	(void)state;
	assert_true(refuse_each(attempt_without) > 28);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_breadcrumb),
		cmocka_unit_test(test_array),
		cmocka_unit_test(test_option),
		cmocka_unit_test(test_machine),
		cmocka_unit_test(test_second_try),
		cmocka_unit_test(test_refused_mappings),
		cmocka_unit_test(test_refused_allocations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
