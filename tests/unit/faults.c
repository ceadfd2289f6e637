/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The wrappers, and which of their calls fail. */
#include "faults.h"

#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void __wrap_free(void *block);

struct faults faults;

void faults_arm(unsigned long first, unsigned long burst)
{
	faults.armed = true;
	faults.count = faults.fired = 0;
	faults.first = first;
	faults.burst = burst;
}

void faults_disarm(void)
{
	faults.armed = false;
}

static bool fails(void)
{
	if (!faults.armed)
		return false;
	faults.count++;
	if (!faults.first || faults.count < faults.first ||
	    faults.count >= faults.first + faults.burst)
		return false;
	faults.fired++;
	return true;
}

static void *counted(void *block)
{
	faults.balance += block != NULL;
	return block;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : counted(__real_calloc(count, size));
}

void *__wrap_realloc(void *old, size_t size)
{
	if (fails())
		return NULL;
	return old ? __real_realloc(old, size) : counted(__real_malloc(size));
}

void __wrap_free(void *block)
{
	faults.balance -= block != NULL;
	__real_free(block);
}
