/* The options of a program: defaults, file and flags over each other, and the words of every
 * refusal.
 *
 * Real files in a temporary folder; what ends the process (--help, wrong usage) runs in a child
 * whose output and status are read. */
#include "base/io.h"
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct options {
    char *state, *store, *secret, *add_peer, *to;
    int64_t port, disk_low;
    bool verbose;
};

#define TARGET(field) .target = offsetof(struct options, field)
// clang-format off
static const struct sw_config_key keys[] = {
    {"state", SW_CONFIG_TEXT, TARGET(state), .fallback = "/var/lib/x", .argument = "DIR", .help = "Where"},
    {"store", SW_CONFIG_TEXT, SW_CONFIG_SECRET_URI, TARGET(store), .fallback = "sqlite", .help = "Store"},
    {"secret", SW_CONFIG_TEXT, SW_CONFIG_SECRET, TARGET(secret), .min = 4, .max = 8, .help = "Hidden"},
    {"add-peer", SW_CONFIG_TEXT, SW_CONFIG_COMMAND_LINE, TARGET(add_peer), .help = "Add"},
    {"to", SW_CONFIG_TEXT, SW_CONFIG_COMMAND_LINE | SW_CONFIG_SECRET_URI | SW_CONFIG_ARGUMENT, TARGET(to), .help = "Unseen"},
    {"port", SW_CONFIG_INT, TARGET(port), .fallback = "7420", .min = 1, .max = 65535, .help = "Port"},
    {"disk-low", SW_CONFIG_SIZE, TARGET(disk_low), .fallback = "1G", .min = 1 << 20, .max = INT64_C(1) << 40, .help = "Free"},
    {"verbose", SW_CONFIG_BOOL, TARGET(verbose), .help = "More"},
};
// clang-format on
static const struct sw_config_program program = {"test", "Tests.", keys, SW_COUNT(keys)};

static char folder[] = "/tmp/sw-config-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/test.conf", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void write_file(const char *text, size_t size)
{
    assert_int_equal(sw_file_replace(AT_FDCWD, path, text, size, 0600), 0);
}

/* argv from a text split at blanks: "--port 1". A NULL file means none. */
static int load(const char *file, const char *flags, struct options *ret, struct sw_err *ret_err)
{
    char text[512], *argv[16] = {"shadow-test", "--config", path};
    int argc = 3;
    if (!file)
        argc = 1;
    else
        write_file(file, strlen(file));
    snprintf(text, sizeof text, "%s", flags);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc] = NULL;
    return sw_config_load(&program, argc, argv, ret, ret_err);
}

static void defaults_hold(void **state)
{
    (void)state;
    struct options options;
    struct sw_err err;
    assert_int_equal(load(NULL, "", &options, &err), 0);
    assert_string_equal(options.state, "/var/lib/x");
    assert_string_equal(options.store, "sqlite");
    assert_null(options.secret);
    assert_int_equal(options.port, 7420);
    assert_int_equal(options.disk_low, INT64_C(1) << 30);
    assert_false(options.verbose);
    sw_config_done(&program, &options);
    assert_null(options.state);
}

static void later_wins(void **state)
{
    (void)state;
    struct options options;
    struct sw_err err;
    const char *file = "# a comment\n[test]\nstate = /srv/a b ; said so\nport: 9\nsecret=abcd\n\n"
                       "store = mongodb://u:pw@h/db\nverbose = on\ndisk-low = 64m";
    assert_int_equal(load(file, "--port=10 --verbose=no --add-peer a:b:c", &options, &err), 0);
    assert_string_equal(options.state, "/srv/a b");
    assert_string_equal(options.store, "mongodb://u:pw@h/db");
    assert_string_equal(options.secret, "abcd");
    assert_string_equal(options.add_peer, "a:b:c");
    assert_int_equal(options.port, 10);
    assert_int_equal(options.disk_low, 64 << 20);
    assert_false(options.verbose);
    sw_config_done(&program, &options);
}

static void the_file_is_refused_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        const char *why; /* after FOLDER/test.conf */
    } cases[] = {
        {"prot = 1\n", ":1: unknown key 'prot'; allowed: state store secret port disk-low verbose"},
        {"\n\nadd-peer = a\n",
         ":3: unknown key 'add-peer'; allowed: state store secret port disk-low verbose"},
        {"[broker]\nport = 1\n", ":2: section [broker]: [test] is allowed"},
        {"port = 1\nport = 2\n", ":2: port is given twice"},
        {"state = /a\n  /b\n", ":2: state is given twice"},
        {"port = 0\n", ":1: port = 0: a number from 1 to 65535 is allowed"},
        {"port = 65536\n", ":1: port = 65536: a number from 1 to 65535 is allowed"},
        {"port = 0x10\n", ":1: port = 0x10: a number from 1 to 65535 is allowed"},
        {"port = 99999999999999999999\n",
         ":1: port = 99999999999999999999: a number from 1 to 65535 is allowed"},
        {"port =\n", ":1: port = : a number from 1 to 65535 is allowed"},
        {"port = 1K\n", ":1: port = 1K: a number from 1 to 65535 is allowed"},
        {"disk-low = 2T\n",
         ":1: disk-low = 2T: a size such as 512K, 64M or 2G from 1M to 1T is allowed"},
        {"disk-low = 9999999T\n",
         ":1: disk-low = 9999999T: a size such as 512K, 64M or 2G from 1M to 1T is allowed"},
        {"disk-low = 64MB\n",
         ":1: disk-low = 64MB: a size such as 512K, 64M or 2G from 1M to 1T is allowed"},
        {"verbose = maybe\n", ":1: verbose = maybe: yes or no is allowed"},
        {"secret = abc\n", ":1: secret: a text of 4 to 8 bytes is allowed, not of 3"},
        {"secret = abcdefghi\n", ":1: secret: a text of 4 to 8 bytes is allowed, not of 9"},
        {"port = 1\nnonsense\nport = x\n", ":2: a line like `key = value` is allowed"},
        {"[test\n", ":1: a line like `key = value` is allowed"},
    };
    for (size_t i = 0; i < SW_COUNT(cases); i++) {
        struct options options;
        struct sw_err err = {"none"};
        char wanted[256];
        snprintf(wanted, sizeof wanted, "%s%s", path, cases[i].why);
        assert_true(load(cases[i].file, "", &options, &err) < 0);
        assert_string_equal(err.text, wanted);
        assert_null(options.state);
    }
}

static void a_line_is_whole_or_refused(void **state)
{
    (void)state;
    struct options options;
    struct sw_err err;
    char file[512] = "port = 1\nstate = /", wanted[256];
    size_t head = strlen(file), first = strlen("port = 1\n");
    memset(file + head, 'a', 197 - (head - first));
    assert_int_equal(load(file, "", &options, &err), 0);
    assert_int_equal(strlen(options.state), 197 - strlen("state = "));
    sw_config_done(&program, &options);

    memcpy(file + strlen(file), "a\n", 3);
    snprintf(wanted, sizeof wanted, "%s:2: a line of text of at most 197 bytes is allowed", path);
    assert_int_equal(load(file, "", &options, &err), -EINVAL);
    assert_string_equal(err.text, wanted);

    char *argv[] = {"shadow-test", "--config", path, NULL};
    write_file("port = 1\nsta\0te = /a\n", 21);
    assert_int_equal(sw_config_load(&program, 3, argv, &options, &err), -EINVAL);
    assert_string_equal(err.text, wanted);
}

static void a_file_that_cannot_be_read_is_refused(void **state)
{
    (void)state;
    struct options options;
    struct sw_err err;
    char *argv[] = {"shadow-test", "--config", "/nowhere/at-all", NULL};
    assert_int_equal(sw_config_load(&program, 3, argv, &options, &err), -ENOENT);
    assert_string_equal(err.text, "/nowhere/at-all: No such file or directory");
    argv[2] = folder;
    assert_true(sw_config_load(&program, 3, argv, &options, &err) < 0);
    argv[2] = "/dev/zero"; /* endless */
    assert_true(sw_config_load(&program, 3, argv, &options, &err) < 0);
}

static void flags_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"--port=70000", "--port = 70000: a number from 1 to 65535 is allowed"},
        {"--verbose=2", "--verbose = 2: yes or no is allowed"},
        {"--secret=abcd", "--secret is allowed in the file only: any user can see a command line"},
        {"--store=mongodb://u:pw@h/db",
         "--store: a URI with a password is allowed in the file only: "
         "any user can see a command line"},
        {"--store=mongodb://u:p/w@h/db",
         "--store: a URI with a password is allowed in the file only: "
         "any user can see a command line"},
    };
    struct options options;
    struct sw_err err;
    for (size_t i = 0; i < SW_COUNT(cases); i++) {
        assert_true(load(NULL, cases[i][0], &options, &err) < 0);
        assert_string_equal(err.text, cases[i][1]);
    }
    char *argv[] = {"shadow-test", "--disk-low", "5 ", NULL};
    assert_int_equal(sw_config_load(&program, 3, argv, &options, &err), -EINVAL);
    assert_int_equal(load(NULL, "--store=mongodb://u@h:27017/db", &options, &err), 0);
    assert_string_equal(options.store, "mongodb://u@h:27017/db");
    sw_config_done(&program, &options);
    assert_true(load(NULL, "mongodb://u:pw@h/db", &options, &err) < 0); /* of `to` as well */
    assert_int_equal(load(NULL, "there --port 9", &options, &err), 0);
    assert_string_equal(options.to, "there");
    sw_config_done(&program, &options);
}

/* Runs the load in a child; its exit status, and what it printed in ret_text. */
static int run_child(const char *flags, char *ret_text, size_t room)
{
    int ends[2], status;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct options options;
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        load(NULL, flags, &options, NULL);
        _exit(99); /* it came back */
    }
    close(ends[1]);
    size_t size = 0;
    ssize_t n;
    while ((n = read(ends[0], ret_text + size, room - 1 - size)) > 0)
        size += (size_t)n;
    ret_text[size] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void usage_ends_the_process(void **state)
{
    (void)state;
    char text[8192];
    assert_int_equal(run_child("--help", text, sizeof text), 0);
    assert_non_null(strstr(text, "--state=DIR"));
    assert_non_null(strstr(text, "Where (default /var/lib/x)"));
    assert_null(strstr(text, "--secret"));
    assert_null(strstr(text, "--to"));
    assert_int_equal(run_child("--version", text, sizeof text), 0);
    assert_string_equal(text, "shadow-test " SHADOW_VERSION "\n");
    static const char *const wrong[][2] = {
        {"--prot 1", "unrecognized option '--prot'"},
        {"taken stray", "unexpected argument 'stray'"},
        {"--to taken stray", "unexpected argument 'stray'"},
        {"--port", "option '--port' requires an argument"},
        {"--port 1 --port 2", "--port is given twice"},
        {"--config a --config b", "--config is given twice"},
    };
    for (size_t i = 0; i < SW_COUNT(wrong); i++) {
        assert_int_equal(run_child(wrong[i][0], text, sizeof text), 2);
        assert_non_null(strstr(text, wrong[i][1]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_hold),
        cmocka_unit_test(later_wins),
        cmocka_unit_test(the_file_is_refused_with_its_line),
        cmocka_unit_test(a_line_is_whole_or_refused),
        cmocka_unit_test(a_file_that_cannot_be_read_is_refused),
        cmocka_unit_test(flags_are_refused_by_name),
        cmocka_unit_test(usage_ends_the_process),
    };
    return cmocka_run_group_tests_name("config", tests, make_folder, remove_folder);
}
