/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of live update share. Private to update*.c.
 *
 *	update.c        sessions, and the steps of an update
 *	update-state.c  the state: how long it is, written, checked
 *	update-file.c   the state as a file
 *	update-jump.c   what the next image is started with, and the start
 *	update-start.c  the other end: an image that another one has started
 *	update-exchange.c, update-adopt.c  the same to and from xenstoreds of another kind
 */
#ifndef XENSTORED_STUBDOM_UPDATE_PARTS_H
#define XENSTORED_STUBDOM_UPDATE_PARTS_H

#include "stubdom/update.h"
#include "stubdom/update/kernel-image.h"

/* Texts of modules, by which a foreign image could know them. */
#define MODULE_STATE	"xenstored-state"
#define MODULE_PREVIOUS "xenstored-previous"

/* That the file may take, written or read. All of dom0 waits meanwhile. */
#define UPDATE_FILE_SECONDS 60u

/* Memory that an update holds beside the new image's file. */
struct update_memory {
	bool in_file; /* the state is handed over in the file */
	char *state;  /* in memory; of a state in the file: a copy for the way back, or NULL */
	size_t state_size;
	struct handover_key key;
	uint64_t state_sum;
	char *previous; /* the file of this image */
	size_t previous_size;
};

/** Give one part back, and forget it. */
void update_memory_give_back(char **place, size_t size);

/** Give all of it back. */
void update_memory_free(struct update_memory *memory);

/**
 * Pages at the highest free place, for @size bytes; the domain's limit may have been raised.
 * @why: KERNEL_WHY_MAX bytes; says how much is missing when there is none
 * Returns NULL then.
 */
char *update_memory_get(size_t size, char *why);

/** Write the state to @put. @data: struct stubdom_update. Returns 0 or an errno value. */
int update_state_save(void *data, int (*put)(void *, const void *, size_t), void *sink);

/** Find out how long the state is, and its sum under a new key. Returns false with @why. */
bool update_state_measure(struct stubdom_update *update, struct update_memory *memory, char *why);

/**
 * Write the state into the memory there is for it, and check what was written. Returns whether it
 * is good; else @why.
 */
bool update_state_write(struct stubdom_update *update, struct update_memory *memory, char *why);

/** Check the stream as a whole, without making anything of it. Returns whether it is good. */
bool update_state_check(const void *state, size_t size, char *why);

/**
 * Write the state to the file, from memory if it is there, and read it back to see that it is what
 * was written. Returns false with @why when that is not possible.
 */
bool update_file_write(struct stubdom_update *update, const struct update_memory *memory,
		       char *why);

/** Read it back, exactly @size bytes. Returns false with @why. */
bool update_file_read(struct files *files, char *state, size_t size, char *why);

/**
 * Put the connection that the files are on into the page, as it is now, and seal the page: whoever
 * uses the connection leaves it changed for the next image, or for the one before.
 */
void update_file_hand_over(const struct files *files, struct handover *handover);

/** How long the file of another xenstored is, which nobody tells. Returns false with @why. */
bool update_file_measure(struct files *files, size_t *size, char *why);

/** Remove the file, some time. */
void update_file_remove(struct files *files);

/**
 * What the new image is told: the options of the session, or ours, for a @foreign one without those
 * that ours alone has; and -U. Returns false when there is no room.
 */
bool update_command_line(const struct stubdom_update *update, bool foreign, char *line,
			 size_t room);

/**
 * Become the image that the session has, which has not our note: see update-exchange.c. Returns ms
 * to wait before it is tried again, or 0 when it is refused; @why says why.
 */
int update_exchange(struct stubdom_update *update, char *why);

/**
 * Start the image. Returns only if the command line is too long.
 * @image: of the file that the session has
 * @started: ns, when serving ended
 */
void update_jump(struct stubdom_update *update, const struct kernel_image *image,
		 const struct update_memory *memory, uint64_t started);

#endif
