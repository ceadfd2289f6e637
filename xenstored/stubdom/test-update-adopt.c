/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An image that another xenstored has started: with what upstream's stub domain leaves it goes on
 * with the files and the state; with anything less it ends, and says why. The front-end, the
 * back-end and the core are the real ones.
 */
#include "stubdom/update-parts.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tests/unit/harness.h"
#include "../../tests/unit/ninep-world.h"
#include "stubdom/ring0/clock.h"
#include "stubdom/ring0/events.h"
#include "stubdom/ring0/grants.h"
#include "stubdom/ring0/memory.h"
#include "stubdom/ring0/ring0.h"
#include "stubdom/ring0/state.h"
#include "stubdom/update/kexec-module.h"

#define NODE "/left/behind"

static struct ninep_world w;
static unsigned char *pages; /* of the module */
static bool ungranted;
static unsigned int taken_over;

/* ---- the domain around it ---- */

struct memory ring0_memory;
struct ring0 ring0;

uint64_t clock_monotonic_ns(void)
{
	return w.now * 1000000u;
}

void stubdom_host_stand(struct stubdom_host *host, bool still)
{
	(void)host;
	(void)still;
}

size_t memory_shrink(struct memory *memory)
{
	(void)memory;
	return 0;
}

int events_take_over(void)
{
	taken_over++;
	return 0;
}

bool grants_find(uint32_t ref, unsigned int *domid, uint64_t *address)
{
	if (ungranted || ref >= 32 || !w.grants[ref].page)
		return false;
	*domid = w.grants[ref].domid;
	*address = (uintptr_t)w.grants[ref].page;
	return true;
}

char *update_memory_get(size_t size, char *why)
{
	(void)why;
	return malloc(size);
}

void update_memory_give_back(char **at, size_t size)
{
	(void)size;
	free(*at);
	*at = NULL;
}

int update_state_save(void *data, int (*put)(void *, const void *, size_t), void *sink)
{
	(void)data;
	(void)put;
	(void)sink;
	return EINVAL;
}

/* update-state.c has more than its process here. */
bool update_state_check(const void *state, size_t size, char *why)
{
	snprintf(why, KERNEL_WHY_MAX, "The state cannot be read back");
	return size > 8 && !memcmp(state, "xenstore", 8);
}

/* ---- what the other xenstored leaves ---- */

static int no_ring(void *data, unsigned int domid, uint32_t port, struct transport **transport)
{
	(void)data;
	(void)domid;
	(void)port;
	(void)transport;
	return -ENOENT;
}

static struct client *no_socket(void *data, int fd)
{
	(void)data;
	(void)fd;
	return NULL;
}

static void leave_state(void)
{
	struct image_process process = {.listen_fd = -1, .evtchn_fd = -1};
	struct image_requester requester = {0};
	struct stream_buffer image = {0};
	struct harness *h = harness_new();
	struct stream_writer writer;

	assert_int_equal(peer_write(h->dom0, 0, NODE, "value"), 0);
	assert_int_equal(stream_writer_init(&writer, stream_dialect_find("4.22"), 0,
					    stream_buffer_put, &image),
			 0);
	assert_int_equal(image_save(h->core, &process, &requester, &writer), 0);
	world_put_file(&w, "state_dump", image.data, image.len);
	stream_buffer_deinit(&image);
	harness_free(h);
}

static void leave_module(void)
{
	struct kexec_module_files files;
	struct ninep_saved saved;

	ninep_save(w.fe, &saved);
	files = (struct kexec_module_files){.ring_ref = saved.refs[0],
					    .port = saved.port,
					    .out_prod = saved.out_prod,
					    .in_cons = saved.in_cons};
	kexec_module_write(pages + KEXEC_MODULE_SIZE - LAYOUT_PAGE, &files);
	ring0.module_count = 2;
	ring0.module[0] = (struct ring0_module){(uintptr_t)pages, 100, "something else"};
	ring0.module[1] = (struct ring0_module){(uintptr_t)pages, KEXEC_MODULE_SIZE, ""};
}

/* A device on the pages of a module, and all that goes with it. */
static int setup(void **state)
{
	(void)state;
	world_init(&w, LAYOUT_FILES_ORDER);
	free(w.memory.interface);
	free(w.memory.data);
	pages = aligned_alloc(LAYOUT_PAGE, KEXEC_MODULE_SIZE);
	assert_non_null(pages);
	memset(pages, 0, KEXEC_MODULE_SIZE);
	w.memory.interface = pages;
	w.memory.data = pages + LAYOUT_PAGE;
	ninep_free(w.fe);
	w.fe = ninep_new(&w.platform, &w.memory, NULL);
	assert_non_null(w.fe);
	world_offer(&w);
	world_run(&w);
	assert_true(ninep_connected(w.fe));
	/* A file that is open, as upstream's log is. */
	ninep_append_open(w.fe, NINEP_LOG, "log");
	ninep_append(w.fe, NINEP_LOG, "line\n", 5);
	assert_int_equal(ninep_flush(w.fe, w.now + 1000), 0);
	memset(ring0_state(), 0, sizeof(*ring0_state()));
	ring0_memory.end = UINTPTR_MAX;
	ungranted = false;
	taken_over = 0;
	leave_state();
	leave_module();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	w.memory.data = NULL;
	world_deinit(&w);
	return 0;
}

/* ---- tests ---- */

/* As main() does. Returns the core; what is fatal ends the process. */
static void start(struct harness *h)
{
	static struct files files;
	static struct stubdom_host host;
	struct stubdom_update update = {.core = h->core, .files = &files, .host = &host};

	ninep_free(w.fe);
	w.fe = ninep_new(&w.platform, &w.memory, stubdom_update_adopt_files());
	assert_non_null(w.fe);
	files.ninep = w.fe;
	update.process = (struct image_process){.listen_fd = -1,
						.evtchn_fd = -1,
						.has_own_ring = true,
						.adopt_ring = no_ring,
						.adopt_socket = no_socket};
	stubdom_update_adopt(&update);
}

static void test_takes_over(void **state)
{
	struct harness *h = harness_new();
	uint32_t port = ninep_port(w.fe);

	(void)state;
	start(h);
	assert_int_equal(taken_over, 1);
	assert_int_equal(ring0_state()->files_pages, (uintptr_t)pages);
	assert_non_null(tree_find(&h->core->state.live, NODE, strlen(NODE)));
	/* The device is the same one, and the file is not needed any more. */
	assert_int_equal(ninep_port(w.fe), port);
	ninep_append_open(w.fe, NINEP_LOG, "log");
	ninep_append(w.fe, NINEP_LOG, "another\n", 8);
	w.writes = 0;
	world_run(&w);
	assert_int_equal(w.writes, 0);
	assert_string_equal(world_file(&w, "log", NULL), "line\nanother\n");
	assert_null(world_file(&w, "state_dump", NULL));
	harness_free(h);
}

/* Another start, in a process of its own: it must end, and say this. */
static void expect_end(const char *text)
{
	char said[4096] = "";
	int ends[2], status;
	ssize_t got;
	pid_t child;

	fflush(NULL);
	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (!child) {
		struct harness *h = harness_new();

		dup2(ends[1], STDERR_FILENO);
		dup2(ends[1], STDOUT_FILENO);
		start(h);
		_exit(0);
	}
	close(ends[1]);
	for (size_t used = 0; (got = read(ends[0], said + used, sizeof(said) - 1 - used)) > 0;)
		used += (size_t)got;
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	if (!strstr(said, text))
		fail_msg("it did not say \"%s\": %s", text, said);
}

static void test_nothing_is_left(void **state)
{
	(void)state;
	ring0.module_count = 1;
	expect_end("left nothing to take over");
	ring0.module_count = 0;
	expect_end("left nothing to take over");
	/* A module outside of the memory is not looked at. */
	leave_module();
	ring0_memory.end = (uintptr_t)pages + LAYOUT_PAGE;
	expect_end("left nothing to take over");
}

static void test_module_that_contradicts_the_grant_table(void **state)
{
	(void)state;
	ungranted = true;
	expect_end("its interface page is not granted");
	ungranted = false;
	pages[KEXEC_MODULE_SIZE - LAYOUT_PAGE + 8]++;
	expect_end("its size is another one");
}

static void test_state_that_is_none(void **state)
{
	char nothing[100] = "";

	(void)state;
	world_put_file(&w, "state_dump", nothing, sizeof(nothing));
	expect_end("The state cannot be read back");
	world_put_file(&w, "state_dump", nothing, 0);
	expect_end("file state_dump");
	memcpy(nothing, "xenstore", 8);
	world_put_file(&w, "state_dump", nothing, sizeof(nothing));
	expect_end("the state cannot be restored");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_takes_over, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_is_left, setup, teardown),
		cmocka_unit_test_setup_teardown(test_module_that_contradicts_the_grant_table, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_state_that_is_none, setup, teardown),
	};
	void *low = mmap((void *)LAYOUT_HANDOVER, LAYOUT_RESERVED_END - LAYOUT_HANDOVER,
			 PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			 -1, 0);

	if (low != (void *)LAYOUT_HANDOVER) {
		perror("the place of the layer's state");
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
