/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Both interfaces of the hypervisor to event channels. */
#include "stubdom/ring0/events.h"

#include <errno.h>
#include <string.h>

#include "stubdom/layout.h"
#include "stubdom/ring0/hypercall.h"
#include "stubdom/ring0/state.h"

#include <xen/event_channel.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/vcpu.h>

#define CALLBACK_VECTOR (2ull << 56) /* kind of HVM_PARAM_CALLBACK_IRQ */

#define WORDS_PER_PAGE (LAYOUT_PAGE / sizeof(event_word_t))
#define PENDING	       (1u << EVTCHN_FIFO_PENDING)
#define MASKED	       (1u << EVTCHN_FIFO_MASKED)
#define LINKED	       (1u << EVTCHN_FIFO_LINKED)

/* Where each queue goes on; 0: it was empty, its head is in the control block. */
static uint32_t queue_head[EVTCHN_FIFO_MAX_QUEUES];

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

	words = __atomic_exchange_n(&shared->vcpu_info[0].evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
	while (words) {
		unsigned int word = (unsigned int)__builtin_ctzl(words);
		xen_ulong_t bits = __atomic_load_n(&shared->evtchn_pending[word],
						   __ATOMIC_SEQ_CST) &
				   ~shared->evtchn_mask[word];

		words &= words - 1;
		__atomic_fetch_and(&shared->evtchn_pending[word], ~bits, __ATOMIC_SEQ_CST);
		for (; bits; bits &= bits - 1)
			deliver(taker, word * 64 + (unsigned int)__builtin_ctzl(bits));
	}
}

/* Take the first port of a queue off. Returns whether there are more. */
static bool take_first(unsigned int queue, const struct taker *taker)
{
	uint32_t port = queue_head[queue];
	event_word_t old, *word;

	if (!port)
		port = __atomic_load_n(&control_block()->head[queue], __ATOMIC_ACQUIRE);
	if (!port || port >= ring0_state()->fifo_pages * WORDS_PER_PAGE)
		return false;
	word = event_word(port);
	old = __atomic_load_n(word, __ATOMIC_SEQ_CST);
	while (!__atomic_compare_exchange_n(word, &old,
					    old & ~(LINKED | (event_word_t)EVTCHN_FIFO_LINK_MASK),
					    false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	queue_head[queue] = old & EVTCHN_FIFO_LINK_MASK;
	old = __atomic_load_n(word, __ATOMIC_SEQ_CST);
	if ((old & PENDING) && !(old & MASKED)) {
		__atomic_fetch_and(word, ~PENDING, __ATOMIC_SEQ_CST);
		deliver(taker, port);
	}
	return queue_head[queue] != 0;
}

static void collect_fifo(const struct taker *taker)
{
	struct evtchn_fifo_control_block *control = control_block();
	uint32_t ready;

	while ((ready = __atomic_exchange_n(&control->ready, 0, __ATOMIC_SEQ_CST))) {
		/* The lowest number has the highest priority. */
		for (; ready; ready &= ready - 1) {
			unsigned int queue = (unsigned int)__builtin_ctz(ready);

			if (queue >= EVTCHN_FIFO_MAX_QUEUES)
				break;
			while (take_first(queue, taker))
				;
		}
	}
}

void events_collect(void (*fired)(void *data, uint32_t port), void *data)
{
	struct taker taker = {.fired = fired, .data = data};

	/* First of all, so that the next event makes a new upcall. */
	__atomic_store_n(&shared_info()->vcpu_info[0].evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
	if (ring0_state()->event_abi == EVENTS_FIFO)
		collect_fifo(&taker);
	else
		collect_2level(&taker);
}

/* ---- sleeping ---- */

void events_wait(uint64_t deadline)
{
	struct vcpu_set_singleshot_timer timer = {
		.timeout_abs_ns = deadline,
		.flags = VCPU_SSHOTTMR_future,
	};

	/* A deadline that has passed is refused. */
	if (deadline != EVENTS_NEVER &&
	    hypercall(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0, (uintptr_t)&timer))
		return;
	events_sleep();
}
