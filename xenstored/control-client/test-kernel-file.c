/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernels as they lie in a file: plain, compressed, broken. */
#include "control-client/kernel-file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* More than one step of the growing buffer, and more than a pipe holds. */
#define SIZE (3UL << 20)

static char directory[] = "/tmp/test-kernel-file.XXXXXX";
static unsigned char *image;

static int setup(void **state)
{
	(void)state;
	image = malloc(SIZE);
	if (!image || !mkdtemp(directory) || chdir(directory) < 0)
		return -1;
	for (size_t i = 0; i < SIZE; i++)
		image[i] = (unsigned char)(i * 2654435761U >> 13);
	memcpy(image, "\177ELF", 4);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(image);
	return rmdir(directory);
}

static void write_file(const char *name, const void *bytes, size_t size)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static void assert_loads(const char *name)
{
	struct kernel_file kernel;

	assert_int_equal(kernel_file_load(&kernel, name), 0);
	assert_int_equal(kernel.size, SIZE);
	assert_memory_equal(kernel.bytes, image, SIZE);
	kernel_file_deinit(&kernel);
	assert_null(kernel.bytes);
}

static void assert_fails(const char *name, int ret, const char *text)
{
	struct kernel_file kernel;

	assert_int_equal(kernel_file_load(&kernel, name), ret);
	assert_non_null(strstr(kernel.error, text));
	assert_null(kernel.bytes);
}

static void test_plain(void **state)
{
	(void)state;
	write_file("kernel", image, SIZE);
	assert_loads("kernel");
	unlink("kernel");
}

static void test_compressed(void **state)
{
	(void)state;
	write_file("-kernel", image, SIZE);
	assert_int_equal(system("gzip -1 -- -kernel"), 0);
	assert_loads("-kernel.gz");
	assert_int_equal(truncate("-kernel.gz", 1000), 0);
	assert_fails("-kernel.gz", -EIO, "gzip");
	unlink("-kernel.gz");
}

static void test_not_a_kernel(void **state)
{
	(void)state;
	write_file("script", "#!/bin/sh\n", 10);
	assert_fails("script", -ENOEXEC, "script: not an ELF image");
	assert_int_equal(system("gzip script"), 0);
	assert_fails("script.gz", -ENOEXEC, "not an ELF image");
	unlink("script.gz");

	write_file("empty", "", 0);
	assert_fails("empty", -ENOEXEC, "not an ELF image");
	unlink("empty");
	assert_fails("missing", -ENOENT, "missing: No such file or directory");
	assert_fails(".", -EISDIR, "Is a directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_compressed),
		cmocka_unit_test(test_not_a_kernel),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
