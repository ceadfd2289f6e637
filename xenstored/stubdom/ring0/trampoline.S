/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The code of the page: see trampoline.h. Its addresses are those of the page. */
#include "xenstored/stubdom/layout.h"
#include "xenstored/stubdom/ring0/trampoline.h"

#define AT(offset) (LAYOUT_TRAMPOLINE + (offset))

#define MSR_EFER 0xc0000080
#define CR0_PE_ET 0x11

	.section .rodata
	.balign 16
	.globl trampoline_code, trampoline_code_end
trampoline_code:
	.code64
	cli
	cld
	movl $AT(TRAMPOLINE_MOVES), %ebx
1:	movq (%rbx), %rdi
	testq %rdi, %rdi
	jz 2f
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
2:	lgdt AT(TRAMPOLINE_POINTER)
	ljmp *AT(4f - trampoline_code)

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
	movl AT(TRAMPOLINE_START_INFO), %ebx
	movl AT(TRAMPOLINE_ENTRY), %eax
	jmp *%eax

	.balign 4
4:	.long AT(3b - trampoline_code)
	.word 8
trampoline_code_end:

	.section .note.GNU-stack, "", @progbits
