/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The only place where interrupts are on. An upcall that is due already comes
 * behind "sti; hlt", since the first of the two takes effect after the second.
 */
#include "stubdom/ring0/events.h"

void events_sleep(void)
{
	__asm__ volatile("sti; hlt; cli" : : : "memory", "cc");
}
