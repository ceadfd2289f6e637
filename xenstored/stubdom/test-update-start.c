/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The new image's side of an update that fails: what the image before needs in order to go on is
 * there, even if the new one has already used the files. The front-end and the back-end are the
 * real ones; the jump is played.
 */
#include "stubdom/update-parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "../../tests/unit/ninep-world.h"
#include "stubdom/ring0/clock.h"
#include "stubdom/ring0/kexec.h"
#include "stubdom/ring0/memory.h"

#define STATE "what no image can read"

static struct ninep_world w;
static char place[sizeof(STATE)];
static const char *expected; /* why the new image goes back */
static jmp_buf back;

/* ---- the domain around it ---- */

struct memory ring0_memory;

uint64_t clock_monotonic_ns(void)
{
	return w.now * 1000000u;
}

void stubdom_host_stand(struct stubdom_host *host, bool still)
{
	(void)host;
	(void)still;
}

char *update_memory_get(size_t size, char *why)
{
	(void)why;
	return size <= sizeof(place) ? place : NULL;
}

void update_memory_give_back(char **at, size_t size)
{
	(void)size;
	*at = NULL;
}

int update_state_save(void *data, int (*put)(void *, const void *, size_t), void *sink)
{
	(void)data;
	return put(sink, STATE, sizeof(STATE));
}

bool update_state_check(const void *state, size_t size, char *why)
{
	(void)state;
	(void)size;
	snprintf(why, KERNEL_WHY_MAX, "not understood");
	return false;
}

void watch_end(void)
{
}

void kexec_go_back(const char *why)
{
	assert_string_equal(why, expected);
	longjmp(back, 1);
}

/* ---- tests ---- */

static struct handover *const handover = (struct handover *)LAYOUT_HANDOVER;
static struct files files;
static struct stubdom_host host;
static struct stubdom_update update = {.files = &files, .host = &host};

/* By the old image. */
static void leave(void)
{
	struct ninep_saved saved;

	memset(handover, 0, sizeof(*handover));
	handover->kind = HANDOVER_FILE;
	handover->state_size = sizeof(STATE);
	handover->key = (struct handover_key){0x1234, 0x5678};
	handover->state_sum = handover_sum(&handover->key, STATE, sizeof(STATE));
	ninep_save(w.fe, &saved);
	handover->files_size = sizeof(saved);
	memcpy(handover->files, &saved, sizeof(saved));
	handover_seal(handover);
}

/* As an image that is started: a front-end of what was left. */
static void start(void)
{
	assert_true(handover_is_good(handover));
	ninep_free(w.fe);
	w.fe = ninep_new(&w.platform, &w.memory, stubdom_update_files(handover));
	assert_non_null(w.fe);
	files.ninep = w.fe;
}

static void begin(void)
{
	memset((void *)LAYOUT_HANDOVER, 0, LAYOUT_RESERVED_END - LAYOUT_HANDOVER);
	memset(place, 0, sizeof(place));
	world_init(&w, 4);
	world_offer(&w);
	world_run(&w);
	assert_true(ninep_connected(w.fe));
	world_put_file(&w, "state_dump", STATE, sizeof(STATE));
	leave();
}

/* An image is started, and goes back for this reason. */
static void goes_back(const char *why)
{
	expected = why;
	start();
	if (setjmp(back))
		return;
	stubdom_update_restore(&update, handover);
	fail_msg("the state was understood");
}

static void test_way_back_after_the_file_was_read(void **state)
{
	char why[KERNEL_WHY_MAX] = "";

	(void)state;
	begin();
	goes_back("not understood");
	assert_string_equal(place, STATE);
	memset(place, 0, sizeof(place));
	start();
	if (!update_file_read(&files, place, sizeof(place), why))
		fail_msg("the image before cannot go on: %s", why);
	assert_string_equal(place, STATE);
	world_deinit(&w);
}

/* Whoever keeps the file may do with it what he likes; he is only not believed. */
static void test_changed_file_is_not_believed(void **state)
{
	static const char longer[] = STATE "\0 and more";
	char changed[] = STATE;

	(void)state;
	for (size_t i = 0; i < sizeof(changed); i++) {
		begin();
		changed[i] ^= 1;
		world_put_file(&w, "state_dump", changed, sizeof(changed));
		changed[i] ^= 1;
		goes_back("The file state_dump was changed: it is not what was written.");
		world_deinit(&w);
	}
	begin();
	world_put_file(&w, "state_dump", STATE, sizeof(STATE) - 1);
	goes_back("The file state_dump was changed: it is not as long as it was.");
	world_put_file(&w, "state_dump", longer, sizeof(longer));
	goes_back("The file state_dump was changed: it is not as long as it was.");
	world_deinit(&w);
}

/* A sum of the right bytes under another key is no proof of anything. */
static void test_sum_of_another_key_is_not_believed(void **state)
{
	(void)state;
	begin();
	handover->state_sum = handover_sum(&(struct handover_key){0, 0}, STATE, sizeof(STATE));
	handover_seal(handover);
	goes_back("The file state_dump was changed: it is not what was written.");
	world_deinit(&w);
}

static void test_image_before_goes_on_with_its_copy_of_a_changed_file(void **state)
{
	static char copy[] = STATE;
	static const char changed[sizeof(STATE)] = "changed";

	(void)state;
	begin();
	world_put_file(&w, "state_dump", changed, sizeof(changed));
	handover->state = (struct handover_range){(uintptr_t)copy, sizeof(copy)};
	handover_seal(handover);
	goes_back("The file state_dump was changed: it is not what was written.");
	kexec_back()->state = KEXEC_BACK_TAKEN;
	/* That is, it has got so far. */
	goes_back("not understood");
	world_deinit(&w);
}

/* What the image before does as long as it can refuse. */
static bool write_file(bool in_memory, char *why)
{
	static char copy[] = STATE;
	struct update_memory memory = {.in_file = true,
				       .state = in_memory ? copy : NULL,
				       .state_size = handover->state_size,
				       .key = handover->key,
				       .state_sum = handover->state_sum};

	files.ninep = w.fe;
	return update_file_write(&update, &memory, why);
}

static void test_file_is_read_back_before_anything_is_given_up(void **state)
{
	char why[KERNEL_WHY_MAX] = "";

	(void)state;
	for (int in_memory = 0; in_memory < 2; in_memory++) {
		size_t length;

		begin();
		world_put_file(&w, "state_dump", "", 0);
		if (!write_file(in_memory, why))
			fail_msg("%s", why);
		assert_memory_equal(world_file(&w, "state_dump", &length), STATE, sizeof(STATE));
		assert_int_equal(length, sizeof(STATE));
		/* As if it had been changed between the two. */
		handover->state_sum ^= 1;
		assert_false(write_file(in_memory, why));
		assert_string_equal(why,
				    "The state cannot be read back: file state_dump: it is not "
				    "what was written");
		world_deinit(&w);
	}
}

/* ---- an image that ends anywhere ---- */

static const struct ninep_platform_ops *real_ops;
static unsigned int waits; /* until it ends */

static void wait_and_end(struct ninep_platform *platform, uint32_t port, uint64_t deadline)
{
	if (!waits--)
		longjmp(back, 1);
	real_ops->wait(platform, port, deadline);
}

/* Returns whether it could read the file before it ended. */
static bool end_after(unsigned int most)
{
	struct ninep_platform_ops ops = *w.platform.ops;

	real_ops = w.platform.ops;
	ops.wait = wait_and_end;
	w.platform.ops = &ops;
	waits = most;
	goes_back("not understood");
	w.platform.ops = real_ops;
	return !strcmp(place, STATE);
}

static void test_way_back_while_the_file_is_read(void **state)
{
	unsigned int most = 0;
	bool over;

	(void)state;
	do {
		char why[KERNEL_WHY_MAX] = "";

		begin();
		over = end_after(most++);
		memset(place, 0, sizeof(place));
		start();
		if (!update_file_read(&files, place, sizeof(place), why))
			fail_msg("after %u waits the image before cannot go on: %s", most - 1, why);
		assert_string_equal(place, STATE);
		world_deinit(&w);
	} while (!over);
	assert_true(most > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_way_back_after_the_file_was_read),
		cmocka_unit_test(test_way_back_while_the_file_is_read),
		cmocka_unit_test(test_changed_file_is_not_believed),
		cmocka_unit_test(test_sum_of_another_key_is_not_believed),
		cmocka_unit_test(test_image_before_goes_on_with_its_copy_of_a_changed_file),
		cmocka_unit_test(test_file_is_read_back_before_anything_is_given_up),
	};
	void *low = mmap((void *)LAYOUT_HANDOVER, LAYOUT_RESERVED_END - LAYOUT_HANDOVER,
			 PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			 -1, 0);

	if (low != (void *)LAYOUT_HANDOVER) {
		perror("the place of the hand-over page");
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
