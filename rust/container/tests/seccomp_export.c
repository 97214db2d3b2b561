/*
 * What libseccomp makes of a document, for the test seccomp.rs.
 *
 * Reads lines from standard input and writes the program to standard output (the default comes first):
 *   names NAME...                  write each with its number on five ABIs; no program
 *   default ACTION                 begin a filter
 *   arch NAME                      one more architecture ("x86", "x32", ...)
 *   rule ACTION NAME N [INDEX OP A B]...
 * The filter is for x86-64 unless the first argument names another architecture.
 */
#include <errno.h>
#include <inttypes.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *what, const char *object, int rc)
{
	fprintf(stderr, "%s %s: %s\n", what, object, strerror(-rc));
	exit(1);
}

static void numbers(void)
{
	static const char *const arches[] = {"x86_64", "x86", "x32", "aarch64", "arm"};
	char name[128];
	while (scanf("%127s", name) == 1) {
		printf("%s", name);
		for (size_t i = 0; i < sizeof(arches) / sizeof(*arches); i++)
			printf(" %d", seccomp_syscall_resolve_name_arch(
					      seccomp_arch_resolve_name(arches[i]), name));
		printf("\n");
	}
}

int main(int argc, char **argv)
{
	const char *native = argc > 1 ? argv[1] : "x86_64";
	char word[128], name[128];
	uint32_t action;
	unsigned count;
	int rc;
	scmp_filter_ctx ctx = NULL;

	while (scanf("%127s", word) == 1) {
		if (!strcmp(word, "names")) {
			numbers();
			return 0;
		} else if (!strcmp(word, "default") && scanf("%" SCNu32, &action) == 1) {
			ctx = seccomp_init(action);
			if (!ctx)
				fail("init", "filter", -EINVAL);
			if (seccomp_arch_resolve_name(native) != seccomp_arch_native()) {
				seccomp_arch_remove(ctx, SCMP_ARCH_NATIVE);
				rc = seccomp_arch_add(ctx, seccomp_arch_resolve_name(native));
				if (rc)
					fail("arch", native, rc);
			}
		} else if (!strcmp(word, "arch") && scanf("%127s", name) == 1) {
			rc = seccomp_arch_add(ctx, seccomp_arch_resolve_name(name));
			if (rc && rc != -EEXIST)
				fail("arch", name, rc);
		} else if (!strcmp(word, "rule") &&
			   scanf("%" SCNu32 "%127s%u", &action, name, &count) == 3 && count <= 6) {
			struct scmp_arg_cmp args[6];
			for (unsigned i = 0; i < count; i++) {
				unsigned index, op;
				if (scanf("%u%u%" SCNu64 "%" SCNu64, &index, &op, &args[i].datum_a,
					  &args[i].datum_b) != 4)
					fail("read", name, -EINVAL);
				args[i].arg = index;
				args[i].op = op;
			}
			rc = seccomp_rule_add_array(ctx, action, seccomp_syscall_resolve_name(name),
						    count, args);
			if (rc)
				fail("rule", name, rc);
		} else {
			fail("read", word, -EINVAL);
		}
	}
	rc = seccomp_export_bpf(ctx, 1);
	if (rc)
		fail("export", "program", rc);
	return 0;
}
