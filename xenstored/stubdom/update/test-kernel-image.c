/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernels that are good, and each way in which one can be bad; then kernels damaged at random,
 * in an allocation of exactly their size, so that a sanitizer sees the smallest step too far.
 *
 * COUNT= how many times the usual number of damaged ones.
 */
#include "stubdom/update/kernel-image.h"
#include "tests/unit/setting.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LAYOUT 1u
#define LOW    0x400000u
#define HIGH   0x800000u

static const struct kernel_room room = {LOW, HIGH};

struct note {
	Elf64_Nhdr header;
	char name[12];
	struct kernel_note desc;
};

struct entry_note {
	Elf64_Nhdr header;
	char name[4];
	uint32_t entry;
};

/* A small kernel: two segments to load, and the two notes between them. */
struct kernel {
	Elf64_Ehdr header;
	Elf64_Phdr text, data, notes, stack;
	struct entry_note entry;
	struct note note;
	char code[64];
	char words[32];
};

static struct kernel good_kernel(void)
{
	struct kernel kernel = {
		.header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			   .e_type = ET_EXEC,
			   .e_machine = EM_X86_64,
			   .e_version = EV_CURRENT,
			   .e_phoff = offsetof(struct kernel, text),
			   .e_phentsize = sizeof(Elf64_Phdr),
			   .e_phnum = 4},
		.text = {.p_type = PT_LOAD,
			 .p_flags = PF_R | PF_X,
			 .p_offset = 0,
			 .p_filesz = offsetof(struct kernel, words),
			 .p_memsz = offsetof(struct kernel, words),
			 .p_paddr = LOW},
		.data = {.p_type = PT_LOAD,
			 .p_flags = PF_R | PF_W,
			 .p_offset = offsetof(struct kernel, words),
			 .p_filesz = sizeof(kernel.words),
			 .p_memsz = 0x3000,
			 .p_paddr = LOW + 0x2000},
		.notes = {.p_type = PT_NOTE,
			  .p_offset = offsetof(struct kernel, entry),
			  .p_filesz = sizeof(kernel.entry) + sizeof(kernel.note)},
		.stack = {.p_type = PT_GNU_STACK},
		.entry = {.header = {4, 4, 18},
			  .name = "Xen",
			  .entry = LOW + offsetof(struct kernel, code)},
		.note = {.header = {sizeof(KERNEL_NOTE_NAME), sizeof(struct kernel_note),
				    KERNEL_NOTE_TYPE},
			 .name = KERNEL_NOTE_NAME,
			 .desc = {.layout = LAYOUT,
				  .records = 1,
				  .takes = KERNEL_TAKES_MEMORY | KERNEL_TAKES_FILE}},
	};

	return kernel;
}

/* Check @size bytes in an allocation of their own. */
static bool check(const void *bytes, size_t size, struct kernel_image *image, char *why)
{
	char *copy = malloc(size ? size : 1);
	bool good;

	assert_non_null(copy);
	memcpy(copy, bytes, size);
	*why = 0;
	good = kernel_image_check(copy, size, &room, LAYOUT, image, why);
	free(copy);
	return good;
}

static void expect_refused(const struct kernel *kernel, const char *text)
{
	struct kernel_image image;
	char why[KERNEL_WHY_MAX];

	assert_false(check(kernel, sizeof(*kernel), &image, why));
	if (!strstr(why, text))
		fail_msg("refused for another reason: %s", why);
}

static void test_good(void **state)
{
	struct kernel kernel = good_kernel();
	struct kernel_image image;
	char why[KERNEL_WHY_MAX];

	(void)state;
	if (!check(&kernel, sizeof(kernel), &image, why))
		fail_msg("%s", why);
	assert_true(image.own);
	assert_int_equal(image.entry, LOW + offsetof(struct kernel, code));
	assert_int_equal(image.count, 2);
	assert_int_equal(image.segment[0].address, LOW);
	assert_false(image.segment[0].writable);
	assert_int_equal(image.segment[1].address, LOW + 0x2000);
	assert_int_equal(image.segment[1].offset, offsetof(struct kernel, words));
	assert_int_equal(image.segment[1].file_size, sizeof(kernel.words));
	assert_int_equal(image.segment[1].size, 0x3000);
	assert_true(image.segment[1].writable);
	assert_int_equal(image.end, LOW + 0x5000);
	assert_int_equal(image.note.takes, KERNEL_TAKES_MEMORY | KERNEL_TAKES_FILE);
	assert_int_equal(image.note.records, 1);
}

static void test_segments_are_sorted(void **state)
{
	struct kernel kernel = good_kernel();
	struct kernel_image image;
	char why[KERNEL_WHY_MAX];
	Elf64_Phdr text = kernel.text;

	(void)state;
	kernel.text = kernel.data;
	kernel.data = text;
	assert_true(check(&kernel, sizeof(kernel), &image, why));
	assert_int_equal(image.segment[0].address, LOW);
	assert_int_equal(image.segment[1].address, LOW + 0x2000);
}

static void test_not_for_this_machine(void **state)
{
	struct kernel kernel = good_kernel();

	(void)state;
	kernel.header.e_ident[0] = 'M';
	expect_refused(&kernel, "no ELF file.");
	kernel = good_kernel();
	kernel.header.e_ident[EI_CLASS] = ELFCLASS32;
	expect_refused(&kernel, "for this machine");
	kernel = good_kernel();
	kernel.header.e_ident[EI_DATA] = ELFDATA2MSB;
	expect_refused(&kernel, "for this machine");
	kernel = good_kernel();
	kernel.header.e_machine = EM_AARCH64;
	expect_refused(&kernel, "for this machine");
	kernel = good_kernel();
	kernel.header.e_type = ET_DYN;
	expect_refused(&kernel, "fixed addresses");
	kernel = good_kernel();
	kernel.header.e_phnum = 0;
	expect_refused(&kernel, "program headers");
	kernel.header.e_phnum = 65;
	expect_refused(&kernel, "program headers");
	kernel = good_kernel();
	kernel.header.e_phoff = UINT64_MAX - 8;
	expect_refused(&kernel, "cut off");
}

static void test_a_program_for_linux(void **state)
{
	struct kernel kernel = good_kernel();

	(void)state;
	kernel.stack.p_type = PT_INTERP;
	expect_refused(&kernel, "linked dynamically");
	/* A static one has notes, but not these. */
	kernel = good_kernel();
	kernel.entry.header.n_type = 1;
	expect_refused(&kernel, "no PVH entry");
	kernel = good_kernel();
	memcpy(kernel.entry.name, "GNU", 4);
	expect_refused(&kernel, "no PVH entry");
}

static void test_another_kernel(void **state)
{
	struct kernel kernel = good_kernel();

	(void)state;
	kernel.note.desc.layout = LAYOUT + 1;
	expect_refused(&kernel, "memory layout 2");
}

static void expect_other(const struct kernel *kernel)
{
	struct kernel_image image;
	char why[KERNEL_WHY_MAX];

	if (!check(kernel, sizeof(*kernel), &image, why))
		fail_msg("%s", why);
	assert_false(image.own);
}

/* It has its own idea of what is where, up to what must not be touched. */
static void test_kernel_of_another_kind(void **state)
{
	struct kernel kernel = good_kernel();

	(void)state;
	kernel.note.header.n_type = 1;
	expect_other(&kernel);
	kernel.text.p_paddr = 0;
	kernel.entry.entry = offsetof(struct kernel, code);
	expect_other(&kernel);
	kernel.data.p_paddr = HIGH - 0x3000;
	expect_other(&kernel);
	kernel.data.p_paddr = HIGH - 0x2fff;
	expect_refused(&kernel, "lies outside of 0 to 0x800000");
	kernel.note.header.n_type = KERNEL_NOTE_TYPE;
	expect_refused(&kernel, "lies outside of 0x400000");
}

static void test_notes_that_cannot_be_read(void **state)
{
	struct kernel kernel = good_kernel();

	(void)state;
	kernel.note.header.n_namesz = UINT32_MAX;
	expect_other(&kernel);
	kernel = good_kernel();
	kernel.note.header.n_descsz = UINT32_MAX - 2;
	expect_other(&kernel);
	kernel = good_kernel();
	kernel.notes.p_offset = sizeof(kernel);
	expect_refused(&kernel, "no PVH entry");
	kernel = good_kernel();
	kernel.notes.p_filesz = 4;
	expect_refused(&kernel, "no PVH entry");
}

static void test_segments_that_do_not_fit(void **state)
{
	struct kernel kernel = good_kernel();

	(void)state;
	kernel.text.p_paddr = LOW - 1;
	expect_refused(&kernel, "lies outside");
	kernel.text.p_paddr = HIGH;
	expect_refused(&kernel, "lies outside");
	kernel = good_kernel();
	kernel.data.p_memsz = HIGH - LOW - 0x2000 + 1;
	expect_refused(&kernel, "lies outside");
	kernel.data.p_memsz = UINT64_MAX;
	expect_refused(&kernel, "lies outside");
	kernel.data.p_memsz = kernel.data.p_filesz - 1;
	expect_refused(&kernel, "larger in the file");
	kernel = good_kernel();
	kernel.data.p_filesz = kernel.data.p_memsz = sizeof(kernel);
	expect_refused(&kernel, "cut off");
	kernel.data.p_offset = UINT64_MAX;
	expect_refused(&kernel, "cut off");
	kernel = good_kernel();
	kernel.data.p_paddr = LOW + 32;
	expect_refused(&kernel, "overlap");
	kernel = good_kernel();
	kernel.text.p_memsz = 0x2001;
	expect_refused(&kernel, "overlap");
}

static void test_nothing_to_load(void **state)
{
	struct kernel kernel = good_kernel();

	(void)state;
	kernel.text.p_type = kernel.data.p_type = PT_NULL;
	expect_refused(&kernel, "nothing to load");
}

static void test_entry_elsewhere(void **state)
{
	struct kernel kernel = good_kernel();

	(void)state;
	kernel.entry.entry = LOW - 1;
	expect_refused(&kernel, "entry");
	/* Memory that is zero is no code. */
	kernel.entry.entry = LOW + 0x2000 + sizeof(kernel.words);
	expect_refused(&kernel, "entry");
}

static void test_cut_off_anywhere(void **state)
{
	const size_t end = offsetof(struct kernel, words) + sizeof(((struct kernel *)0)->words);
	struct kernel kernel = good_kernel();
	struct kernel_image image;
	char why[KERNEL_WHY_MAX];

	(void)state;
	for (size_t size = 0; size < end; size++) {
		assert_false(check(&kernel, size, &image, why));
		assert_true(*why);
	}
	assert_true(check(&kernel, end, &image, why));
}

static uint64_t seed = 4711;

static uint32_t random_below(uint32_t limit)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 11) % limit;
}

static void damage(char *bytes, size_t size)
{
	static const uint64_t wild[] = {0,	   1,	    UINT64_MAX, UINT64_MAX - 4095,
					INT64_MAX, LOW - 1, HIGH - 1,	sizeof(struct kernel)};

	for (unsigned int n = 1 + random_below(4); n; n--) {
		uint32_t at = random_below((uint32_t)size - 8);

		switch (random_below(3)) {
		case 0:
			bytes[at] = (char)random_below(256);
			break;
		case 1:
			bytes[at] = (char)(bytes[at] ^ (1 << random_below(8)));
			break;
		default:
			at &= ~7u;
			memcpy(bytes + at, &wild[random_below(8)], 8);
		}
	}
}

/* What the loading relies on. */
static void expect_loadable(const struct kernel_image *image, size_t size)
{
	uint64_t low = image->own ? LOW : 0, from = low;

	assert_in_range(image->count, 1, KERNEL_SEGMENTS_MAX);
	for (unsigned int i = 0; i < image->count; i++) {
		const struct kernel_segment *segment = &image->segment[i];

		assert_true(segment->address >= from && segment->address < HIGH);
		assert_true(segment->size <= HIGH - segment->address);
		assert_true(segment->file_size <= segment->size);
		assert_true(segment->offset <= size &&
			    segment->file_size <= size - segment->offset);
		from = segment->address + segment->size;
	}
	assert_true(image->end >= from && image->end <= HIGH);
	assert_in_range(image->entry, low, HIGH - 1);
}

static void test_damaged(void **state)
{
	unsigned long rounds = 20000 * setting("COUNT", 1);
	unsigned long accepted = 0;

	(void)state;
	for (unsigned long i = 0; i < rounds; i++) {
		struct kernel kernel = good_kernel();
		struct kernel_image image;
		char why[KERNEL_WHY_MAX];

		damage((char *)&kernel, sizeof(kernel));
		if (check(&kernel, sizeof(kernel), &image, why)) {
			expect_loadable(&image, sizeof(kernel));
			accepted++;
		} else {
			assert_true(*why);
		}
	}
	/* Damage to bytes that nobody looks at is common. */
	assert_in_range(accepted, rounds / 100, rounds - rounds / 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_segments_are_sorted),
		cmocka_unit_test(test_not_for_this_machine),
		cmocka_unit_test(test_a_program_for_linux),
		cmocka_unit_test(test_another_kernel),
		cmocka_unit_test(test_kernel_of_another_kind),
		cmocka_unit_test(test_notes_that_cannot_be_read),
		cmocka_unit_test(test_segments_that_do_not_fit),
		cmocka_unit_test(test_nothing_to_load),
		cmocka_unit_test(test_entry_elsewhere),
		cmocka_unit_test(test_cut_off_anywhere),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
