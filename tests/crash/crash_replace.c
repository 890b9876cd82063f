/* SPDX-License-Identifier: Apache-2.0 */
/* A file appears whole or not at all, whenever its writer dies. Usage: crash_replace SEED
 * CYCLES
 *
 * A child replaces a safetensors file by its next version. First it is killed in each of
 * its steps in turn, then CYCLES times at a moment the seed chooses, while it replaces
 * version after version. Each time the file must be one whole version: the last that was
 * said to be committed, or the one after it; and the next writer must find nothing in its
 * way. */

#include "proto/fail.h"
#include "proto/tensors.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { N_ROWS = 40, DIM = 200, N_VALUES = N_ROWS * DIM };

static const char name[] = "f.safetensors";
static const char aside[] = "f.safetensors.new";

struct test {
    char folder[40];
    uint64_t seed;
    uint64_t version;                /* that the file holds */
    atomic_uint_fast64_t *committed; /* the last that the child was done with */
    uint64_t n_killed, n_old, n_new, n_findings;
};

static uint64_t next_random(struct test *test)
{
    test->seed = test->seed * 6364136223846793005U + 1442695040888963407U;
    return test->seed >> 33;
}

static float value_of(uint64_t version, size_t i)
{
    return (float)(version % 1000) + (float)(i % 1000) / 1024.0F;
}

static uint32_t bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static enum hl_code write_version(uint64_t version, struct hl_err *err)
{
    struct hl_tensor tensor = {
        .name = "rows", .type = HL_DTYPE_F32, .n_dims = 2, .shape = {N_ROWS, DIM}};
    char text[24];
    struct hl_metadata metadata = {"version", text};
    struct hl_tensors_plan plan = {&tensor, 1, &metadata, 1};
    struct hl_tensors_writer *writer;
    enum hl_code code;

    snprintf(text, sizeof text, "%llu", (unsigned long long)version);
    code = hl_tensors_writer_open(name, &plan, &writer, err);
    if (code != HL_OK)
        return code;
    for (size_t row = 0; row < N_ROWS && code == HL_OK; row++) {
        float values[DIM];

        for (size_t i = 0; i < DIM; i++)
            values[i] = value_of(version, row * DIM + i);
        code = hl_tensors_writer_add_floats(writer, values, DIM, err);
    }
    if (code == HL_OK)
        return hl_tensors_writer_commit(writer, err);
    hl_tensors_writer_abandon(writer);
    return code;
}

/* The version that the tensors are, 0 when they are a mixture. */
static uint64_t version_of(const struct hl_tensors *tensors)
{
    const struct hl_tensor *tensor = hl_tensors_find(tensors, "rows");
    const char *text = hl_tensors_metadata(tensors, "version");
    float values[N_VALUES];
    struct hl_err err;
    uint64_t version;

    if (!tensor || !text ||
        hl_tensors_floats(tensors, tensor, 0, N_ROWS, values, &err) != HL_OK)
        return 0;
    version = strtoull(text, NULL, 10);
    for (size_t i = 0; i < N_VALUES; i++) {
        if (bits_of(values[i]) != bits_of(value_of(version, i)))
            return 0;
    }
    return version;
}

static uint64_t read_version(struct hl_err *err)
{
    struct hl_tensors *tensors = NULL;
    struct hl_file *file = NULL;
    struct hl_source source;
    uint64_t version = 0;

    *err = (struct hl_err){.msg = "it is a mixture"};
    if (hl_file_open(name, HL_FILE_READ, &file, err) == HL_OK &&
        hl_source_of_file(file, &source, err) == HL_OK &&
        hl_tensors_new(&source, HL_TENSORS_MAX_HEADER, &tensors, err) == HL_OK)
        version = version_of(tensors);
    hl_tensors_free(tensors);
    hl_file_close(file);
    return version;
}

static void find(struct test *test, const char *what, const char *why)
{
    test->n_findings++;
    printf("# %s: %s\n", what, why);
}

/* The file after its writer died: the last committed version or the next, then one more
 * written over whatever was left aside. */
static void check_file(struct test *test, const char *what)
{
    uint64_t committed = atomic_load(test->committed);
    struct hl_err err;
    uint64_t version = read_version(&err);

    if (version == 0)
        find(test, what, err.msg);
    else if (version != committed && version != committed + 1)
        find(test, what, "it is neither the old version nor the new one");
    else if (version == committed)
        test->n_old++;
    else
        test->n_new++;
    test->version = committed + 2;
    if (write_version(test->version, &err) != HL_OK)
        find(test, what, err.msg);
    else if (read_version(&err) != test->version)
        find(test, what, "the next writer's file is not whole");
    else if (access(aside, F_OK) == 0)
        find(test, what, "the next writer left something aside");
}

/* What the child does: `n_times` the next version, and the sum of its success. */
static _Noreturn void replace(struct test *test, const char *rule, uint64_t n_times)
{
    struct hl_err err;

    if (hl_failpoint_arm(rule, &err) != HL_OK)
        _exit(3);
    for (uint64_t i = 1; i <= n_times; i++) {
        if (write_version(test->version + i, &err) != HL_OK)
            _exit(2);
        atomic_store(test->committed, test->version + i);
    }
    _exit(0);
}

static pid_t start_child(struct test *test, const char *rule, uint64_t n_times)
{
    pid_t child;

    (void)fflush(stdout);
    atomic_store(test->committed, test->version);
    child = fork();
    if (child == 0)
        replace(test, rule, n_times);
    return child;
}

/* Whether it was killed; anything but that or success is a finding. */
static bool await_killed(struct test *test, pid_t child, const char *what)
{
    int status = 0;

    if (child < 0 || waitpid(child, &status, 0) != child)
        find(test, what, "could not start a writer");
    else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
        test->n_killed++;
        return true;
    } else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        find(test, what, "the writer failed by itself");
    return false;
}

static void kill_in_each_step(struct test *test, const char *place)
{
    bool is_killed = true;

    for (unsigned nth = 1; is_killed && nth < 1000; nth++) {
        char rule[40];

        snprintf(rule, sizeof rule, "%s=%u:kill", place, nth);
        is_killed = await_killed(test, start_child(test, rule, 1), rule);
        check_file(test, rule);
    }
}

static void kill_at_random(struct test *test)
{
    struct timespec rest = {.tv_nsec = (long)(next_random(test) % 20000) * 1000L};
    pid_t child = start_child(test, "", UINT32_MAX);

    while (nanosleep(&rest, &rest) != 0 && errno == EINTR)
        continue;
    if (child > 0)
        (void)kill(child, SIGKILL);
    (void)await_killed(test, child, "random");
    check_file(test, "random");
}

static bool set_up(struct test *test)
{
    struct hl_err err;

    test->committed = mmap(NULL, sizeof *test->committed, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (test->committed == MAP_FAILED || !mkdtemp(test->folder) || chdir(test->folder) != 0)
        return false;
    test->version = 1;
    return write_version(test->version, &err) == HL_OK;
}

int main(int argc, char **argv)
{
    static const char *const places[] = {"file.open", "file.write", "file.sync",
                                         "file.rename"};
    struct test test = {.folder = "/tmp/heirloom_crash_XXXXXX"};
    uint64_t n_cycles;

    if (argc != 3) {
        fprintf(stderr, "usage: crash_replace SEED CYCLES\n");
        return 2;
    }
    test.seed = strtoull(argv[1], NULL, 10);
    n_cycles = strtoull(argv[2], NULL, 10);
    if (!set_up(&test)) {
        perror(test.folder);
        return 2;
    }
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        kill_in_each_step(&test, places[i]);
    /* Both sides of the rename were seen, or the kills missed what they were to hit. */
    if (test.n_old == 0 || test.n_new == 0)
        find(&test, "each step", "no kill left an old version, or none a new one");
    for (uint64_t i = 0; i < n_cycles; i++)
        kill_at_random(&test);
    (void)unlink(name);
    (void)unlink(aside);
    if (chdir("/") == 0)
        (void)rmdir(test.folder);
    printf("1..1\n%s 1 - crash_replace: a file is whole whenever its writer dies\n",
           test.n_findings ? "not ok" : "ok");
    printf("# old=%llu new=%llu\n", (unsigned long long)test.n_old,
           (unsigned long long)test.n_new);
    printf("# count=%llu findings=%llu\n", (unsigned long long)test.n_killed,
           (unsigned long long)test.n_findings);
    return test.n_findings ? 1 : 0;
}
