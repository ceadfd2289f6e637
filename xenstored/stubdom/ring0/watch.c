/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A deadline, by the clock. */
#include "stubdom/ring0/watch.h"

#include <string.h>

#include "stubdom/ring0/clock.h"
#include "stubdom/ring0/console.h"
#include "stubdom/ring0/events.h"
#include "stubdom/ring0/kexec.h"
#include "stubdom/ring0/state.h"
#include "stubdom/ring0/ticks.h"

#define NS_PER_S 1000000000ull

#define REASON_HEAD "The new image did not serve within "
#define REASON_TAIL " seconds."
#define DIGITS	    10u

#define TICKS 8u

static uint64_t deadline; /* ns; 0: there is none */
static uint32_t seconds;

void watch_begin(void)
{
	static const char no_timer[] = "xenstored: no timer: an image that hangs goes unnoticed\n";
	const struct kexec_back *back = kexec_back();

	if (!ring0_updated || back->state != KEXEC_BACK_READY)
		return;
	seconds = back->seconds;
	if (!seconds || seconds > WATCH_SECONDS_MAX)
		seconds = WATCH_SECONDS;
	deadline = clock_monotonic_ns() + seconds * NS_PER_S;
	/* An upcall would find nobody who wants it. */
	events_quiet(true);
	/* Often enough for the deadline, and seldom enough not to be noticed by the usual image. */
	if (!ticks_start(seconds / TICKS + 1))
		console_write(no_timer, sizeof(no_timer) - 1);
}

void watch_end(void)
{
	if (!deadline)
		return;
	deadline = 0;
	ticks_stop();
	events_quiet(false);
}

static const char *reason(void)
{
	static char text[sizeof(REASON_HEAD) + DIGITS + sizeof(REASON_TAIL)];
	char digits[DIGITS], *at = text;
	unsigned int count = 0;

	memcpy(at, REASON_HEAD, sizeof(REASON_HEAD) - 1);
	at += sizeof(REASON_HEAD) - 1;
	for (uint32_t left = seconds; left; left /= 10)
		digits[count++] = (char)('0' + left % 10);
	while (count)
		*at++ = digits[--count];
	memcpy(at, REASON_TAIL, sizeof(REASON_TAIL));
	return text;
}

const char *watch_tick(void)
{
	ticks_seen();
	/* One that was on its way when the watch ended. */
	if (!deadline || clock_monotonic_ns() < deadline)
		return NULL;
	return reason();
}
