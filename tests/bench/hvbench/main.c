/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pause of an update of the hypervisor, in the model.
 *
 *	hvbench ROUNDS DOMAINS,MEMORY,FRAGMENTS,CPUS,METHOD...
 *
 * MEMORY: MiB of the machine; FRAGMENTS: pieces of memory of each domain; METHOD: region
 * or list. In each round every configuration is measured once, so that what disturbs
 * the machine disturbs all of them. One line of JSON comes out for each measurement.
 * Configurations of the same machine share it.
 */
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pause.h"

#define MOST 64

struct configuration {
	struct shape shape;
	unsigned int cpus;
	bool range_list;
	struct machine *machine;
	struct crew *crew;
};

static void parse(const char *text, struct configuration *configuration)
{
	struct shape *shape = &configuration->shape;
	char method[8];
	uint64_t mib;

	if (sscanf(text, "%u,%" SCNu64 ",%" SCNu64 ",%u,%7s", &shape->domains, &mib,
		   &shape->fragments, &configuration->cpus, method) != 5 ||
	    !shape->domains || mib < 256 || mib > UINT64_C(1) << 26 || !shape->fragments ||
	    !configuration->cpus)
		errx(2, "no configuration: %s", text);
	shape->memory = mib << 20;
	configuration->range_list = strcmp(method, "list") == 0;
}

static bool same_machine(const struct shape *a, const struct shape *b)
{
	return a->domains == b->domains && a->memory == b->memory && a->fragments == b->fragments;
}

/* Let it have a machine and CPUs, those of an earlier one if they are alike. */
static void equip(struct configuration *all, int index)
{
	struct configuration *own = &all[index];

	for (int i = 0; i < index; i++) {
		if (same_machine(&all[i].shape, &own->shape))
			own->machine = all[i].machine;
		if (all[i].cpus == own->cpus)
			own->crew = all[i].crew;
	}
	if (!own->machine)
		own->machine = machine_new(&own->shape);
	if (!own->crew)
		own->crew = crew_new(own->cpus);
}

static void print(int index, unsigned long round, const struct machine *machine,
		  const struct pause *pause)
{
	uint64_t total = 0;

	printf("{\"configuration\": %d, \"round\": %lu", index, round);
	for (int part = 0; part < PARTS; part++) {
		printf(", \"%s\": %" PRIu64, part_names[part], pause->nanoseconds[part]);
		total += pause->nanoseconds[part];
	}
	printf(", \"pause\": %" PRIu64 ", \"stream_pages\": %" PRIu64 ", \"fragments\": %" PRIu64,
	       total, pause->pages, machine_fragments(machine));
	printf(", \"boot_regions\": %" PRIu64 ", \"boots\": %s}\n", pause->regions,
	       pause->boots ? "true" : "false");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct configuration *all;
	unsigned long rounds;
	int count = argc - 2;

	if (count < 1 || count > MOST)
		errx(2, "usage: hvbench ROUNDS DOMAINS,MEMORY,FRAGMENTS,CPUS,METHOD...");
	rounds = strtoul(argv[1], NULL, 10);
	all = calloc((size_t)count, sizeof(*all));
	if (!all)
		err(1, "memory");
	for (int i = 0; i < count; i++) {
		parse(argv[i + 2], &all[i]);
		equip(all, i);
	}
	for (unsigned long round = 0; round < rounds; round++) {
		for (int i = 0; i < count; i++) {
			struct pause pause;

			pause_measure(all[i].machine, all[i].crew, all[i].range_list, &pause);
			print(i, round, all[i].machine, &pause);
		}
	}
	for (int i = count - 1; i >= 0; i--) {
		bool machine_shared = false, crew_shared = false;

		for (int j = 0; j < i; j++) {
			machine_shared |= all[j].machine == all[i].machine;
			crew_shared |= all[j].crew == all[i].crew;
		}
		if (!machine_shared)
			machine_free(all[i].machine);
		if (!crew_shared)
			crew_free(all[i].crew);
	}
	free(all);
	return 0;
}
