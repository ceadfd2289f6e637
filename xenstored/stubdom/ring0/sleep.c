/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sleeping: interrupts on, wait, and as it was before. An upcall that is due already should come
 * behind "sti; hlt", since the first of the two takes effect after the second. That
 * is not so everywhere: a hypervisor below ours, or an emulator, may forget between the
 * two that it was to wait for the second. So the upcall looks where it came from, and does
 * not return to the halt (entry.S). Where interrupts were on before, it may have come earlier, and
 * has left its mark.
 */
#include "stubdom/ring0/events.h"

void events_sleep(void)
{
	__asm__ volatile("pushfq\n\t"
			 "cli\n\t"
			 "cmpb $0, events_came\n\t"
			 "jne 1f\n\t"
			 "sti\n"
			 ".globl events_halt\n"
			 "events_halt:\n\t"
			 "hlt\n"
			 "1:\n\t"
			 "popfq"
			 :
			 :
			 : "memory", "cc");
}
