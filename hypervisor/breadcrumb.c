/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing and reading the breadcrumb. Reading it, memory may hold anything: what is
 * left of a former update, of a crash, or of somebody's intent.
 */
#include "hypervisor/breadcrumb.h"

#include "hypervisor/xen-errno.h"

#define LOW_BITS UINT64_C(0xfff)

void hv_breadcrumb_encode(const struct hv_breadcrumb *breadcrumb,
			  uint64_t words[HV_BREADCRUMB_WORDS])
{
	words[0] = HV_BREADCRUMB_MAGIC;
	words[1] = breadcrumb->array << HV_PAGE_SHIFT;
	words[2] = breadcrumb->pages << HV_PAGE_SHIFT;
}

static int wrong(const char **reason, const char *sentence)
{
	*reason = sentence;
	return -XEN_EINVAL;
}

int hv_breadcrumb_decode(const uint64_t words[HV_BREADCRUMB_WORDS], uint64_t frames,
			 const struct hv_bootmem *bootmem, struct hv_breadcrumb *breadcrumb,
			 const char **reason)
{
	struct hv_frame_span array;

	if (words[0] != HV_BREADCRUMB_MAGIC)
		return -XEN_ENOENT;
	if ((words[1] | words[2]) & LOW_BITS)
		return wrong(reason, "the breadcrumb's words are not aligned");
	breadcrumb->array = words[1] >> HV_PAGE_SHIFT;
	breadcrumb->pages = words[2] >> HV_PAGE_SHIFT;
	if (!breadcrumb->pages || breadcrumb->pages > HV_STREAM_MAX_PAGES)
		return wrong(reason, "the breadcrumb's number of pages cannot be");
	array = (struct hv_frame_span){breadcrumb->array,
				       hv_breadcrumb_array_frames(breadcrumb->pages)};
	if (array.first >= frames || array.count > frames - array.first)
		return wrong(reason, "the array of the stream's pages is outside of memory");
	if (hv_bootmem_overlaps(bootmem, &array))
		return wrong(reason, "the array of the stream's pages is in boot memory");
	return 0;
}

int hv_breadcrumb_check_array(const uint64_t *array, const struct hv_breadcrumb *breadcrumb,
			      uint64_t frames, const struct hv_bootmem *bootmem,
			      const char **reason)
{
	const uint64_t own = hv_breadcrumb_array_frames(breadcrumb->pages);

	for (uint64_t i = 0; i < breadcrumb->pages; i++) {
		if (array[i] >= frames)
			return wrong(reason, "a page of the stream is outside of memory");
		if (hv_bootmem_contains(bootmem, array[i]))
			return wrong(reason, "a page of the stream is in boot memory");
		if (array[i] - breadcrumb->array < own)
			return wrong(reason, "a page of the stream is in the array of its pages");
	}
	return 0;
}
