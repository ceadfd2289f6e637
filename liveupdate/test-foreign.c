/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Foreign programs: what their files say, and files that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <elf.h>

#include "liveupdate/foreign.h"

/* An ELF file with one loaded segment that holds everything, and some text behind. */
struct program {
	Elf64_Ehdr header;
	Elf64_Phdr segment[2];
	Elf64_Dyn dynamic[4];
	char strings[64], text[128];
};

#define BASE 0x400000u

static void make(struct program *program, const char *library, const char *text)
{
	memset(program, 0, sizeof(*program));
	memcpy(program->header.e_ident, ELFMAG, SELFMAG);
	program->header.e_phoff = offsetof(struct program, segment);
	program->header.e_phnum = 2;
	program->segment[0] = (Elf64_Phdr){
		.p_type = PT_LOAD, .p_vaddr = BASE, .p_filesz = sizeof(*program)};
	program->segment[1] = (Elf64_Phdr){.p_type = PT_DYNAMIC,
					   .p_offset = offsetof(struct program, dynamic),
					   .p_filesz = sizeof(program->dynamic)};
	program->dynamic[0] = (Elf64_Dyn){.d_tag = DT_NEEDED, .d_un.d_val = 1};
	program->dynamic[1] = (Elf64_Dyn){.d_tag = DT_NEEDED, .d_un.d_val = 11};
	program->dynamic[2] = (Elf64_Dyn){.d_tag = DT_STRTAB,
					  .d_un.d_ptr = BASE + offsetof(struct program, strings)};
	strcpy(program->strings + 1, "libc.so.6");
	strcpy(program->strings + 11, library);
	strcpy(program->text, text);
}

#define XENSTORED "@releaseDomain %s/state_dump"

static void look(struct foreign *foreign, const char *library, const char *text)
{
	struct program program;

	make(&program, library, text);
	foreign_parse(&program, sizeof(program), foreign);
}

static void check_c(const char *library, const char *text, const char *dialect, uint32_t version)
{
	struct foreign foreign;

	look(&foreign, library, text);
	assert_int_equal(foreign.kind, FOREIGN_XENSTORED);
	assert_string_equal(foreign.dialect, dialect);
	assert_int_equal(foreign.version_max, version);
}

static void test_releases(void **state)
{
	(void)state;
	check_c("libxenctrl.so.4.16", XENSTORED, "4.17", 1);
	check_c("libxenctrl.so.4.17", XENSTORED, "4.17", 1);
	check_c("libxenctrl.so.4.18", XENSTORED, "4.18", 1);
	check_c("libxenctrl.so.4.20", XENSTORED, "4.18", 1);
	check_c("libxenctrl.so.4.21", XENSTORED, "4.21", 2);
	check_c("libxenmanage.so.1", XENSTORED, "4.21", 2);
	check_c("libxenmanage.so.1", XENSTORED " GET_QUOTA", "4.22", 2);
	check_c("libxenctrl.so.4.x", XENSTORED, "4.21", 2);
}

static void test_other_programs(void **state)
{
	struct foreign foreign;

	(void)state;
	look(&foreign, "libxenctrl.so.4.17", "@releaseDomain");
	assert_int_equal(foreign.kind, FOREIGN_NO_XENSTORED);
	look(&foreign, "libxenctrl.so.4.17", "%s/state_dump");
	assert_int_equal(foreign.kind, FOREIGN_NO_XENSTORED);
	look(&foreign, "libxenctrl.so.4.17", "@releaseDomain $xenstored-dump-format");
	assert_int_equal(foreign.kind, FOREIGN_OXENSTORED);
	foreign_parse("x", 1, &foreign);
	assert_int_equal(foreign.kind, FOREIGN_NO_XENSTORED);
}

/* Any byte may be anything; the file may end anywhere. */
static void test_files_that_lie(void **state)
{
	struct program program;
	struct foreign foreign;
	unsigned int seed = 1;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		size_t size = (size_t)rand_r(&seed) % sizeof(program) + 1;
		unsigned char *copy = malloc(size);

		make(&program, "libxenctrl.so.4.17", XENSTORED);
		if (i % 4)
			size = sizeof(program);
		free(copy);
		copy = malloc(size);
		assert_non_null(copy);
		memcpy(copy, &program, size);
		for (int flips = rand_r(&seed) % 4; flips >= 0; flips--) {
			size_t at = (size_t)rand_r(&seed) % offsetof(struct program, text) % size;

			copy[at] = (unsigned char)(rand_r(&seed) % 3 ? rand_r(&seed) : 0xff);
		}
		foreign_parse(copy, size, &foreign);
		if (foreign.kind == FOREIGN_XENSTORED)
			assert_in_range(foreign.version_max, 1, 2);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_releases),
		cmocka_unit_test(test_other_programs),
		cmocka_unit_test(test_files_that_lie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
