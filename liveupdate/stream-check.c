/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The course of a check: order of records, and what can only be said at the end. */
#include "liveupdate/stream-checker.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_problem(struct stream_checker *checker, size_t offset, bool warning,
			const char *format, va_list args)
{
	struct stream_report *report = checker->report;

	if (report->count < report->room) {
		struct stream_problem *problem = &report->problem[report->count];

		problem->offset = offset;
		problem->warning = warning;
		vsnprintf(problem->text, sizeof(problem->text), format, args);
	}
	report->count++;
	if (warning)
		report->warnings++;
	else
		report->errors++;
}

void check_error(struct stream_checker *checker, size_t offset, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_problem(checker, offset, false, format, args);
	va_end(args);
}

void check_warning(struct stream_checker *checker, size_t offset, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_problem(checker, offset, !checker->report->own, format, args);
	va_end(args);
}

void check_remark(struct stream_checker *checker, size_t offset, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_problem(checker, offset, true, format, args);
	va_end(args);
}

void check_number(struct stream_checker *checker, struct checked_numbers *numbers, uint64_t number,
		  size_t offset)
{
	if (numbers->count == numbers->room) {
		size_t room = numbers->room ? numbers->room * 2 : 64;
		struct checked_number *grown = realloc(numbers->entry,
						       room * sizeof(*numbers->entry));

		if (!grown) {
			checker->no_memory = true;
			return;
		}
		numbers->entry = grown;
		numbers->room = room;
	}
	numbers->entry[numbers->count].number = number;
	numbers->entry[numbers->count++].offset = offset;
}

static int compare_numbers(const void *a, const void *b)
{
	const struct checked_number *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static void check_unique(struct stream_checker *checker, struct checked_numbers *numbers,
			 const char *what)
{
	if (numbers->count)
		qsort(numbers->entry, numbers->count, sizeof(*numbers->entry), compare_numbers);
	for (size_t i = 1; i < numbers->count; i++)
		if (numbers->entry[i].number == numbers->entry[i - 1].number)
			check_error(checker, numbers->entry[i].offset,
				    "%s %llu is also used at offset %zu", what,
				    (unsigned long long)numbers->entry[i].number,
				    numbers->entry[i - 1].offset);
}

struct checked_domain *check_domain_of(struct stream_checker *checker, uint16_t domid)
{
	struct checked_domain **page = &checker->domain_page[domid >> 8];

	if (!*page)
		*page = calloc(256, sizeof(**page));
	if (!*page) {
		checker->no_memory = true;
		return &checker->no_domain;
	}
	return &(*page)[domid & 0xff];
}

struct stream_checker *stream_checker_new(const struct hash_secret *secret,
					  struct stream_report *report)
{
	struct stream_checker *checker = calloc(1, sizeof(*checker));

	if (!checker)
		return NULL;
	checker->report = report;
	checker->secret = secret;
	checker->paths.secret = secret;
	checker->overlay.secret = secret;
	checker->changes.secret = secret;
	*report = (struct stream_report){.problem = report->problem, .room = report->room};
	return checker;
}

void stream_checker_free(struct stream_checker *checker)
{
	if (!checker)
		return;
	stream_paths_deinit(&checker->paths);
	stream_paths_deinit(&checker->overlay);
	stream_paths_deinit(&checker->changes);
	free(checker->connection);
	for (size_t i = 0; i < 256; i++)
		free(checker->domain_page[i]);
	free(checker->fds.entry);
	free(checker->ports.entry);
	free(checker->records.entry);
	free(checker->clients.entry);
	free(checker->tx_ids.entry);
	free(checker);
}

static void check_odd(struct stream_checker *checker, const struct stream_record *record)
{
	bool untidy = record->type == STREAM_GLOBAL_QUOTA || record->type == STREAM_DOMAIN;

	if (record->odd & STREAM_ODD_LENGTH)
		check_warning(checker, record->offset, "length %u is not a multiple of 8",
			      record->length);
	if (record->odd & STREAM_ODD_TRAILING)
		check_warning(checker, record->offset, "%s record with more than is known of it",
			      stream_type_name(record->type));
	/* Upstream leaves these two dirty. */
	if ((record->odd & STREAM_ODD_PADDING) && (!untidy || checker->report->own))
		check_warning(checker, record->offset, "padding is not zero");
	if (record->odd & STREAM_ODD_WATCH)
		check_warning(checker, record->offset,
			      "extended watch in a form of no description%s",
			      record->odd & STREAM_ODD_SHORT ? ", shorter than announced" : "");
	if (record->odd & STREAM_ODD_FIELDS)
		check_warning(checker, record->offset, "unknown flags of a connection");
}

static void check_first(struct stream_checker *checker, const struct stream_record *record)
{
	bool fragment = record->type == STREAM_IMAGE && record->understood &&
			(record->own.image.flags & STREAM_IMAGE_FRAGMENT);

	if (record->type == STREAM_GLOBAL) {
		if (checker->global)
			check_error(checker, record->offset, "second GLOBAL record");
		else if (checker->report->records)
			check_error(checker, record->offset, "GLOBAL is not the first record");
		checker->global = true;
	} else if (!checker->report->records && !fragment) {
		check_error(checker, record->offset, "the first record is not GLOBAL");
	}
}

static void check_record(struct stream_checker *checker, const struct stream_record *record)
{
	bool of_tx = record->type == STREAM_TX_DIFFERENCE || record->type == STREAM_TX_TOUCH ||
		     record->type == STREAM_TX_CHANGE;

	check_first(checker, record);
	if (checker->tx_at && !of_tx)
		check_tx_end(checker, record->offset);
	if (record->type != STREAM_PERMS && record->type != STREAM_NODE) {
		checker->node_perms = 0;
		if (checker->nodes_end && checker->report->nodes &&
		    record->offset != checker->nodes_end)
			check_error(checker, record->offset,
				    "the nodes of the SNAPSHOT end here and not at %zu",
				    checker->nodes_end);
		if (checker->report->nodes)
			checker->nodes_end = 0;
	}
	switch (record->type) {
	case STREAM_GLOBAL:
		if (record->global.listen_fd >= 0)
			check_number(checker, &checker->fds, (uint64_t)record->global.listen_fd,
				     record->offset);
		if (record->global.evtchn_fd >= 0)
			check_number(checker, &checker->fds, (uint64_t)record->global.evtchn_fd,
				     record->offset);
		break;
	case STREAM_CONNECTION:
		check_connection(checker, record);
		break;
	case STREAM_WATCH:
	case STREAM_WATCH_EXTENDED:
		check_watch(checker, record);
		break;
	case STREAM_TRANSACTION:
		check_warning(checker, record->offset, "TRANSACTION record, which is ignored");
		break;
	case STREAM_NODE:
		check_node(checker, record);
		break;
	case STREAM_GLOBAL_QUOTA:
		if (checker->quota)
			check_error(checker, record->offset, "second GLOBAL_QUOTA record");
		checker->quota = true;
		check_quotas(checker, record->offset, &record->quotas);
		break;
	case STREAM_DOMAIN:
		check_domain(checker, record);
		break;
	default:
		if (stream_is_own(record->type))
			check_own(checker, record);
		else
			check_remark(checker, record->offset, "unknown record type 0x%x",
				     record->type);
	}
	check_odd(checker, record);
	checker->report->records++;
}

static void read_records(struct stream_checker *checker, size_t size, bool to_the_end)
{
	struct stream_record record;
	struct stream_error error;

	while (!checker->broken && !checker->reader.ended &&
	       (to_the_end || checker->reader.at < size)) {
		enum stream_status status = stream_next(&checker->reader, &record, &error);

		if (status == STREAM_DONE) {
			check_first(checker, &record);
			check_tx_end(checker, record.offset);
			break;
		}
		if (status == STREAM_RECORD) {
			check_record(checker, &record);
			continue;
		}
		check_error(checker, error.offset, "%s", error.text);
		checker->broken = status == STREAM_BROKEN;
		checker->report->records++;
	}
}

static int outcome(const struct stream_checker *checker)
{
	if (checker->no_memory)
		return ENOMEM;
	return checker->report->errors ? EINVAL : 0;
}

int stream_check_step(struct stream_checker *checker, const void *image, size_t size)
{
	struct stream_error error;

	if (checker->broken)
		return outcome(checker);
	if (!checker->started) {
		checker->started = true;
		if (stream_reader_init(&checker->reader, image, size, &error)) {
			check_error(checker, error.offset, "%s", error.text);
			checker->broken = true;
		}
	}
	checker->reader.image = image;
	checker->reader.size = size;
	read_records(checker, size, false);
	return outcome(checker);
}

static void check_known(struct stream_checker *checker, unsigned int domid,
			const struct checked_domain *domain)
{
	uint8_t enough = KNOWN_RING | KNOWN_DOMAIN | KNOWN_STATE;

	if ((domain->known & KNOWN_OWNER) && !(domain->known & enough))
		check_warning(checker, domain->owner_at,
			      "owner is domain %u, of which nothing else is known", domid);
	else if ((domain->known & KNOWN_TARGET) && !(domain->known & enough))
		check_warning(checker, domain->owner_at,
			      "target is domain %u, of which nothing else is known", domid);
	if ((domain->known & KNOWN_CREDIT) && !(domain->known & KNOWN_STATE))
		check_error(checker, domain->domain_at, "credit of domain %u, which has no record",
			    domid);
	/* Upstream exits on such a record. */
	if ((domain->known & ~KNOWN_THEN) == KNOWN_DOMAIN)
		check_warning(checker, domain->domain_at,
			      "domain %u has neither a connection nor a node", domid);
}

static void check_domains(struct stream_checker *checker)
{
	for (unsigned int domid = 0; domid < 65536; domid++) {
		const struct checked_domain *page = checker->domain_page[domid >> 8];

		if (!page)
			domid |= 0xff;
		else if (domid && domid != CHECK_DOMID_ANY && page[domid & 0xff].known)
			/* Domain 0 is left out: everything is its own in the end. */
			check_known(checker, domid, &page[domid & 0xff]);
	}
}

/* The store's own domain and the privileged one are always there. */
static void check_store_domains(struct stream_checker *checker, size_t end)
{
	const uint16_t domid[] = {checker->own_domid, checker->priv_domid};

	for (int i = 0; i < 2; i++)
		if (!(check_domain_of(checker, domid[i])->known & KNOWN_STATE))
			check_error(checker, end, "there is no record of the store's domain %u",
				    domid[i]);
}

/* A fragment is of one domain, which it names. */
static void check_fragment(struct stream_checker *checker, size_t end)
{
	struct stream_report *report = checker->report;
	uint16_t domid = checker->fragment_domid;

	if (checker->records.count != 1)
		check_error(checker, end, "a fragment is of one domain, this one of %zu",
			    checker->records.count);
	else if (report->connections > 1 ||
		 (report->connections && !(check_domain_of(checker, domid)->known & KNOWN_RING)))
		check_error(checker, end, "a fragment has only the connection of its domain %u",
			    domid);
	if (report->domains > 1 ||
	    (report->domains && !(check_domain_of(checker, domid)->known & KNOWN_DOMAIN)))
		check_error(checker, end, "a fragment has only the quotas of its domain %u", domid);
	if (checker->delta)
		check_error(checker, end, "a fragment has no changes");
}

static void check_whole(struct stream_checker *checker)
{
	struct stream_report *report = checker->report;
	size_t end = checker->reader.at;

	if (checker->reader.at < checker->reader.size)
		check_error(checker, end, "%zu bytes behind the END record",
			    checker->reader.size - checker->reader.at);
	if (!checker->root && !report->fragment)
		check_error(checker, end, "there is no node \"/\"");
	if (!report->fragment && !(checker->introduce && checker->release))
		check_warning(checker, end, "a special node is missing");
	if (checker->own_at && !checker->image)
		check_error(checker, checker->own_at,
			    "records of our own without an IMAGE record in front");
	check_unique(checker, &checker->fds, "file descriptor");
	check_unique(checker, &checker->ports, "event channel");
	check_unique(checker, &checker->records, "domain record");
	check_unique(checker, &checker->clients, "client id");
	check_unique(checker, &checker->tx_ids, "connection and transaction");
	if (checker->counters && checker->max_record > checker->last_record)
		check_error(checker, end, "domain record %llu is above the last one given out",
			    (unsigned long long)checker->max_record);
	if (checker->counters && checker->max_client > checker->last_client)
		check_error(checker, end, "client id %llu is above the last one given out",
			    (unsigned long long)checker->max_client);
	for (size_t i = 0; checker->any_client && i < checker->connection_count; i++)
		if (!checker->connection[i].client)
			check_error(checker, end, "connection %u has no CLIENT record",
				    checker->connection[i].id);
	if (checker->records.count && !report->fragment)
		check_store_domains(checker, end);
	if (report->fragment)
		check_fragment(checker, end);
	else
		check_domains(checker);
}

int stream_check_finish(struct stream_checker *checker, const void *image, size_t size)
{
	int error = stream_check_step(checker, image, size);

	if (error == ENOMEM || checker->broken)
		return error;
	read_records(checker, size, true);
	if (!checker->broken)
		check_whole(checker);
	return outcome(checker);
}

int stream_check(const void *image, size_t size, const struct hash_secret *secret,
		 struct stream_report *report)
{
	struct stream_checker *checker = stream_checker_new(secret, report);
	int error;

	if (!checker)
		return ENOMEM;
	error = stream_check_finish(checker, image, size);
	stream_checker_free(checker);
	return error;
}
