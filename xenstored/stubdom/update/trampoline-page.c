/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each segment is one move. */
#include "stubdom/update/trampoline-page.h"

#include <string.h>

_Static_assert(KERNEL_SEGMENTS_MAX < TRAMPOLINE_MOVES_MAX, "all segments find room, and one more");

#define GDT_CODE_32 0x00cf9b000000ffffull
#define GDT_DATA    0x00cf93000000ffffull

bool trampoline_fill(struct trampoline *trampoline, const void *code, size_t size,
		     const struct kernel_image *image, uint64_t file, uint32_t start_info)
{
	if (size > sizeof(trampoline->code))
		return false;
	memset(trampoline, 0, sizeof(*trampoline));
	memcpy(trampoline->code, code, size);
	trampoline->gdt[1] = GDT_CODE_32;
	trampoline->gdt[2] = GDT_DATA;
	trampoline->gdt_limit = TRAMPOLINE_GDT_SIZE - 1;
	trampoline->far_segment = 8;
	trampoline->entry = image->entry;
	trampoline->start_info = start_info;
	for (unsigned int i = 0; i < image->count; i++) {
		const struct kernel_segment *segment = &image->segment[i];

		trampoline->move[i] = (struct trampoline_move){
			.to = segment->address,
			.from = file + segment->offset,
			.size = segment->file_size,
			.zeros = segment->size - segment->file_size,
		};
	}
	return true;
}

void trampoline_add(struct trampoline *trampoline, uint64_t to, uint64_t from, uint64_t size)
{
	unsigned int i = 0;

	while (trampoline->move[i].size || trampoline->move[i].zeros)
		i++;
	if (i < TRAMPOLINE_MOVES_MAX)
		trampoline->move[i] = (struct trampoline_move){
			.to = to, .from = from, .size = size};
}
