/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The few instructions that C has no words for. */
#ifndef XENSTORED_STUBDOM_RING0_PROCESSOR_H
#define XENSTORED_STUBDOM_RING0_PROCESSOR_H

#include <stdint.h>

#define MSR_APIC_BASE 0x1bu
#define MSR_EFER      0xc0000080u
#define MSR_STAR      0xc0000081u
#define MSR_LSTAR     0xc0000082u
#define MSR_SFMASK    0xc0000084u
#define MSR_FS_BASE   0xc0000100u

#define EFER_SYSCALL	0x001u
#define EFER_LONG_MODE	0x100u
#define EFER_NO_EXECUTE 0x800u

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf)
{
	struct cpuid out;

	__asm__ volatile("cpuid"
			 : "=a"(out.eax), "=b"(out.ebx), "=c"(out.ecx), "=d"(out.edx)
			 : "a"(leaf), "c"(0));
	return out;
}

static inline void write_msr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

static inline uint64_t read_msr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static inline uint64_t read_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static inline void out_byte(uint16_t port, uint8_t byte)
{
	__asm__ volatile("outb %0, %1" : : "a"(byte), "Nd"(port));
}

#endif
