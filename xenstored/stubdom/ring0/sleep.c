/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The only place where interrupts are on. An upcall that is due already should come
 * behind "sti; hlt", since the first of the two takes effect after the second. That
 * is not so everywhere: a hypervisor below ours, or an emulator, may forget between the
 * two that it was to wait for the second. So the upcall looks where it came from, and does
 * not return to the halt (entry.S).
 */
#include "stubdom/ring0/events.h"

void events_sleep(void)
{
	__asm__ volatile("sti\n"
			 ".globl events_halt\n"
			 "events_halt:\n\t"
			 "hlt\n\t"
			 "cli"
			 :
			 :
			 : "memory", "cc");
}
