/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happens between the hypervisor's entry and the program's start: the layer
 * is set up, and a stack is made as Linux would hand it to a program.
 * (spec: stubdom.md section 2 "Steps that worked")
 */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "stubdom/layout.h"
#include "stubdom/ring0/arguments.h"
#include "stubdom/ring0/console.h"
#include "stubdom/ring0/events.h"
#include "stubdom/ring0/grants.h"
#include "stubdom/ring0/hypercall.h"
#include "stubdom/ring0/memory.h"
#include "stubdom/ring0/pristine.h"
#include "stubdom/ring0/processor.h"
#include "stubdom/ring0/random.h"
#include "stubdom/ring0/ring0.h"
#include "stubdom/ring0/state.h"
#include "stubdom/ring0/watch.h"

#include <xen/arch-x86/hvm/start_info.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>

#define ARGUMENTS_MAX 256u
#define PROGRAM	      "xenstored"

/* At the top of the stack, as the C library's start expects it at the stack pointer. */
struct initial_stack {
	uint64_t argc;
	char *argv[ARGUMENTS_MAX + 1];
	char *environment;
	Elf64_auxv_t auxiliary[10];
} __attribute__((aligned(16)));

extern const Elf64_Ehdr __ehdr_start;
extern const char _end[];
uintptr_t boot(const struct hvm_start_info *info);

struct ring0 ring0;

static uint8_t random_bytes[16];

/* Text of at most @size - 1 bytes from wherever the builder has put it. */
static void copy_text(char *to, size_t size, const char *from)
{
	size_t len = 0;

	while (from && len + 1 < size && from[len]) {
		to[len] = from[len];
		len++;
	}
	to[len] = 0;
}

static uint64_t parameter(uint32_t index)
{
	struct xen_hvm_param param = {.domid = DOMID_SELF, .index = index};

	return hypercall_op(__HYPERVISOR_hvm_op, HVMOP_get_param, &param) ? 0 : param.value;
}

static void map_shared_info(void)
{
	struct xen_add_to_physmap map = {
		.domid = DOMID_SELF,
		.space = XENMAPSPACE_shared_info,
		.gpfn = LAYOUT_SHARED_INFO >> LAYOUT_PAGE_SHIFT,
	};
	long error = hypercall_op(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, &map);

	if (error)
		ring0_panic("no shared page: error %lu", (uint64_t)-error);
}

/*
 * The builder's data lie just behind the image, where the heap is to be: what is needed of them is
 * copied, and modules, which may be large, are kept off the heap.
 */
static void read_start_info(const struct hvm_start_info *info)
{
	const struct hvm_modlist_entry *list = (const void *)(uintptr_t)info->modlist_paddr;
	static char text[RING0_MODULES_MAX][256];

	copy_text(ring0.command_line, sizeof(ring0.command_line),
		  (const char *)(uintptr_t)info->cmdline_paddr);
	for (uint32_t i = 0; list && i < info->nr_modules && i < RING0_MODULES_MAX; i++) {
		struct ring0_module *module = &ring0.module[ring0.module_count++];

		module->start = list[i].paddr;
		module->size = list[i].size;
		module->text = text[i];
		copy_text(text[i], sizeof(text[i]), (const char *)(uintptr_t)list[i].cmdline_paddr);
	}
}

static void reserve_modules(void)
{
	for (unsigned int i = 0; i < ring0.module_count; i++) {
		const struct ring0_module *module = &ring0.module[i];

		memory_reserve(&ring0_memory, module->start, module->start + module->size);
	}
}

/* Where brk begins: behind the image, and behind a module that follows it. */
static uintptr_t image_end(void)
{
	uintptr_t end = (uintptr_t)_end;
	bool moved;

	do {
		end = (end + LAYOUT_PAGE - 1) & ~(uintptr_t)(LAYOUT_PAGE - 1);
		moved = false;
		for (unsigned int i = 0; i < ring0.module_count; i++) {
			const struct ring0_module *module = &ring0.module[i];

			if (module->start > end || module->start + module->size <= end)
				continue;
			end = module->start + module->size;
			moved = true;
		}
	} while (moved);
	return end;
}

static uintptr_t make_stack(void)
{
	struct initial_stack *stack = (struct initial_stack *)(LAYOUT_STACK_END -
							       sizeof(struct initial_stack));
	static char program[] = PROGRAM;
	const Elf64_auxv_t auxiliary[] = {
		{AT_PHDR, {(uintptr_t)&__ehdr_start + __ehdr_start.e_phoff}},
		{AT_PHENT, {__ehdr_start.e_phentsize}},
		{AT_PHNUM, {__ehdr_start.e_phnum}},
		{AT_PAGESZ, {LAYOUT_PAGE}},
		{AT_HWCAP, {cpuid(1).edx}},
		{AT_RANDOM, {(uintptr_t)random_bytes}},
		{AT_SECURE, {0}},
		{AT_NULL, {0}},
	};
	char **place;

	/* The words are put together in place, and everything behind them moves up to them. */
	memset(stack, 0, sizeof(*stack));
	stack->argv[0] = program;
	stack->argc = 1 + arguments_split(ring0.command_line, stack->argv + 1, ARGUMENTS_MAX);
	place = stack->argv + stack->argc + 1;
	*place++ = NULL; /* no environment */
	memcpy(place, auxiliary, sizeof(auxiliary));
	return (uintptr_t)stack;
}

static void init_or_panic(const char *what, int error)
{
	if (error)
		ring0_panic("%s: error %u", what, (unsigned int)-error);
}

/* Called by start.S, on the boot stack. Returns the stack pointer for the C library's start. */
uintptr_t boot(const struct hvm_start_info *info)
{
	pristine_keep();
	traps_init();
	if (!hypercall_init(&ring0.hypervisor))
		ring0_panic("no hypervisor");
	if (info->magic != XEN_HVM_START_MAGIC_VALUE)
		ring0_panic("not started as a PVH guest");
	read_start_info(info);
	ring0_state_adopt();
	map_shared_info();
	ring0.console_port = (uint32_t)parameter(HVM_PARAM_CONSOLE_EVTCHN);
	console_init(parameter(HVM_PARAM_CONSOLE_PFN) << LAYOUT_PAGE_SHIFT, ring0.console_port);
	watch_begin();
	ring0.store_port = (uint32_t)parameter(HVM_PARAM_STORE_EVTCHN);
	ring0.store_page = parameter(HVM_PARAM_STORE_PFN) << LAYOUT_PAGE_SHIFT;
	memory_boot(image_end());
	reserve_modules();
	if (ring0_updated)
		memory_reserve(&ring0_memory, ring0_state()->files_pages,
			       ring0_state()->files_pages + LAYOUT_FILES_PAGES * LAYOUT_PAGE);
	init_or_panic("grant table", grants_init());
	init_or_panic("event channels", events_init());
	random_fill(random_bytes, sizeof(random_bytes));
	return make_stack();
}
