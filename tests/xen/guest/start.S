/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way in. The note tells the domain builder where; the guest arrives there in flat 32-bit
 * protected mode with the address of the start info in %ebx, and stays in that mode: no paging,
 * no descriptor tables, no interrupts.
 */
	.section .note.Xen, "a", @note
	.align 4
	.long 4, 4, 18		/* name size, descriptor size, XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long guest_start

	.text
	.globl guest_start
guest_start:
	cld
	movl $stack_top, %esp
	xorl %ebp, %ebp
	pushl %ebx
	call guest_main
1:	hlt
	jmp 1b

	.bss
	.balign 4096
	.globl hypercall_page
hypercall_page:
	.skip 4096
	.globl shared_info
shared_info:
	.skip 4096
	.skip 16384
stack_top:

	.section .note.GNU-stack, "", @progbits
