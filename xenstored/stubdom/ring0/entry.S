/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ways into the ring-0 layer while the program runs: exceptions, the
 * hypervisor's upcall, and the syscall instruction of the C library.
 */
#include "xenstored/stubdom/layout.h"

	.text

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
	movq %rsp, %rdi
	andq $-16, %rsp
	cld
	call exception

/*
 * The hypervisor has an event. It comes in only while events_sleep() sleeps, and anywhere while
 * the watch is on; the events are collected by whoever sleeps, who must not do so when one has come
 * since. Not saying that the upcall was seen would bring it for ever.
 */
	.balign 16
	.globl upcall_entry
upcall_entry:
	pushq %rax
	movl $LAYOUT_SHARED_INFO, %eax
	movb $0, (%rax)
	movb $1, events_came
	cmpq $events_halt, 8(%rsp)
	jne 1f
	incq 8(%rsp) /* an event that was seen must not be slept over */
1:	popq %rax
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
