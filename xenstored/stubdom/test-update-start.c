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
	assert_string_equal(why, "not understood");
	longjmp(back, 1);
}

/* ---- tests ---- */

/* By the old image. */
static void leave(struct handover *handover)
{
	struct ninep_saved saved;

	memset(handover, 0, sizeof(*handover));
	handover->kind = HANDOVER_FILE;
	handover->state_size = sizeof(STATE);
	handover->state_sum = handover_sum(STATE, sizeof(STATE));
	ninep_save(w.fe, &saved);
	handover->files_size = sizeof(saved);
	memcpy(handover->files, &saved, sizeof(saved));
	handover_seal(handover);
}

/* As an image that is started: a front-end of what was left. */
static void start(const struct handover *handover, struct files *files)
{
	assert_true(handover_is_good(handover));
	ninep_free(w.fe);
	w.fe = ninep_new(&w.platform, &w.memory, stubdom_update_files(handover));
	assert_non_null(w.fe);
	files->ninep = w.fe;
}

static void test_way_back_after_the_file_was_read(void **state)
{
	struct handover *handover = (struct handover *)LAYOUT_HANDOVER;
	static struct files files;
	static struct stubdom_host host;
	static struct stubdom_update update = {.files = &files, .host = &host};
	char why[KERNEL_WHY_MAX] = "";

	(void)state;
	world_init(&w, 4);
	world_offer(&w);
	world_run(&w);
	assert_true(ninep_connected(w.fe));
	world_put_file(&w, "state_dump", STATE, sizeof(STATE));
	leave(handover);
	start(handover, &files);
	if (!setjmp(back)) {
		stubdom_update_restore(&update, handover);
		fail_msg("the state was understood");
	}
	assert_string_equal(place, STATE);
	memset(place, 0, sizeof(place));
	start(handover, &files);
	if (!update_file_read(&files, place, sizeof(place), why))
		fail_msg("the image before cannot go on: %s", why);
	assert_string_equal(place, STATE);
	world_deinit(&w);
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
static bool end_after(unsigned int most, struct stubdom_update *update,
		      const struct handover *handover)
{
	struct ninep_platform_ops ops = *w.platform.ops;

	real_ops = w.platform.ops;
	ops.wait = wait_and_end;
	w.platform.ops = &ops;
	waits = most;
	memset(place, 0, sizeof(place));
	start(handover, update->files);
	if (!setjmp(back))
		stubdom_update_restore(update, handover);
	w.platform.ops = real_ops;
	return !strcmp(place, STATE);
}

static void test_way_back_while_the_file_is_read(void **state)
{
	struct handover *handover = (struct handover *)LAYOUT_HANDOVER;
	static struct files files;
	static struct stubdom_host host;
	static struct stubdom_update update = {.files = &files, .host = &host};
	unsigned int most = 0;
	bool over;

	(void)state;
	do {
		char why[KERNEL_WHY_MAX] = "";

		world_init(&w, 4);
		world_offer(&w);
		world_run(&w);
		world_put_file(&w, "state_dump", STATE, sizeof(STATE));
		leave(handover);
		over = end_after(most++, &update, handover);
		memset(place, 0, sizeof(place));
		start(handover, &files);
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
