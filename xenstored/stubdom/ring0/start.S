/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the hypervisor's entry to the C library's: 32-bit mode without paging,
 * long mode on page tables of our own, boot() for the rest, and then _start as
 * if Linux had started the program.
 *
 * The entry is found through a note of the file; the file's own entry point is
 * the C library's and means nothing to the hypervisor.
 * (spec: stubdom.md sections 1 and 2)
 */
#include "xenstored/stubdom/layout.h"

#define XEN_ELFNOTE_PHYS32_ENTRY 18

#define PML4 LAYOUT_PAGE_TABLES
#define PDPT (LAYOUT_PAGE_TABLES + 0x1000)
#define PD   (LAYOUT_PAGE_TABLES + 0x2000) /* four of them */
#define PT   (LAYOUT_PAGE_TABLES + 0x6000) /* of the first 2 MB */

#define CR4_FLAGS 0x620	     /* PAE, OSFXSR, OSXMMEXCPT */
#define CR0_FLAGS 0x80010023 /* PG, WP, NE, MP, PE */
#define MSR_EFER  0xc0000080
#define EFER_FLAGS 0x101 /* LME, SCE */

	.section .note.Xen, "a", @note
	.balign 4
	.long 4, 4, XEN_ELFNOTE_PHYS32_ENTRY
	.asciz "Xen"
	.long stubdom_start

	.text
	.code32
	.globl stubdom_start
stubdom_start:
	cli
	cld
	movl $LAYOUT_STACK_END - 0x4000, %esp

	/* Everything below 4 GB one to one; boot() takes away what is not to be touched. */
	movl $LAYOUT_PAGE_TABLES, %edi
	movl $(LAYOUT_PAGE_TABLES_END - LAYOUT_PAGE_TABLES) / 4, %ecx
	xorl %eax, %eax
	rep stosl
	movl $PDPT + 3, PML4
	movl $PD + 0x0003, PDPT
	movl $PD + 0x1003, PDPT + 8
	movl $PD + 0x2003, PDPT + 16
	movl $PD + 0x3003, PDPT + 24
	movl $0x83, %eax
	movl $PD, %edi
1:	movl %eax, (%edi)
	addl $8, %edi
	addl $LAYOUT_LARGE_PAGE, %eax
	jnc 1b
	movl $PT + 3, PD
	movl $3, %eax
	movl $PT, %edi
2:	movl %eax, (%edi)
	addl $8, %edi
	addl $LAYOUT_PAGE, %eax
	cmpl $LAYOUT_LARGE_PAGE, %eax
	jb 2b

	movl $CR4_FLAGS, %eax
	movl %eax, %cr4
	movl $PML4, %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	movl $EFER_FLAGS, %eax
	xorl %edx, %edx
	wrmsr
	movl $CR0_FLAGS, %eax
	movl %eax, %cr0
	lgdt gdt_pointer
	ljmp $8, $long_mode

	.code64
long_mode:
	movl $16, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	fninit
	pushq $0x1f80 /* all floating point exceptions masked */
	ldmxcsr (%rsp)
	popq %rax
	movl %ebx, %edi
	call boot
	movq %rax, %rsp
	xorl %edx, %edx /* nothing to be called at exit */
	xorl %ebp, %ebp
	jmp _start

	.data
	.balign 8
	.globl gdt
gdt:
	.quad 0
	.quad 0x00af9b000000ffff /* 8: 64-bit code */
	.quad 0x00cf93000000ffff /* 16: data */
	.quad 0, 0		 /* 24: task state, filled in by traps_init() */
gdt_end:
gdt_pointer:
	.word gdt_end - gdt - 1
	.quad gdt

	.section .note.GNU-stack, "", @progbits
