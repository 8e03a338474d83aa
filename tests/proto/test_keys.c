/* Key files, good and bad; fingerprints and lease tokens. */
#include "base/io.h"
#include "proto/link.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define KEY_A "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID" /* RFC 27's own */
/* Made of KEY_A by hashlib, and by a SipHash written down from its paper. */
#define DEVICE_ID_A "d-blxbrp3p6awuajz"
#define TOKEN_A     UINT64_C(0xf9f2183a00fa8ef1)
#define KEY_B       "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"

struct folder {
    char path[64];
    int fd;
};

static int make_folder(void **state)
{
    struct folder *folder = calloc(1, sizeof *folder);
    strcpy(folder->path, "/tmp/sw-keys-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = folder;
    return folder->fd < 0;
}

static int remove_folder(void **state)
{
    struct folder *folder = *state;
    unlinkat(folder->fd, "key", 0);
    close(folder->fd);
    int r = rmdir(folder->path);
    free(folder);
    return r; /* nothing was left behind but the key file itself */
}

static const char *path_of(const struct folder *folder)
{
    static char path[96];
    snprintf(path, sizeof path, "%s/key", folder->path);
    return path;
}

static void what_is_written_is_read(void **state)
{
    const struct folder *folder = *state;
    struct sw_keys keys, other, got;
    struct sw_err err;
    struct stat st;
    assert_int_equal(sw_keys_make(&keys), 0);
    assert_int_equal(sw_keys_make(&other), 0);
    assert_int_equal(strlen(keys.public_key), 40);
    assert_string_not_equal(keys.public_key, other.public_key);
    assert_string_equal(keys.server_key, "");
    for (int server = 0; server < 2; server++) { /* the second replaces the first */
        if (server)
            memcpy(keys.server_key, other.public_key, sizeof keys.server_key);
        assert_int_equal(sw_keys_write(path_of(folder), &keys, &err), 0);
        assert_int_equal(sw_keys_read(path_of(folder), &got, &err), 0);
        assert_memory_equal(&got, &keys, sizeof got);
        assert_int_equal(stat(path_of(folder), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
    }
    struct sw_keys derived;
    assert_int_equal(zmq_curve_public(derived.public_key, keys.secret_key), 0);
    assert_string_equal(derived.public_key, keys.public_key);
}

static void bad_files_are_refused_with_words(void **state)
{
    const struct folder *folder = *state;
    static const char *const bad[] = {
        "",
        "\n\n",
        "public " KEY_A "\n",
        "secret " KEY_A "\n",
        "public " KEY_A " secret " KEY_B "\n",
        "public " KEY_A "\nsecret tooshort\n",
        "public " KEY_A "\nsecret " KEY_B "x\nsecret short\n",
        "public " KEY_A "\nsecret \x01ne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID\n",
        "public " KEY_A "\nsecret ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\n",
        "public " KEY_A "\nsecret " KEY_B "\nserver short\n",
        "PUBLIC " KEY_A "\nSECRET " KEY_B "\n",
    };
    struct sw_keys keys = {.public_key = "untouched"};
    for (size_t i = 0; i < SW_COUNT(bad); i++) {
        struct sw_err err = {0};
        assert_int_equal(sw_file_replace(folder->fd, "key", bad[i], strlen(bad[i]), 0600), 0);
        if (sw_keys_read(path_of(folder), &keys, &err) != -EINVAL)
            fail_msg("accepted: %s", bad[i]);
        assert_non_null(strstr(err.text, folder->path));
        assert_null(strstr(err.text, KEY_B)); /* no secret in a message */
        assert_string_equal(keys.public_key, "untouched");
    }
    struct sw_err err = {0};
    unlinkat(folder->fd, "key", 0);
    assert_int_equal(sw_keys_read(path_of(folder), &keys, &err), -ENOENT);
    assert_int_equal(sw_keys_read(folder->path, &keys, &err), -EISDIR);
    AUTO_BUF struct sw_buf large = {0};
    memset(sw_buf_reserve(&large, 5000), 'x', 5000);
    assert_int_equal(sw_file_replace(folder->fd, "key", large.data, 5000, 0600), 0);
    assert_int_equal(sw_keys_read(path_of(folder), &keys, &err), -EFBIG);
    assert_int_equal(sw_keys_write("/nowhere/at/all/key", &keys, &err), -ENOENT);
}

static void order_and_blanks_do_not_matter(void **state)
{
    const struct folder *folder = *state;
    static const char text[] =
        "# made by hand\nserver " KEY_A "\n\nsecret\t" KEY_B "  \r\n public " KEY_A;
    struct sw_keys keys;
    struct sw_err err;
    assert_int_equal(sw_file_replace(folder->fd, "key", text, strlen(text), 0600), 0);
    assert_int_equal(sw_keys_read(path_of(folder), &keys, &err), 0);
    assert_string_equal(keys.public_key, KEY_A);
    assert_string_equal(keys.secret_key, KEY_B);
    assert_string_equal(keys.server_key, KEY_A);
}

/* They are on disk and in people's notes: another build must make the same. */
static void fingerprints_stay_the_same(void **state)
{
    (void)state;
    char id[SW_DEVICE_ID_TEXT];
    sw_device_id(KEY_A, id);
    assert_string_equal(id, DEVICE_ID_A);
    sw_device_id(KEY_B, id);
    assert_string_not_equal(id, DEVICE_ID_A);
    assert_int_equal(strlen(id), SW_DEVICE_ID_TEXT - 1);
}

static void a_token_is_of_everything_it_is_made_of(void **state)
{
    (void)state;
    const uint8_t key[16] = {1, 2, 3}, other_key[16] = {1, 2, 4};
    uint64_t token = sw_lease_token(key, 5, 6, 7, KEY_A);
    assert_true(token == TOKEN_A);
    assert_true(token != sw_lease_token(other_key, 5, 6, 7, KEY_A));
    assert_true(token != sw_lease_token(key, 4, 6, 7, KEY_A));
    assert_true(token != sw_lease_token(key, 5, 7, 7, KEY_A));
    assert_true(token != sw_lease_token(key, 5, 6, 8, KEY_A));
    assert_true(token != sw_lease_token(key, 5, 6, 7, KEY_B));
    assert_true(sw_random_u64() != sw_random_u64());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(bad_files_are_refused_with_words, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(order_and_blanks_do_not_matter, make_folder, remove_folder),
        cmocka_unit_test(fingerprints_stay_the_same),
        cmocka_unit_test(a_token_is_of_everything_it_is_made_of),
    };
    sw_link_start(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
