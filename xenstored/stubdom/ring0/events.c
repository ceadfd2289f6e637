/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Both interfaces of the hypervisor to event channels. */
#include "stubdom/ring0/events.h"

#include <errno.h>
#include <string.h>

#include "stubdom/layout.h"
#include "stubdom/ring0/clock.h"
#include "stubdom/ring0/hypercall.h"
#include "stubdom/ring0/state.h"

#include <xen/event_channel.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

#define CALLBACK_VECTOR (2ull << 56) /* kind of HVM_PARAM_CALLBACK_IRQ */

/* More than two happen only when domains signal without end. */
#define STRANDED_PASSES 16u

/* How long an event may be overlooked while it is quiet. */
#define QUIET_NS 10000000u

#define WORDS_PER_PAGE (LAYOUT_PAGE / sizeof(event_word_t))
#define PENDING	       (1u << EVTCHN_FIFO_PENDING)
#define MASKED	       (1u << EVTCHN_FIFO_MASKED)
#define LINKED	       (1u << EVTCHN_FIFO_LINKED)

#define ALL_QUEUES ((1u << EVTCHN_FIFO_MAX_QUEUES) - 1)
#define ALL_WORDS  (~(xen_ulong_t)0)

/* Where each queue goes on; 0: it was empty, its head is in the control block. */
static uint32_t queue_head[EVTCHN_FIFO_MAX_QUEUES];
static uint32_t ready; /* queues that were not taken to their end yet */

/* An image before this one may have ended while it took events. */
static bool adopted;

/*
 * The hypervisor tells of an event when it sets a bit that says which queue (or which word) has
 * some. As long as all of them are set, it tells of none.
 */
static bool quiet;

volatile bool events_came;

static struct shared_info *shared_info(void)
{
	return (struct shared_info *)(uintptr_t)LAYOUT_SHARED_INFO;
}

static struct evtchn_fifo_control_block *control_block(void)
{
	return (struct evtchn_fifo_control_block *)(uintptr_t)LAYOUT_FIFO_CONTROL;
}

static event_word_t *event_word(uint32_t port)
{
	return (event_word_t *)(uintptr_t)LAYOUT_FIFO_ARRAY + port;
}

static int event_op(unsigned int op, void *argument)
{
	return (int)hypercall_op(__HYPERVISOR_event_channel_op, op, argument);
}

unsigned int events_abi(void)
{
	return ring0_state()->event_abi;
}

/* ---- which interface, and its pages ---- */

/* Have words for the ports up to @port. */
static int expand(uint32_t port)
{
	struct ring0_state *state = ring0_state();
	uint32_t pages = port / (uint32_t)WORDS_PER_PAGE + 1;

	if (state->event_abi != EVENTS_FIFO)
		return 0;
	if (pages > LAYOUT_FIFO_ARRAY_PAGES)
		return -ENOSPC;
	while (state->fifo_pages < pages) {
		uintptr_t page = LAYOUT_FIFO_ARRAY + (uintptr_t)state->fifo_pages * LAYOUT_PAGE;
		struct evtchn_expand_array array = {.array_gfn = page >> LAYOUT_PAGE_SHIFT};
		int error;

		memset((void *)page, 0, LAYOUT_PAGE);
		error = event_op(EVTCHNOP_expand_array, &array);
		if (error)
			return error;
		state->fifo_pages++;
	}
	return 0;
}

static int choose_abi(void)
{
	struct evtchn_init_control init = {
		.control_gfn = LAYOUT_FIFO_CONTROL >> LAYOUT_PAGE_SHIFT,
	};
	struct ring0_state *state = ring0_state();

	if (state->event_abi)
		return 0; /* by an earlier image; there is no way back */
	memset(control_block(), 0, LAYOUT_PAGE);
	if (!event_op(EVTCHNOP_init_control, &init)) {
		state->event_abi = EVENTS_FIFO;
		return expand(0);
	}
	state->event_abi = EVENTS_2LEVEL;
	memset(shared_info()->evtchn_mask, 0xff, sizeof(shared_info()->evtchn_mask));
	return 0;
}

int events_init(void)
{
	struct xen_hvm_param callback = {
		.domid = DOMID_SELF,
		.index = HVM_PARAM_CALLBACK_IRQ,
		.value = CALLBACK_VECTOR | EVENTS_VECTOR,
	};
	struct ring0_state *state = ring0_state();
	int error = choose_abi();

	memset(queue_head, 0, sizeof(queue_head));
	ready = 0;
	adopted = ring0_updated;
	if (!error)
		error = (int)hypercall_op(__HYPERVISOR_hvm_op, HVMOP_set_param, &callback);
	if (!error && !state->timer_port) {
		int port = events_bind_virq(VIRQ_TIMER);

		error = port < 0 ? port : 0;
		state->timer_port = port < 0 ? 0 : (uint32_t)port;
	}
	return error;
}

/* ---- ports ---- */

int events_adopt(uint32_t port)
{
	struct evtchn_unmask unmask = {.port = port};
	int error = expand(port);

	return error ? error : event_op(EVTCHNOP_unmask, &unmask);
}

/* A port is new: give it a word, and let it be heard. */
static int open_port(uint32_t port)
{
	int error = events_adopt(port);

	if (error) {
		events_close(port);
		return error;
	}
	return (int)port;
}

int events_bind(unsigned int domid, uint32_t remote_port)
{
	struct evtchn_bind_interdomain bind = {
		.remote_dom = (domid_t)domid,
		.remote_port = remote_port,
	};
	int error = event_op(EVTCHNOP_bind_interdomain, &bind);

	return error ? error : open_port(bind.local_port);
}

int events_bind_virq(unsigned int virq)
{
	struct evtchn_bind_virq bind = {.virq = virq};
	int error = event_op(EVTCHNOP_bind_virq, &bind), port;

	if (error != -EEXIST)
		return error ? error : open_port(bind.port);
	/* A program that was here before has left it. */
	port = events_find_virq(virq);
	return port < 0 ? port : open_port((uint32_t)port);
}

int events_alloc(unsigned int domid)
{
	struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = (domid_t)domid};
	int error = event_op(EVTCHNOP_alloc_unbound, &alloc);

	return error ? error : open_port(alloc.port);
}

int events_close(uint32_t port)
{
	struct evtchn_close close = {.port = port};

	return event_op(EVTCHNOP_close, &close);
}

void events_notify(uint32_t port)
{
	struct evtchn_send send = {.port = port};

	if (port)
		event_op(EVTCHNOP_send, &send);
}

/* ---- taking events ---- */

struct taker {
	void (*fired)(void *data, uint32_t port);
	void *data;
};

static void deliver(const struct taker *taker, uint32_t port)
{
	/* The timer has done its work by ending the sleep. */
	if (port != ring0_state()->timer_port)
		taker->fired(taker->data, port);
}

static void collect_2level(const struct taker *taker)
{
	struct shared_info *shared = shared_info();
	xen_ulong_t words;

	words = __atomic_exchange_n(&shared->vcpu_info[0].evtchn_pending_sel, quiet ? ALL_WORDS : 0,
				    __ATOMIC_SEQ_CST);
	if (adopted)
		words = ALL_WORDS;
	while (words) {
		unsigned int word = (unsigned int)__builtin_ctzl(words);
		xen_ulong_t bits = __atomic_load_n(&shared->evtchn_pending[word],
						   __ATOMIC_SEQ_CST) &
				   ~shared->evtchn_mask[word];

		words &= words - 1;
		for (; bits; bits &= bits - 1) {
			__atomic_fetch_and(&shared->evtchn_pending[word], ~(bits & -bits),
					   __ATOMIC_SEQ_CST);
			deliver(taker, word * 64 + (unsigned int)__builtin_ctzl(bits));
		}
	}
}

static uint32_t fifo_ports(void)
{
	return ring0_state()->fifo_pages * (uint32_t)WORDS_PER_PAGE;
}

/* Take a port off its queue; @next: the one that follows it, or 0, before anybody is called. */
static void take_off(uint32_t port, uint32_t *next, const struct taker *taker)
{
	event_word_t old, *word = event_word(port);

	old = __atomic_load_n(word, __ATOMIC_SEQ_CST);
	while (!__atomic_compare_exchange_n(word, &old,
					    old & ~(LINKED | (event_word_t)EVTCHN_FIFO_LINK_MASK),
					    false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	*next = old & EVTCHN_FIFO_LINK_MASK;
	old = __atomic_load_n(word, __ATOMIC_SEQ_CST);
	if ((old & PENDING) && !(old & MASKED)) {
		__atomic_fetch_and(word, ~PENDING, __ATOMIC_SEQ_CST);
		deliver(taker, port);
	}
}

/* Take the first port of a queue off. Returns whether there are more. */
static bool take_first(unsigned int queue, const struct taker *taker)
{
	uint32_t port = queue_head[queue];

	if (!port)
		port = __atomic_load_n(&control_block()->head[queue], __ATOMIC_ACQUIRE);
	queue_head[queue] = 0;
	if (port && port < fifo_ports())
		take_off(port, &queue_head[queue], taker);
	return queue_head[queue] != 0;
}

/*
 * Domains that signal without end must not keep us here: it is enough for each port to have its
 * turn. What is left then is taken the next time, before there is any sleep.
 */
static void collect_fifo(const struct taker *taker)
{
	struct evtchn_fifo_control_block *control = control_block();

	if (quiet)
		ready = ALL_QUEUES;
	for (uint32_t left = fifo_ports(); left; left--) {
		unsigned int queue;

		if (!ready && !quiet)
			ready = __atomic_exchange_n(&control->ready, 0, __ATOMIC_SEQ_CST) &
				ALL_QUEUES;
		if (!ready)
			return;
		/* The lowest number has the highest priority. */
		queue = (unsigned int)__builtin_ctz(ready);
		if (!take_first(queue, taker))
			ready &= ~(1u << queue);
	}
	events_came = true;
}

static bool is_linked(uint32_t port)
{
	return __atomic_load_n(event_word(port), __ATOMIC_SEQ_CST) & LINKED;
}

/* Whether all queues were taken to their ends, as far as the hypervisor has told. */
static bool queues_are_empty(void)
{
	return !ready && !__atomic_load_n(&control_block()->ready, __ATOMIC_SEQ_CST);
}

/*
 * The first part of a queue was taken off by an image that could not finish: where it goes on only
 * that image knew. Its ports are linked, so that the hypervisor does not put them on a queue again,
 * and goes on behind the last one without a word. They are found by being linked while no queue
 * has anything. A port that is just being linked may look the same, and does no harm: what is taken
 * off early is not on the queue any more, and what comes behind it is taken too. What might be cut
 * off by that, because it was linked at the same moment, is found by looking once more.
 */
static void collect_stranded(const struct taker *taker)
{
	bool found = true;

	for (unsigned int pass = 0; found && pass < STRANDED_PASSES; pass++) {
		found = false;
		for (uint32_t port = 1; port < fifo_ports(); port++) {
			uint32_t next = port;

			if (!is_linked(port))
				continue;
			collect_fifo(taker);
			if (!queues_are_empty() || !is_linked(port))
				continue;
			found = true;
			while (next && next < fifo_ports())
				take_off(next, &next, taker);
		}
	}
}

void events_collect(void (*fired)(void *data, uint32_t port), void *data)
{
	struct taker taker = {.fired = fired, .data = data};

	/* First of all, so that the next event makes a new upcall, and ends the sleep. */
	events_came = false;
	__atomic_store_n(&shared_info()->vcpu_info[0].evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
	if (ring0_state()->event_abi == EVENTS_2LEVEL)
		collect_2level(&taker);
	else if (adopted && !quiet)
		collect_stranded(&taker);
	adopted = adopted && quiet;
	if (ring0_state()->event_abi == EVENTS_FIFO)
		collect_fifo(&taker);
}

/* ---- sleeping ---- */

/* Whatever comes between the last look and this ends the sleep late, but soon. */
static void wait_quietly(uint64_t deadline)
{
	uint64_t soon = clock_monotonic_ns() + QUIET_NS;
	struct sched_poll poll = {.timeout = deadline < soon ? deadline : soon};

	hypercall_op(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll);
}

void events_quiet(bool on)
{
	quiet = on;
	if (!on) {
		events_came = true; /* perhaps: whoever sleeps next is to look first */
		return;
	}
	if (ring0_state()->event_abi == EVENTS_FIFO)
		__atomic_fetch_or(&control_block()->ready, ALL_QUEUES, __ATOMIC_SEQ_CST);
	else
		__atomic_store_n(&shared_info()->vcpu_info[0].evtchn_pending_sel, ALL_WORDS,
				 __ATOMIC_SEQ_CST);
	__atomic_store_n(&shared_info()->vcpu_info[0].evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
}

void events_wait(uint64_t deadline)
{
	struct vcpu_set_singleshot_timer timer = {
		.timeout_abs_ns = deadline,
		.flags = VCPU_SSHOTTMR_future,
	};

	if (quiet) {
		wait_quietly(deadline);
		return;
	}
	/* A deadline that has passed is refused. */
	if (deadline != EVENTS_NEVER &&
	    hypercall(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0, (uintptr_t)&timer))
		return;
	events_sleep();
}
