/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The note of our binaries, and notes of other versions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <elf.h>

#include "liveupdate/abilities.h"
#include "liveupdate/stream-writer.h"

/* A program with nothing but a note. */
struct program {
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	Elf64_Nhdr note;
	char name[12];
	struct abilities abilities;
};

static const struct abilities all = {
	.stream_versions = 6,
	.flags = ABILITY_CHECK | ABILITY_DESCRIPTOR | ABILITY_GUARD,
	.records = 1,
	.declared = 2,
	.record = {{STREAM_CLIENT, 1}, {STREAM_TX, 3}},
};

/* @size: of the note's contents */
static void make(struct program *program, const struct abilities *in, uint32_t size)
{
	memset(program, 0, sizeof(*program));
	memcpy(program->header.e_ident, ELFMAG, SELFMAG);
	program->header.e_ident[EI_CLASS] = ELFCLASS64;
#if defined(__aarch64__)
	program->header.e_machine = EM_AARCH64;
#else
	program->header.e_machine = EM_X86_64;
#endif
	program->header.e_type = ET_DYN;
	program->header.e_phentsize = sizeof(Elf64_Phdr);
	program->header.e_phnum = 1;
	program->header.e_phoff = offsetof(struct program, segment);
	program->segment.p_type = PT_NOTE;
	program->segment.p_offset = offsetof(struct program, note);
	program->segment.p_filesz = sizeof(Elf64_Nhdr) + 12 + size;
	program->note = (Elf64_Nhdr){sizeof(ABILITIES_NOTE_NAME), size, ABILITIES_NOTE_TYPE};
	memcpy(program->name, ABILITIES_NOTE_NAME, sizeof(ABILITIES_NOTE_NAME));
	memcpy(&program->abilities, in, sizeof(*in));
}

static enum abilities_kind parse(const struct abilities *in, uint32_t size, struct abilities *out)
{
	struct program program;

	make(&program, in, size);
	memset(out, 0, sizeof(*out));
	return abilities_parse(&program, sizeof(program), out);
}

static void test_own_note(void **state)
{
	const struct stream_own_type *type;
	struct abilities abilities;

	(void)state;
	assert_int_equal(abilities_read("/proc/self/exe", &abilities), ABILITIES_OWN);
	assert_int_equal(abilities.records, ABILITIES_RECORDS);
	/* It declares what it would write itself. */
	for (size_t i = 0; (type = stream_own_at(i)); i++)
		if (type->type & STREAM_MUST)
			assert_true(abilities_understand(&abilities, type->type, type->version));
	assert_false(abilities_understand(&abilities, STREAM_OWN_NEED(999), 1));
	assert_false(abilities_understand(&abilities, STREAM_TX, 255));
}

static void test_declarations(void **state)
{
	struct abilities in = all, out;
	uint32_t size = ABILITIES_FIXED + 2 * sizeof(struct abilities_record);

	(void)state;
	assert_int_equal(parse(&in, size, &out), ABILITIES_OWN);
	assert_true(abilities_understand(&out, STREAM_TX, 3));
	assert_false(abilities_understand(&out, STREAM_TX, 4));
	assert_false(abilities_understand(&out, STREAM_DELTA, 1));
	/* More behind it, of a later version, is not looked at. */
	assert_int_equal(parse(&in, sizeof(in), &out), ABILITIES_OWN);
	assert_false(abilities_understand(&out, STREAM_DELTA, 1));
	/* Without declarations all of revision 1 is meant. */
	in.declared = 0;
	assert_int_equal(parse(&in, ABILITIES_FIXED, &out), ABILITIES_OWN);
	assert_true(abilities_understand(&out, STREAM_DELTA, 1));
	assert_false(abilities_understand(&out, STREAM_DELTA, 2));
}

static void test_notes_that_are_not_enough(void **state)
{
	struct abilities in = all, out;
	uint32_t size = ABILITIES_FIXED + 2 * sizeof(struct abilities_record);

	(void)state;
	assert_int_equal(parse(&in, size - 4, &out), ABILITIES_FOREIGN);
	assert_int_equal(parse(&in, ABILITIES_FIXED - 4, &out), ABILITIES_FOREIGN);
	in.declared = ABILITIES_DECLARED_MAX + 1;
	assert_int_equal(parse(&in, sizeof(in), &out), ABILITIES_FOREIGN);
	in = all;
	in.flags &= ~ABILITY_GUARD;
	assert_int_equal(parse(&in, size, &out), ABILITIES_FOREIGN);
	in = all;
	in.records = 0;
	assert_int_equal(parse(&in, size, &out), ABILITIES_FOREIGN);
	in = all;
	in.stream_versions = 2;
	assert_int_equal(parse(&in, size, &out), ABILITIES_FOREIGN);
}

/*
 * A file that is being replaced in its place is shorter at times: it is no program then, and
 * whoever looks at it goes on.
 */
static void test_a_file_that_becomes_shorter(void **state)
{
	char path[] = "/tmp/test-abilities-XXXXXX";
	unsigned int count[3] = {0};
	struct abilities abilities;
	struct program program;
	int fd = mkstemp(path);
	pid_t pid;

	(void)state;
	assert_true(fd >= 0);
	make(&program, &all, sizeof(all));
	pid = fork();
	if (pid == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL))
		_exit(1);
	if (pid == 0)
		for (;;)
			if (pwrite(fd, &program, sizeof(program), 0) != sizeof(program) ||
			    ftruncate(fd, 0))
				_exit(1);
	for (int i = 0; i < 20000; i++) {
		int kind = abilities_read(path, &abilities);

		assert_in_range(kind, 0, 2);
		count[kind]++;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fd);
	unlink(path);
	/* Whatever the machine made of it, nothing else was seen. */
	assert_int_equal(count[ABILITIES_OWN] + count[ABILITIES_INVALID] + count[ABILITIES_FOREIGN],
			 20000);
}

/* The writer leaves out what the receiver does not declare, and says so. */
static void test_writer(void **state)
{
	struct abilities receiver = {.declared = 1, .record = {{STREAM_CLIENT, 1}}};
	struct stream_client client = {.conn_id = 1};
	struct stream_tx tx = {.conn_id = 1, .tx_id = 1};
	struct stream_log log = {.file = {"", 0}};
	struct stream_buffer buffer = {0};
	struct stream_writer writer;
	uint64_t before;

	(void)state;
	assert_int_equal(stream_writer_init(&writer, stream_dialect_find("own"), 0,
					    stream_buffer_put, &buffer),
			 0);
	writer.receiver = &receiver;
	assert_int_equal(stream_put_own(&writer, STREAM_CLIENT, &client), 0);
	assert_int_equal(stream_put_own(&writer, STREAM_LOG, &log), 0);
	assert_int_equal(writer.lost.undeclared, 0);
	before = writer.offset;
	assert_int_equal(stream_put_own(&writer, STREAM_TX, &tx), 0);
	assert_int_equal(writer.offset, before);
	assert_int_equal(writer.lost.undeclared, 1);
	assert_int_equal(writer.lost.undeclared_type, STREAM_TX);
	stream_buffer_deinit(&buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_note),
		cmocka_unit_test(test_declarations),
		cmocka_unit_test(test_notes_that_are_not_enough),
		cmocka_unit_test(test_a_file_that_becomes_shorter),
		cmocka_unit_test(test_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
