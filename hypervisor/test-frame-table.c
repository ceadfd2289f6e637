/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frame table against a plain array that has an entry for each frame, with
 * refused allocations; and that its size follows fragments.
 */
#include "hypervisor/test-machine.h"
#include "tests/unit/setting.h"

#define FRAMES (2 * HV_CHUNK_FRAMES + 1000)
#define WINDOW 700 /* where operations take place: across the border of two chunks */
#define BASE   (HV_CHUNK_FRAMES - WINDOW / 2)

struct plain {
	uint32_t references;
	uint16_t owner;
	uint8_t type;
};

struct world {
	struct machine machine; /* its allocator only */
	struct hv_allocator allocator;
	struct hv_frame_table table;
	struct plain plain[WINDOW];
	uint64_t random;
};

static unsigned int pick(struct world *world, unsigned int below)
{
	world->random = world->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (unsigned int)(world->random >> 33) % below;
}

static struct world *world_new(uint64_t frames)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world->allocator = (struct hv_allocator){machine_allocate, machine_release,
						 &world->machine};
	assert_int_equal(hv_frame_table_init(&world->table, &world->allocator, frames), 0);
	for (unsigned int i = 0; i < WINDOW; i++)
		world->plain[i].owner = HV_DOMID_INVALID;
	return world;
}

static void world_free(struct world *world)
{
	hv_frame_table_deinit(&world->table);
	assert_int_equal(world->machine.blocks, 0);
	free(world);
}

static bool same(const struct plain *plain, const struct hv_frames *frames)
{
	return plain->references == frames->references && plain->owner == frames->owner &&
	       plain->type == frames->type;
}

/* Table and array say the same, runs are as long as can be, and free frames are counted right. */
static void compare(struct world *world)
{
	uint64_t position = 0, free = 0, counted = 0;
	struct hv_frames frames, before = {.count = 0};

	while (hv_frames_walk(&world->table, &position, &frames)) {
		for (uint64_t i = 0; i < frames.count; i++) {
			uint64_t frame = frames.first + i;

			if (frame >= BASE && frame < BASE + WINDOW)
				assert_true(same(&world->plain[frame - BASE], &frames));
			else
				i = frames.first < BASE && frames.first + frames.count > BASE
					    ? BASE - 1 - frames.first
					    : frames.count;
		}
		if (before.count && frames.first % HV_CHUNK_FRAMES)
			assert_false(before.owner == frames.owner && before.type == frames.type &&
				     !before.references && !frames.references);
		if (frames.references)
			assert_int_equal(frames.count, 1);
		free += frames.type == HV_FRAME_FREE ? frames.count : 0;
		before = frames;
	}
	assert_true(position == world->table.frames);
	for (uint64_t i = 0; i < world->table.chunk_count; i++)
		counted += world->table.chunks[i].free;
	assert_true(counted == free);
}

static int plain_change(struct world *world, unsigned int at, unsigned int count, uint16_t owner,
			unsigned int from, unsigned int to)
{
	uint16_t before = from > HV_FRAME_BOOTMEM ? owner : HV_DOMID_INVALID;

	for (unsigned int i = at; i < at + count; i++) {
		struct plain *plain = &world->plain[i];

		if (plain->references || plain->type != from || plain->owner != before)
			return -XEN_EBUSY;
	}
	for (unsigned int i = at; i < at + count; i++) {
		world->plain[i].type = (uint8_t)to;
		world->plain[i].owner = to > HV_FRAME_BOOTMEM ? owner : HV_DOMID_INVALID;
	}
	return 0;
}

static int plain_set(struct world *world, unsigned int at, unsigned int count, uint16_t owner,
		     unsigned int type)
{
	for (unsigned int i = at; i < at + count; i++) {
		if (world->plain[i].references)
			return -XEN_EBUSY;
	}
	for (unsigned int i = at; i < at + count; i++)
		world->plain[i] = (struct plain){.owner = owner, .type = (uint8_t)type};
	return 0;
}

static int plain_reference(struct plain *plain, uint16_t owner)
{
	if (plain->owner != owner || !hv_frame_survives(plain->type))
		return -XEN_EBUSY;
	plain->references++;
	return 0;
}

/* One operation on both. A refused allocation changes neither. */
static void step(struct world *world)
{
	static const uint8_t types[] = {HV_FRAME_FREE, HV_FRAME_FREE, HV_FRAME_RAM, HV_FRAME_RAM,
					HV_FRAME_XEN};
	const unsigned int at = pick(world, WINDOW);
	const unsigned int most = pick(world, 4) ? 5 : WINDOW;
	unsigned int count = 1 + pick(world, most);
	const uint16_t owner = (uint16_t)pick(world, 3);
	const uint8_t from = types[pick(world, 5)], to = types[pick(world, 5)];
	struct plain saved[WINDOW];
	int got, expected;

	if (count > WINDOW - at)
		count = WINDOW - at;
	memcpy(saved, world->plain, sizeof(saved));
	machine_refuse(&world->machine, pick(world, 8) ? 0 : 1 + pick(world, 2));
	switch (pick(world, 6)) {
	case 0:
		got = hv_frames_set(&world->table, BASE + at, count, owner, to);
		expected = plain_set(world, at, count, owner, to);
		break;
	case 1:
	case 2:
		got = hv_frame_reference(&world->table, BASE + at, owner);
		expected = plain_reference(&world->plain[at], owner);
		break;
	case 3:
		machine_refuse(&world->machine, 1); /* it must not need any */
		got = hv_frame_unreference(&world->table, BASE + at);
		expected = world->plain[at].references ? 0 : -XEN_EINVAL;
		if (!expected)
			world->plain[at].references--;
		break;
	default:
		got = hv_frames_change(&world->table, BASE + at, count, owner, from, to);
		expected = plain_change(world, at, count, owner, from, to);
	}
	if (got == -XEN_ENOMEM) {
		assert_true(world->machine.refuse && world->machine.asked >= world->machine.refuse);
		memcpy(world->plain, saved, sizeof(saved));
	} else {
		assert_int_equal(got, expected);
	}
}

static void test_random(void **state)
{
	unsigned long steps = 20000 * setting("COUNT", 1);
	struct world *world = world_new(FRAMES);

	(void)state;
	world->random = 20240229;
	for (unsigned long i = 0; i < steps; i++) {
		step(world);
		compare(world);
	}
	world_free(world);
}

static void test_bounds(void **state)
{
	struct world *world = world_new(FRAMES);
	struct hv_frames frames;

	(void)state;
	assert_int_equal(hv_frames_set(&world->table, 0, 0, 0, HV_FRAME_FREE), -XEN_EINVAL);
	assert_int_equal(hv_frames_set(&world->table, FRAMES, 1, 0, HV_FRAME_FREE), -XEN_EINVAL);
	assert_int_equal(hv_frames_set(&world->table, 1, FRAMES, 0, HV_FRAME_FREE), -XEN_EINVAL);
	assert_int_equal(hv_frames_set(&world->table, 1, UINT64_MAX, 0, HV_FRAME_FREE),
			 -XEN_EINVAL);
	assert_int_equal(hv_frames_set(&world->table, 0, 1, 0, HV_FRAME_TYPES), -XEN_EINVAL);
	assert_int_equal(hv_frame_reference(&world->table, FRAMES, 0), -XEN_EINVAL);
	assert_int_equal(hv_frame_unreference(&world->table, FRAMES), -XEN_EINVAL);
	assert_false(hv_frames_find(&world->table, FRAMES, &frames));
	assert_int_equal(hv_frames_set(&world->table, 0, FRAMES, 0, HV_FRAME_RAM), 0);
	assert_true(hv_frames_find(&world->table, FRAMES - 1, &frames));
	assert_int_equal(frames.count, 1000);
	world_free(world);
}

/* 16 TiB in extents of 64 GiB take no more leaves than 16 GiB in as many of 64 MiB. */
static void test_size_follows_fragments(void **state)
{
	struct world *small = world_new(UINT64_C(1) << 22), *large = world_new(UINT64_C(1) << 32);

	(void)state;
	for (unsigned int i = 0; i < 256; i++) {
		uint64_t few = UINT64_C(1) << 14, many = UINT64_C(1) << 24;

		assert_int_equal(
			hv_frames_set(&small->table, i * few, few, (uint16_t)i, HV_FRAME_RAM), 0);
		assert_int_equal(
			hv_frames_set(&large->table, i * many, many, (uint16_t)i, HV_FRAME_RAM), 0);
	}
	assert_true(hv_frame_table_bytes(&large->table) < 2 << 20);
	assert_true(large->machine.blocks <= small->machine.blocks);
	world_free(small);
	world_free(large);
}

/* Every second frame of a chunk on its own, and back to one run. */
static void test_full_fragmentation(void **state)
{
	struct world *world = world_new(HV_CHUNK_FRAMES);
	struct hv_frames frames;

	(void)state;
	for (uint32_t frame = 0; frame < HV_CHUNK_FRAMES; frame += 2)
		assert_int_equal(hv_frames_set(&world->table, frame, 1, 7, HV_FRAME_RAM), 0);
	assert_true(hv_frames_find(&world->table, 101, &frames));
	assert_int_equal(frames.count, 1);
	assert_int_equal(hv_frames_set(&world->table, 0, HV_CHUNK_FRAMES, 0, HV_FRAME_FREE), 0);
	assert_int_equal(world->machine.blocks, 1);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_size_follows_fragments),
		cmocka_unit_test(test_full_fragmentation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
