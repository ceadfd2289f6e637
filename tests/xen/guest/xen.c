/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hypercalls from 32-bit mode, event channels by polling, the console's ring. */
#include "xen.h"

#define HYPERCALL_MEMORY_OP 12u
#define HYPERCALL_SCHED_OP  29u
#define HYPERCALL_EVTCHN_OP 32u
#define HYPERCALL_HVM_OP    34u

#define XENMEM_ADD_TO_PHYSMAP 7u
#define SCHEDOP_SHUTDOWN      2u
#define SCHEDOP_POLL	      3u
#define EVTCHNOP_SEND	      4u
#define HVMOP_GET_PARAM	      1u

#define HVM_PARAM_STORE_PFN	 1u
#define HVM_PARAM_STORE_EVTCHN	 2u
#define HVM_PARAM_CONSOLE_PFN	 17u
#define HVM_PARAM_CONSOLE_EVTCHN 18u

#define DOMID_SELF	   0x7ff0u
#define START_INFO_MAGIC   0x336ec578u
#define START_INFO_CMDLINE 24u /* offset of the command line's address */

#define CONSOLE_IN  1024u
#define CONSOLE_OUT 2048u

struct console_page {
	char in[CONSOLE_IN];
	char out[CONSOLE_OUT];
	uint32_t in_cons, in_prod;
	uint32_t out_cons, out_prod;
};

/* The time when the hypervisor looked last, and how to go on from there. */
struct time_info {
	uint32_t version, pad;
	uint64_t tsc, ns;
	uint32_t mul;
	int8_t shift;
	uint8_t flags[3];
};

struct vcpu_info {
	uint8_t events[32];
	struct time_info time;
};

/* The part of the shared page that is looked at. */
struct event_bits {
	struct vcpu_info vcpu[32];
	uint32_t pending[32];
	uint32_t mask[32];
};

extern uint8_t hypercall_page[4096];
extern struct event_bits shared_info;

static volatile struct store_page *store;
static volatile struct console_page *console;
static uint32_t store_port;
static uint32_t console_port;

static int hypercall(uint32_t number, uint32_t first, void *second)
{
	int result;

	__asm__ volatile("call *%[entry]"
			 : "=a"(result), "+b"(first), "+c"(second)
			 : [entry] "r"(hypercall_page + 32 * number)
			 : "memory", "cc");
	return result;
}

/* The hypervisor fills the page with its entry points when told where it is. */
static void find_hypervisor(void)
{
	uint32_t eax = 0x40000002u, ebx, ecx = 0, edx;

	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	__asm__ volatile("wrmsr"
			 :
			 : "c"(ebx), "a"((uint32_t)(uintptr_t)hypercall_page), "d"(0)
			 : "memory");
}

static uint32_t parameter(uint32_t index)
{
	struct {
		uint16_t domid, pad;
		uint32_t index;
		uint64_t value;
	} param = {.domid = DOMID_SELF, .index = index};

	if (hypercall(HYPERCALL_HVM_OP, HVMOP_GET_PARAM, &param))
		xen_shutdown(SHUTDOWN_CRASH);
	return (uint32_t)param.value;
}

static void find_shared_pages(void)
{
	struct {
		uint16_t domid, size;
		uint32_t space, index, frame;
	} map = {.domid = DOMID_SELF, .frame = (uint32_t)(uintptr_t)&shared_info >> 12};

	find_hypervisor();
	if (hypercall(HYPERCALL_MEMORY_OP, XENMEM_ADD_TO_PHYSMAP, &map))
		xen_shutdown(SHUTDOWN_CRASH);
	store = (volatile struct store_page *)(uintptr_t)(parameter(HVM_PARAM_STORE_PFN) << 12);
	store_port = parameter(HVM_PARAM_STORE_EVTCHN);
	console = (volatile struct console_page *)(uintptr_t)(parameter(HVM_PARAM_CONSOLE_PFN)
							      << 12);
	console_port = parameter(HVM_PARAM_CONSOLE_EVTCHN);
}

const char *xen_init(const void *start_info)
{
	const uint32_t *words = start_info;

	find_shared_pages();
	if (words[0] != START_INFO_MAGIC)
		xen_shutdown(SHUTDOWN_CRASH);
	/* The upper half of this 64-bit address is 0: the guest has a few MB. */
	return (const char *)(uintptr_t)words[START_INFO_CMDLINE / sizeof(uint32_t)];
}

volatile struct store_page *xen_store(void)
{
	return store;
}

static void notify(uint32_t port)
{
	hypercall(HYPERCALL_EVTCHN_OP, EVTCHNOP_SEND, &port);
}

void xen_store_notify(void)
{
	notify(store_port);
}

static void clear(uint32_t port)
{
	__atomic_fetch_and(&shared_info.pending[port / 32], ~(1u << port % 32), __ATOMIC_SEQ_CST);
}

void xen_events_clear(void)
{
	clear(store_port);
	clear(console_port);
}

void xen_events_wait(void)
{
	uint32_t ports[2] = {store_port, console_port};
	struct {
		uint32_t *ports;
		uint32_t count;
		uint64_t timeout;
	} poll = {.ports = ports, .count = 2};

	hypercall(HYPERCALL_SCHED_OP, SCHEDOP_POLL, &poll);
}

static uint64_t time_ns(void)
{
	volatile struct time_info *time = &shared_info.vcpu[0].time;
	uint64_t ticks, ns;
	uint32_t version;

	do {
		version = time->version;
		barrier();
		ticks = __builtin_ia32_rdtsc() - time->tsc;
		ticks = time->shift < 0 ? ticks >> -time->shift : ticks << time->shift;
		ns = time->ns +
		     ((ticks >> 32) * time->mul + ((ticks & 0xffffffffu) * time->mul >> 32));
		barrier();
	} while (version & 1 || version != time->version);
	return ns;
}

void xen_sleep(unsigned int ms)
{
	uint64_t end = time_ns() + ms * 1000000ull;
	/* A port that nothing comes from: only the time ends the sleep. */
	struct {
		uint32_t *ports;
		uint32_t count;
		uint64_t timeout;
	} poll = {.ports = &console_port, .count = 1, .timeout = end};

	while (time_ns() < end) {
		clear(console_port);
		hypercall(HYPERCALL_SCHED_OP, SCHEDOP_POLL, &poll);
	}
}

_Noreturn void xen_shutdown(enum shutdown_reason reason)
{
	uint32_t number = reason;

	for (;;)
		hypercall(HYPERCALL_SCHED_OP, SCHEDOP_SHUTDOWN, &number);
}

void xen_suspend(void)
{
	uint32_t reason = SHUTDOWN_SUSPEND;

	hypercall(HYPERCALL_SCHED_OP, SCHEDOP_SHUTDOWN, &reason);
	find_shared_pages();
}

void console_write(const char *text)
{
	while (*text) {
		uint32_t prod = console->out_prod;

		while (*text && prod - console->out_cons < CONSOLE_OUT)
			console->out[prod++ % CONSOLE_OUT] = *text++;
		barrier();
		console->out_prod = prod;
		notify(console_port);
		/* Full: whoever reads the console will make room. The events of the store stay. */
		while (*text && console->out_prod - console->out_cons >= CONSOLE_OUT) {
			clear(console_port);
			if (console->out_prod - console->out_cons >= CONSOLE_OUT)
				xen_events_wait();
		}
	}
}

int console_getc(void)
{
	uint32_t cons = console->in_cons;
	int c;

	if (cons == console->in_prod)
		return -1;
	barrier();
	c = (unsigned char)console->in[cons % CONSOLE_IN];
	barrier();
	console->in_cons = cons + 1;
	notify(console_port);
	return c;
}
