/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ways into the ring-0 layer while the program runs: exceptions, the
 * hypervisor's upcall, and the syscall instruction of the C library.
 */
#include "xenstored/stubdom/layout.h"

#define SELECTOR_DATA 16

	.text

/* struct frame of traps.c, above what the processor has pushed. */
.macro push_registers
	pushq %r15
	pushq %r14
	pushq %r13
	pushq %r12
	pushq %r11
	pushq %r10
	pushq %r9
	pushq %r8
	pushq %rbp
	pushq %rdi
	pushq %rsi
	pushq %rdx
	pushq %rcx
	pushq %rbx
	pushq %rax
.endm

.macro pop_registers
	popq %rax
	popq %rbx
	popq %rcx
	popq %rdx
	popq %rsi
	popq %rdi
	popq %rbp
	popq %r8
	popq %r9
	popq %r10
	popq %r11
	popq %r12
	popq %r13
	popq %r14
	popq %r15
.endm

/* Exceptions: all lead to one function that does not return. */
.macro exception vector, has_error
	.balign 16
	.if \has_error
	nop
	nop
	.else
	pushq $0
	.endif
	pushq $\vector
	jmp exception_common
.endm

	.balign 16
	.globl exception_entries
exception_entries:
	.set vector, 0
	.rept 32
	/* Double fault, segment faults, page fault, alignment, control protection and others. */
	.if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
	exception vector, 1
	.else
	exception vector, 0
	.endif
	.set vector, vector + 1
	.endr

	.balign 16
exception_common:
	push_registers
	movq %rsp, %rdi
	andq $-16, %rsp
	cld
	call exception

/*
 * Sleep until the hypervisor has an event. Interrupts are on from "sti" to "cli" only; while the
 * watch is on, which has them on everywhere, nobody sleeps here. An upcall that has come since
 * events were collected the last time has left its mark, and there is no sleep then.
 */
	.balign 16
	.globl events_sleep
events_sleep:
	cmpb $0, events_came
	jne 1f
	movq %rsp, sleeper
	sti
	hlt
	cli
	movq $0, sleeper
1:	ret

/*
 * The hypervisor has an event; they are collected by whoever sleeps. Not saying that the upcall was
 * seen would bring it for ever.
 *
 * An upcall that is due already should come behind "sti; hlt", since the first of the two takes
 * effect after the second, and it should come once. That is not so everywhere: a hypervisor below
 * ours, or an emulator, may forget between the two that it was to wait for the second, and may
 * let it come twice, where interrupts are off, even before the first instruction here. So nothing
 * is expected of where the sleeper was, he is woken at a known place; and one who did not sleep
 * will not do so before events were collected.
 */
	.balign 16
	.globl upcall_entry
upcall_entry:
	cmpq $0, sleeper
	je 2f
	movq sleeper, %rsp
	movq $0, sleeper
	movl $SELECTOR_DATA, %eax
	movl %eax, %ss
	movl $LAYOUT_SHARED_INFO, %eax
	movb $0, (%rax)
	movb $1, events_came
	jmp 1b
2:	pushq %rax
	movl $LAYOUT_SHARED_INFO, %eax
	movb $0, (%rax)
	movb $1, events_came
	popq %rax
	iretq

	.bss
	.balign 8
sleeper:
	.quad 0 /* stack pointer of who sleeps */
	.text

/* The timer, while the watch is on. */
	.balign 16
	.globl tick_entry
tick_entry:
	pushq $0
	pushq $0
	push_registers
	movq %rsp, %rdi
	cld
	call tick
	pop_registers
	addq $16, %rsp
	iretq

/*
 * The syscall instruction in ring 0 changes neither ring nor stack. The library's leaf functions
 * keep data below the stack pointer, so that is stepped over, and the stack of the caller is used
 * on: a system call may be made while another one is under way (a file's implementation may
 * allocate). Everything but rax, rcx and r11 is preserved, as Linux does, vector registers too.
 */
	.balign 16
	.globl system_call_entry
system_call_entry:
	leaq -128(%rsp), %rsp
	pushq %rbp
	movq %rsp, %rbp
	pushq %rcx
	pushq %r11
	pushq %rdi
	pushq %rsi
	pushq %rdx
	pushq %r8
	pushq %r9
	pushq %r10
	subq $512, %rsp
	andq $-16, %rsp
	fxsave64 (%rsp)
	/* system_call(number, six arguments) */
	pushq %r9
	pushq %r8
	pushq %r10
	pushq %rdx
	pushq %rsi
	pushq %rdi
	movq %rax, %rdi
	movq %rsp, %rsi
	cld
	call system_call
	addq $48, %rsp
	fxrstor64 (%rsp)
	leaq -64(%rbp), %rsp
	popq %r10
	popq %r9
	popq %r8
	popq %rdx
	popq %rsi
	popq %rdi
	popq %r11
	popq %rcx
	popq %rbp
	pushq %r11
	popfq
	leaq 128(%rsp), %rsp
	jmp *%rcx

	.section .note.GNU-stack, "", @progbits
