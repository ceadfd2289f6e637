/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A store in memory, as much of it as every xenstored has: made from an image
 * or from an oxenstored's dump, and written in the order that a receiver needs.
 */
#ifndef LIVEUPDATE_TOOL_MODEL_H
#define LIVEUPDATE_TOOL_MODEL_H

#include "bytes/hash.h"
#include "liveupdate/tool/tool.h"

struct tree_node {
	struct hash_link link; /* by path */
	struct tree_node *parent, *first, *last, *previous, *next;
	const char *path; /* terminated */
	size_t path_len;
	const uint8_t *value;
	uint16_t value_len, perm_count;
	const struct stream_perm *perms;
};

/* A watch and its place in the order of all. */
struct model_watch {
	struct stream_watch watch; /* first */
	size_t index;
};

/* A growing list of pointers. */
struct pointers {
	void **item;
	size_t count, room;
};

struct model {
	bool has_global;
	uint16_t own_domid, priv_domid;
	struct stream_global global;
	const struct stream_quotas *quotas; /* NULL = none */
	struct pointers connections;	    /* struct stream_connection */
	struct pointers watches;	    /* struct model_watch */
	struct pointers domains;	    /* struct stream_domain */
	struct pointers own;		    /* struct stream_record, all but nodes' */
	struct hash nodes;
	struct tree_node tops; /* parent of "/", the special nodes, and what lacks a parent */
};

void pointers_add(struct pointers *pointers, void *item);

void model_init(struct model *model);
void model_deinit(struct model *model);

/** Build from an image that has been checked. */
void model_load(struct model *model, const struct tool_file *file);

/** The node at @path or NULL. */
struct tree_node *model_find(const struct model *model, const char *path, size_t len);

/** Set a node's value and permissions; made as the last child if it is missing. Texts are kept. */
struct tree_node *model_set(struct model *model, const char *path, size_t len, const uint8_t *value,
			    size_t value_len, const struct stream_perm *perms, size_t perm_count);

/** Owner of a node. */
unsigned int model_owner(const struct tree_node *node);

/** The node behind @node in a walk, parents first, below @top only; NULL at the end. */
struct tree_node *model_next(const struct tree_node *top, const struct tree_node *node);

/** Write everything. What is not written is counted in writer->lost. Exits on trouble. */
void model_write(const struct model *model, struct stream_writer *writer);

/** Add a copy of a watch. */
void model_add_watch(struct model *model, const struct stream_watch *watch);

/** To be called when all watches are known; model_load() does it. */
void model_sort_watches(struct model *model);

/** Write the watches of a connection. */
void model_write_watches(const struct model *model, struct stream_writer *writer, uint32_t id);

/** Write a node. */
void model_write_node(struct stream_writer *writer, const struct tree_node *node);

/** Exits when the writer has failed. */
void model_writer_check(const struct stream_writer *writer);

/** Build from the text dump of an oxenstored. Prints what gets lost. */
void oxenstored_load(struct model *model, const struct tool_file *file);

/** True when the file is such a dump. */
bool oxenstored_is_dump(const struct tool_file *file);

/* For commands that write an image: begin it, and check and write what was made. */
void convert_start(struct stream_writer *writer, const struct tool_options *options,
		   const struct stream_dialect *dialect, struct stream_buffer *buffer);
void convert_finish(const struct tool_options *options, struct stream_buffer *buffer);

#endif
