/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nobody sleeps for ever: a guest in a thread of its own, which really waits when it has nothing
 * to do, and a core that looks at the ring for an event only.
 *
 * The guest writes its requests in small pieces and reads replies that fill the
 * ring. Each side leaves out notifications where the other one has to be awake;
 * one that is missing stops both.
 *
 * FUZZ_SECONDS= how long; SEED= of the guest's whims; COUNT= how many times the
 * usual time.
 */
#define FUZZ_SECONDS_USUAL 1

#include "ring-world.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#define PATIENCE_MS	30000 /* for a thread that would have to be lost to need it */
#define STREAM_REQUESTS 2000u
#define STREAM_FLIGHT	16u
#define STREAM_VALUE	1900u

static unsigned long streamed;

/* A guest in a thread of its own, which sleeps when it has nothing to do. */
struct stream {
	struct guest_end *end;
	int daemon; /* eventfd that wakes the daemon */
	uint64_t seed;
	atomic_bool done;
	const char *trouble;
};

static void wake(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		abort();
}

/* Waits for an event; false when none comes. */
static bool sleep_on(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	uint64_t events;

	return poll(&wait, 1, PATIENCE_MS) == 1 && read(fd, &events, sizeof(events)) > 0;
}

/* Takes whole replies out of what came; false when one is wrong. */
static bool count_replies(struct bytes *in, uint32_t *replies)
{
	while (is_whole(in)) {
		struct wire_header header;
		size_t len;

		memcpy(&header, in->data, sizeof(header));
		len = sizeof(header) + header.len;
		if (header.type != XS_READ || header.req_id != *replies ||
		    header.len != STREAM_VALUE)
			return false;
		++*replies;
		memmove(in->data, in->data + len, in->len - len);
		in->len -= len;
	}
	return true;
}

static void *stream_guest(void *data)
{
	static const char path[] = "data/big";
	struct stream *stream = data;
	struct ring_page *page = stream->end->page;
	struct dice dice = {stream->seed};
	struct bytes out = {0}, in = {0};
	uint32_t asked = 0, replies = 0;
	size_t sent = 0;

	while (replies < STREAM_REQUESTS && !stream->trouble) {
		struct wire_header header = {.type = XS_READ, .req_id = asked, .len = sizeof(path)};
		uint32_t cons = page->rsp_cons;
		size_t before = sent, piece;

		if (sent == out.len && asked < STREAM_REQUESTS && asked - replies < STREAM_FLIGHT) {
			bytes_forget(&out);
			before = sent = 0;
			bytes_add(&out, &header, sizeof(header));
			bytes_add(&out, path, sizeof(path));
			asked++;
		}
		/* In small pieces: whatever comes while the daemon looks at the page counts. */
		piece = out.len - sent < 4 ? out.len : sent + 1 + dice_roll(&dice, 4);
		if (ring_put(page, out.data, piece, &sent))
			wake(stream->daemon);
		if (ring_take(page, &in, 1 + dice_roll(&dice, RING_SIZE)))
			wake(stream->daemon);
		if (!count_replies(&in, &replies))
			stream->trouble = "a wrong reply";
		else if (sent == before && cons == page->rsp_cons && !sleep_on(stream->end->wake))
			stream->trouble = "the guest is not told that there is something to do";
	}
	bytes_forget(&out);
	bytes_forget(&in);
	atomic_store(&stream->done, true);
	wake(stream->daemon);
	return NULL;
}

static void stream_once(uint64_t seed)
{
	struct fuzz fuzz = {0};
	struct stream stream = {.end = &fuzz.end[1], .seed = seed};
	char value[STREAM_VALUE + 1];
	pthread_t thread;

	start(&fuzz);
	memset(value, 'v', STREAM_VALUE);
	value[STREAM_VALUE] = 0;
	ok(peer_write(fuzz.harness->dom0, 0, "/local/domain/1/data/big", value));
	stream.daemon = eventfd(0, EFD_CLOEXEC);
	stream.end->wake = eventfd(0, EFD_CLOEXEC);
	if (stream.daemon < 0 || stream.end->wake < 0 ||
	    pthread_create(&thread, NULL, stream_guest, &stream))
		abort();
	while (!atomic_load(&stream.done)) {
		/* Like the daemon: nothing is looked at but for an event. */
		if (!sleep_on(stream.daemon))
			fail_msg("the daemon sleeps, and the guest takes it to be awake");
		fire(stream.end);
		harness_run_untold(fuzz.harness);
	}
	pthread_join(thread, NULL);
	if (stream.trouble)
		fail_msg("%s", stream.trouble);
	close(stream.daemon);
	close(stream.end->wake);
	stream.end->wake = -1;
	finish(&fuzz);
	streamed += STREAM_REQUESTS;
}

static void test_nobody_sleeps_for_ever(void **state)
{
	time_t end = time(NULL) + (time_t)(seconds());
	uint64_t seed = first_seed();

	(void)state;
	do
		stream_once(seed++);
	while (time(NULL) < end);
	print_message("ring sleep: seed %llu, %lu requests of a guest that sleeps\n",
		      (unsigned long long)first_seed(), streamed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_nobody_sleeps_for_ever)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
