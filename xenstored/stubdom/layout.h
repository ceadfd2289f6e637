/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where things lie in the stub domain's physical memory.
 *
 * A live update jumps from one image into another inside the same domain. What
 * the hypervisor has been told the address of (event words, shared pages, grant
 * mappings) and what one image hands to the next must be found by the next image
 * without asking, so these places are fixed and outside of every image: this
 * table is all that two images have to agree on. Memory is mapped one to one, so
 * an address here is a pointer as well.
 *
 * The table is used by assembly too: numbers only. A change of any of them, or of
 * the hand-over page (update/handover.h), is a change of LAYOUT_VERSION. (spec: stubdom.md section
 * 6 "Fixed physical layout")
 */
#ifndef XENSTORED_STUBDOM_LAYOUT_H
#define XENSTORED_STUBDOM_LAYOUT_H

#define LAYOUT_VERSION 2

#define LAYOUT_PAGE	   0x1000
#define LAYOUT_PAGE_SHIFT  12
#define LAYOUT_LARGE_PAGE  0x200000
#define LAYOUT_LARGE_SHIFT 21

/* Page 0 is not mapped, so that a NULL pointer is noticed. */

/* PML4, PDPT, four page directories, and the page table of the first 2 MB. */
#define LAYOUT_PAGE_TABLES     0x1000
#define LAYOUT_PAGE_TABLES_END 0x8000

/* Live update: code and lists that are used while the image is being replaced. */
#define LAYOUT_TRAMPOLINE     0x8000
#define LAYOUT_TRAMPOLINE_END 0x9000

/* Live update: start information, module list and command line for the next image. */
#define LAYOUT_START_INFO     0x9000
#define LAYOUT_START_INFO_END 0x10000

/* Live update: what one image tells the next. */
#define LAYOUT_HANDOVER	    0x10000
#define LAYOUT_HANDOVER_END 0x11000

/* What the ring-0 layer itself has set up with the hypervisor (ring0/state.h). */
#define LAYOUT_STATE	    0x11000
#define LAYOUT_STATE_END    0x12000
#define LAYOUT_RESERVED	    0x12000
#define LAYOUT_RESERVED_END 0x14000

/* 0x14000 to 0x25000 is not used. */

/* FIFO event channels: the control block, and one page of event words for each 1,024 ports. */
#define LAYOUT_FIFO_CONTROL	0x25000
#define LAYOUT_FIFO_ARRAY	0x26000
#define LAYOUT_FIFO_ARRAY_PAGES 34
#define LAYOUT_FIFO_END		0x48000

/* The handle of each domain's mapped ring, u32 by domid; all ones: not mapped. */
#define LAYOUT_RING_HANDLES	0x48000
#define LAYOUT_RING_HANDLES_END 0x68000

/* The stack, above a page that is not mapped. */
#define LAYOUT_STACK_GUARD 0x68000
#define LAYOUT_STACK	   0x69000
#define LAYOUT_STACK_END   0xa0000

/* The page table of the image's first 2 MB. */
#define LAYOUT_IMAGE_TABLE     0xa0000
#define LAYOUT_IMAGE_TABLE_END 0xa1000

/* Ordinary memory below the image: given to the heap. */
#define LAYOUT_LOW_HEAP	    0xa1000
#define LAYOUT_LOW_HEAP_END 0x400000

/* The image, and behind its last byte ordinary memory as far as it is populated. */
#define LAYOUT_IMAGE   0x400000
#define LAYOUT_RAM_END 0xe0000000 /* more than this is not used */

/* The ring of domain D is mapped at LAYOUT_RINGS + D * LAYOUT_PAGE. */
#define LAYOUT_RINGS	 0xe0000000
#define LAYOUT_RINGS_END 0xe8000000

#define LAYOUT_SHARED_INFO     0xf0000000
#define LAYOUT_GRANT_TABLE     0xf0010000
#define LAYOUT_GRANT_TABLE_END 0xf0014000 /* 4 frames of 512 entries */

/* The registers of the processor's interrupt controller. */
#define LAYOUT_APIC 0xfee00000

/* Pages that the domain's builder has put there: store, console and others. */
#define LAYOUT_SPECIAL	   0xfeff8000
#define LAYOUT_SPECIAL_END 0xff000000

/*
 * Pages shared with the 9pfs back-end have no fixed place: other xenstoreds load their images to
 * wherever these are low (ring0_state() tells where they are). The order is fixed: the interface
 * page, the ring's data, and a page of our own that describes them to such a xenstored.
 */
#define LAYOUT_FILES_ORDER 4 /* of the ring's data, in pages */
#define LAYOUT_FILES_PAGES 18

/* Entries of the own grant table; those below 8 are reserved by the interface. */
#define LAYOUT_GRANT_9PFS 8 /* the interface page, then the data pages in order */

#endif
