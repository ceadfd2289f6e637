/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The code of the page: see trampoline.h. It runs wherever the page is. */
#include "xenstored/stubdom/ring0/trampoline.h"

#define MSR_EFER 0xc0000080
#define CR0_PE_ET 0x11

	.section .rodata
	.balign 16
	.globl trampoline_code, trampoline_code_end
trampoline_code:
	.code64
	cli
	cld
	leaq trampoline_code(%rip), %rbp
	leaq TRAMPOLINE_GDT(%rbp), %rax
	movq %rax, TRAMPOLINE_POINTER + 2(%rbp)
	leaq 3f(%rip), %rax
	movl %eax, TRAMPOLINE_FAR(%rbp)
	leaq TRAMPOLINE_MOVES(%rbp), %rbx
1:	movq 24(%rbx), %r8
	addq 16(%rbx), %r8
	jz 2f
	movq (%rbx), %rdi
	movq 8(%rbx), %rsi
	movq 16(%rbx), %rdx
	movq %rdx, %rcx
	shrq $3, %rcx
	rep movsq
	movl %edx, %ecx
	andl $7, %ecx
	rep movsb
	xorl %eax, %eax
	movq 24(%rbx), %rdx
	movq %rdx, %rcx
	shrq $3, %rcx
	rep stosq
	movl %edx, %ecx
	andl $7, %ecx
	rep stosb
	addq $32, %rbx
	jmp 1b
2:	lgdt TRAMPOLINE_POINTER(%rbp)
	ljmp *TRAMPOLINE_FAR(%rbp)

	.code32
3:	movl $16, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl %eax, %fs
	movl %eax, %gs
	movl %cr0, %eax
	andl $0x7fffffff, %eax /* no paging */
	movl %eax, %cr0
	movl $MSR_EFER, %ecx
	xorl %eax, %eax
	xorl %edx, %edx
	wrmsr
	movl %eax, %cr4
	movl $CR0_PE_ET, %eax
	movl %eax, %cr0
	movl TRAMPOLINE_START_INFO(%ebp), %ebx
	movl TRAMPOLINE_ENTRY(%ebp), %eax
	jmp *%eax
trampoline_code_end:

	.section .note.GNU-stack, "", @progbits
