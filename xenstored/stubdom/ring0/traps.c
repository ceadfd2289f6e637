/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exceptions, which all mean that the program is wrong, and the two other ways in.
 *
 * Without a table a fault would stop the domain without a word. The handlers run
 * on a stack of their own, so that a stack that has run over is reported too.
 */
#include <stdarg.h>

#include "stubdom/layout.h"
#include "stubdom/ring0/console.h"
#include "stubdom/ring0/events.h"
#include "stubdom/ring0/hypercall.h"
#include "stubdom/ring0/kexec.h"
#include "stubdom/ring0/processor.h"
#include "stubdom/ring0/ring0.h"
#include "stubdom/ring0/ticks.h"
#include "stubdom/ring0/watch.h"

#include <xen/sched.h>

#define EXCEPTIONS	32u
#define EXCEPTION_ENTRY 16u /* bytes of code for each */

#define SELECTOR_CODE  8u
#define SELECTOR_STATE 24u
#define GATE_INTERRUPT 0x8e00u
/* Stacks, numbers in the task state's list. */
#define EXCEPTION_STACK 1u
#define UPCALL_STACK	2u
#define TICK_STACK	3u
#define STATE_PRESENT	0x89u

#define FLAGS_CLEARED 0x40500u /* alignment check, direction, trap; interrupts stay as they are */

#define TOP(stack) ((uintptr_t)(stack) + sizeof(stack))

struct gate {
	uint16_t low, selector, flags, middle;
	uint32_t high, zero;
};

struct task_state {
	uint32_t reserved;
	uint64_t stack[3], reserved1, interrupt_stack[7], reserved2;
	uint16_t reserved3, io_map;
} __attribute__((packed));

struct table_pointer {
	uint16_t limit;
	uint64_t address;
} __attribute__((packed));

/* As entry.S leaves it on the stack. */
struct frame {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t vector, error;
	uint64_t rip, cs, flags, rsp, ss;
};

extern uint64_t gdt[];
extern const char exception_entries[], upcall_entry[], tick_entry[], system_call_entry[];
extern const char __executable_start[], etext[];
_Noreturn void exception(const struct frame *frame);
void tick(const struct frame *frame);

static struct gate gates[TICKS_VECTOR + 1] __attribute__((aligned(16)));
static struct task_state task_state;
static uint8_t exception_stack[8192] __attribute__((aligned(16)));
/*
 * What is interrupted may keep data below its stack pointer; and an upcall may come where it should
 * not (entry.S).
 */
static uint8_t upcall_stack[512] __attribute__((aligned(16)));
static uint8_t tick_stack[8192] __attribute__((aligned(16)));

static void set_gate(unsigned int vector, const char *entry, unsigned int stack)
{
	uintptr_t address = (uintptr_t)entry;

	gates[vector] = (struct gate){
		.low = (uint16_t)address,
		.selector = SELECTOR_CODE,
		.flags = (uint16_t)(GATE_INTERRUPT | stack),
		.middle = (uint16_t)(address >> 16),
		.high = (uint32_t)(address >> 32),
	};
}

void traps_init(void)
{
	struct table_pointer pointer = {sizeof(gates) - 1, (uintptr_t)gates};
	uintptr_t state = (uintptr_t)&task_state;

	for (unsigned int i = 0; i < EXCEPTIONS; i++)
		set_gate(i, exception_entries + (size_t)i * EXCEPTION_ENTRY, EXCEPTION_STACK);
	set_gate(EVENTS_VECTOR, upcall_entry, UPCALL_STACK);
	set_gate(TICKS_VECTOR, tick_entry, TICK_STACK);
	__asm__ volatile("lidt %0" : : "m"(pointer));

	task_state.interrupt_stack[EXCEPTION_STACK - 1] = TOP(exception_stack);
	task_state.interrupt_stack[UPCALL_STACK - 1] = TOP(upcall_stack);
	task_state.interrupt_stack[TICK_STACK - 1] = TOP(tick_stack);
	task_state.io_map = sizeof(task_state);
	gdt[SELECTOR_STATE / 8] = (sizeof(task_state) - 1) | (state & 0xffffff) << 16 |
				  (uint64_t)STATE_PRESENT << 40 | (state >> 24 & 0xff) << 56;
	gdt[SELECTOR_STATE / 8 + 1] = state >> 32;
	__asm__ volatile("ltr %w0" : : "r"(SELECTOR_STATE));

	/* Both segments of ring 0: whoever makes a system call is there already. */
	write_msr(MSR_STAR, (uint64_t)SELECTOR_CODE << 32);
	write_msr(MSR_LSTAR, (uintptr_t)system_call_entry);
	write_msr(MSR_SFMASK, FLAGS_CLEARED);
}

_Noreturn void ring0_shutdown(unsigned int reason)
{
	struct sched_shutdown shutdown = {.reason = reason};

	kexec_go_back("The new image ended before it served; its messages say why.");
	for (;;)
		hypercall_op(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &shutdown);
}

/* ---- a very small printf ---- */

static void put_text(const char *text)
{
	size_t len = 0;

	while (text[len])
		len++;
	console_write(text, len);
}

static void put_number(uint64_t value, unsigned int base)
{
	char digits[24];
	size_t at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	console_write(digits + at, sizeof(digits) - at);
}

/* Knows %s, %u, %x, %d without a sign, and "l" before them. */
static void print(const char *format, va_list args)
{
	for (; *format; format++) {
		bool is_long = false;

		if (*format != '%') {
			console_write(format, 1);
			continue;
		}
		if (*++format == 'l') {
			is_long = true;
			format++;
		}
		if (*format == 's') {
			put_text(va_arg(args, const char *));
		} else {
			uint64_t value = is_long ? va_arg(args, uint64_t)
						 : va_arg(args, unsigned int);

			put_number(value, *format == 'x' ? 16 : 10);
		}
	}
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print(format, args);
	va_end(args);
}

_Noreturn void ring0_panic(const char *format, ...)
{
	va_list args;

	put_text("xenstored: PANIC: ");
	va_start(args, format);
	print(format, args);
	va_end(args);
	put_text("\n");
	ring0_shutdown(SHUTDOWN_crash);
}

/* What looks like return addresses on the stack, as far as that is memory of the stack's kind. */
static void say_callers(uint64_t rsp)
{
	unsigned int said = 0;

	rsp &= ~7ull;
	if (rsp < LAYOUT_STACK || rsp >= LAYOUT_STACK_END)
		return;
	put_text("callers, perhaps:");
	for (; rsp < LAYOUT_STACK_END && said < 16; rsp += 8) {
		uint64_t value = *(const uint64_t *)rsp;

		if (value < (uintptr_t)__executable_start || value >= (uintptr_t)etext)
			continue;
		say(" %lx", value);
		said++;
	}
	put_text("\n");
}

_Noreturn void exception(const struct frame *frame)
{
	static bool again;
	uint64_t address;

	if (again)
		ring0_shutdown(SHUTDOWN_crash);
	again = true;
	__asm__ volatile("mov %%cr2, %0" : "=r"(address));
	say("xenstored: exception %lu, error %lx, at %lx, address %lx, flags %lx\n", frame->vector,
	    frame->error, frame->rip, address, frame->flags);
	say("rax %lx rbx %lx rcx %lx rdx %lx rsi %lx rdi %lx rbp %lx rsp %lx\n", frame->rax,
	    frame->rbx, frame->rcx, frame->rdx, frame->rsi, frame->rdi, frame->rbp, frame->rsp);
	say("r8 %lx r9 %lx r10 %lx r11 %lx r12 %lx r13 %lx r14 %lx r15 %lx\n", frame->r8, frame->r9,
	    frame->r10, frame->r11, frame->r12, frame->r13, frame->r14, frame->r15);
	say_callers(frame->rsp);
	ring0_panic("exception");
}

/* An image that is watched has no more time: say where it is, and leave it. */
void tick(const struct frame *frame)
{
	const char *why = watch_tick();

	if (!why)
		return;
	say("xenstored: PANIC: %s It is at %lx.\n", why, frame->rip);
	say_callers(frame->rsp);
	kexec_go_back(why);
}
