/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The local APIC in its plain form: registers in memory, as every processor starts with. */
#include "stubdom/ring0/ticks.h"

#include "stubdom/layout.h"
#include "stubdom/ring0/processor.h"

#define BASE_ENABLED (1ull << 11)
#define BASE_X2	     (1ull << 10) /* registers by other means */
#define BASE_ADDRESS 0xffffff000ull

/* Registers, as offsets in the page. */
#define EOI	 0x0b0u
#define SPURIOUS 0x0f0u
#define TIMER	 0x320u
#define COUNT	 0x380u
#define DIVIDE	 0x3e0u

#define SPURIOUS_ENABLE (1u << 8)
#define TIMER_MASKED	(1u << 16)
#define TIMER_PERIODIC	(1u << 17)
#define DIVIDE_BY_128	0xau

/* The hypervisor's bus has 100 MHz. Nothing depends on it: whoever gets a tick looks at the clock.
 */
#define SECOND (100000000u / 128)

static volatile uint32_t *place(unsigned int offset)
{
	return (volatile uint32_t *)(uintptr_t)(LAYOUT_APIC + offset);
}

bool ticks_start(uint32_t seconds)
{
	uint64_t base = read_msr(MSR_APIC_BASE);

	if ((base & (BASE_ENABLED | BASE_X2 | BASE_ADDRESS)) != (BASE_ENABLED | LAYOUT_APIC))
		return false;
	/* One that is spurious is a tick like the others. */
	*place(SPURIOUS) = SPURIOUS_ENABLE | TICKS_VECTOR;
	*place(DIVIDE) = DIVIDE_BY_128;
	*place(TIMER) = TIMER_PERIODIC | TICKS_VECTOR;
	*place(COUNT) = SECOND * (seconds < 3600 ? seconds : 3600);
	__asm__ volatile("sti" : : : "memory");
	return true;
}

void ticks_stop(void)
{
	__asm__ volatile("cli" : : : "memory");
	*place(TIMER) = TIMER_MASKED | TICKS_VECTOR;
	*place(COUNT) = 0;
}

void ticks_seen(void)
{
	*place(EOI) = 0;
}
