/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Streams as such: who can talk to whom; words on pages; records that are cut off. */
#include "hypervisor/stream-reader.h"
#include "hypervisor/test-stream-pages.h"

static const char *refusal(struct hv_stream_abilities now, struct hv_stream_abilities next)
{
	const char *reason;

	assert_int_equal(hv_stream_agree(&now, &next, &reason), -XEN_EOPNOTSUPP);
	assert_non_null(reason);
	return reason;
}

static int agreed(struct hv_stream_abilities now, struct hv_stream_abilities next)
{
	const char *reason;
	int version = hv_stream_agree(&now, &next, &reason);

	assert_null(reason);
	return version;
}

/* One version forward, one back, and no further; always the newest that both know. */
static void test_versions(void **state)
{
	struct hv_stream_abilities two = HV_STREAM_ABILITIES, one = two, three = two, four = two;

	(void)state;
	two.oldest = 1, two.newest = 2;
	one.oldest = 1, one.newest = 1;
	three.oldest = 2, three.newest = 3;
	four.oldest = 3, four.newest = 4;
	assert_int_equal(agreed(two, two), 2);
	assert_int_equal(agreed(two, one), 1);
	assert_int_equal(agreed(one, two), 1);
	assert_int_equal(agreed(two, three), 2);
	assert_int_equal(agreed(three, two), 2);
	assert_string_not_equal(refusal(one, three), refusal(three, one));
	refusal(two, four);
	refusal(four, two);
}

/* What the one cannot do without, the other must write, and what the one says is read. */
static void test_records(void **state)
{
	struct hv_stream_abilities now = HV_STREAM_ABILITIES, next = now;

	(void)state;
	next.requires |= HV_RECORD_BIT(40);
	refusal(now, next);
	now.writes |= HV_RECORD_BIT(40);
	assert_int_equal(agreed(now, next), HV_STREAM_VERSION);
	next.reads &= ~HV_RECORD_BIT(HV_RECORD_IOMMU);
	refusal(now, next);
	next = now;
	next.reads &= ~HV_RECORD_BIT(HV_RECORD_M2P);
	assert_int_equal(agreed(now, next), HV_STREAM_VERSION);
	next.magic = 0;
	refusal(now, next);
}

/* Words go on from page to page; one that is filled in later is not in the checksum. */
static void test_writer(void **state)
{
	struct pages pages = {.most = 3};
	struct hv_page_source source = {pages_add, &pages};
	uint64_t words[HV_STREAM_PAGE / 8], *later;
	struct hv_writer writer;

	(void)state;
	for (unsigned int i = 0; i < HV_STREAM_PAGE / 8; i++)
		words[i] = i + 1;
	hv_writer_init(&writer, &source, HV_STREAM_VERSION);
	assert_int_equal(pages.count, 0);
	hv_writer_words(&writer, words, 24);
	later = hv_writer_later(&writer);
	hv_writer_words(&writer, words, sizeof(words));
	assert_int_equal(pages.count, 2);
	assert_int_equal(writer.size, 32 + sizeof(words));
	*later = 99;
	assert_int_equal(pages.list[0][3], 99);
	assert_int_equal(pages.list[0][HV_STREAM_PAGE / 8 - 1], HV_STREAM_PAGE / 8 - 4);
	assert_int_equal(pages.list[1][0], HV_STREAM_PAGE / 8 - 3);
	hv_writer_end(&writer);
	for (unsigned int i = 4; i < HV_STREAM_PAGE / 8; i++)
		assert_int_equal(pages.list[1][i], 0);
	assert_true(writer.checksum ==
		    hv_read_checksum(hv_read_checksum(0, words, 24), words, sizeof(words)));
	hv_writer_words(&writer, words, sizeof(words));
	assert_int_equal(writer.error, 0);
	hv_writer_words(&writer, words, sizeof(words));
	assert_int_equal(writer.error, -XEN_ENOMEM);
	assert_null(hv_writer_later(&writer));
	assert_int_equal(pages.count, 3);
	pages_free(&pages);
}

/* Any one word that differs makes another checksum, two that are exchanged do, too. */
static void test_checksum(void **state)
{
	uint64_t words[16] = {0}, sum = hv_read_checksum(0, words, sizeof(words));

	(void)state;
	for (unsigned int i = 0; i < 16; i++) {
		for (unsigned int bit = 0; bit < 64; bit++) {
			words[i] = UINT64_C(1) << bit;
			assert_true(hv_read_checksum(0, words, sizeof(words)) != sum);
			words[i] = 0;
		}
	}
	words[3] = UINT64_C(1) << 63;
	sum = hv_read_checksum(0, words, sizeof(words));
	words[3] = 0;
	words[5] = UINT64_C(1) << 63;
	assert_true(hv_read_checksum(0, words, sizeof(words)) != sum);
}

static const char *read_one(uint32_t type, uint32_t flags, uint64_t size, uint64_t there,
			    struct hv_read_record *record)
{
	uint64_t bytes[32] = {(uint64_t)flags << 32 | type, size};
	struct hv_reader reader = {(const uint8_t *)bytes, there};
	const char *reason = hv_read_record(&reader, record);

	assert_int_equal(reader.left, reason ? there : there - 16 - size);
	return reason;
}

static void test_reader(void **state)
{
	struct hv_read_record record;

	(void)state;
	assert_null(read_one(HV_RECORD_EVTCHN_FIFO, 0, 48, 64, &record));
	assert_int_equal(record.count, 3);
	assert_null(read_one(HV_RECORD_END, 0, 0, 16, &record));
	assert_null(record.data);
	assert_non_null(read_one(HV_RECORD_END, 0, 0, 8, &record));
	assert_non_null(read_one(HV_RECORD_END, 0, 0, 0, &record));
	assert_non_null(read_one(HV_RECORD_EVTCHN_FIFO, 0, 48, 56, &record));
	assert_non_null(read_one(HV_RECORD_EVTCHN_FIFO, 0, UINT64_MAX - 7, 64, &record));
	assert_non_null(read_one(HV_RECORD_EVTCHN_FIFO, 0, 24, 64, &record));
	assert_non_null(read_one(HV_RECORD_SOFTWARE, 0, 12, 64, &record));
	assert_non_null(read_one(HV_RECORD_EVTCHN_FIFO, 2, 48, 64, &record));
	assert_non_null(read_one(0, 0, 8, 64, &record));
	assert_non_null(read_one(UINT32_MAX, 0, 8, 64, &record));
	assert_null(read_one(UINT32_MAX, HV_RECORD_OPTIONAL, 8, 64, &record));
	assert_int_equal(record.count, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions), cmocka_unit_test(test_records),
		cmocka_unit_test(test_writer),	 cmocka_unit_test(test_checksum),
		cmocka_unit_test(test_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
