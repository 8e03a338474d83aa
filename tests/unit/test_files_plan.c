/* Plans: what goes in comes out, damaged ones and ones that are no plan are refused. */
#include "files_test.h"

#include "files/manifest.h"
#include "files/planfile.h"

static const struct sw_plan_piece pieces[] = {
    {.chunk = 0, .entry = 0, .size = 5},
    {.chunk = 0, .entry = 1, .size = UINT64_C(1) << 40},
    {.chunk = 1, .entry = 1, .offset = UINT64_C(1) << 40, .size = 7, .lead = 1, .tail = 32 << 20},
    {.chunk = 2, .entry = 4},
    {.chunk = 2, .entry = 5},
};

static void assert_plan(const struct sw_plan_file *plan)
{
    const uint32_t first[] = {0, 2, 3, 5};
    assert_int_equal(plan->head.first_chunk, 100);
    assert_int_equal(plan->head.n_chunks, 3);
    assert_int_equal(plan->n, 5);
    for (size_t i = 0; i < 5; i++) {
        const struct sw_plan_piece *a = &plan->pieces[i], *b = &pieces[i];
        assert_true(a->chunk == b->chunk && a->entry == b->entry && a->offset == b->offset &&
                    a->size == b->size && a->lead == b->lead && a->tail == b->tail);
    }
    assert_memory_equal(plan->first_piece, first, sizeof first);
}

static void test_plans(void **state)
{
    (void)state;
    struct sw_plan_head head = {100, 3};
    struct sw_plan_file plan = {0};
    struct sw_manifest manifest = {0};
    struct sw_err err = {""};
    struct sw_entry entry = {.name = "a", .name_size = 1};
    assert_int_equal(sw_plan_read(place_fd, 4, &plan, &err), -ENOENT);
    assert_int_equal(sw_manifest_append(&manifest.bytes, &entry), 0);
    assert_int_equal(sw_plan_write(place_fd, 4, &head, pieces, 5, &manifest.bytes), 0);
    assert_int_equal(sw_plan_write(place_fd, 4, &head, pieces, 5, &manifest.bytes), 0); /* again */
    sw_manifest_done(&manifest);
    assert_int_equal(sw_plan_read(place_fd, 4, &plan, &err), 0);
    assert_plan(&plan);
    sw_plan_done(&plan);
    assert_int_equal(sw_manifest_load(place_fd, "manifest.4", &manifest, &err), 0);
    assert_int_equal(manifest.n, 1);
    sw_manifest_done(&manifest);
    struct sw_buf bytes = {0};
    sw_plan_encode(&head, pieces, 5, &bytes);
    assert_int_equal(sw_plan_decode(bytes.data, bytes.size, &plan, &err), 0);
    assert_plan(&plan);
    sw_plan_done(&plan);
    for (size_t i = 0; i < bytes.size; i++) {
        assert_int_equal(sw_plan_decode(bytes.data, i, &plan, &err), -EBADMSG);
        bytes.data[i] ^= 1;
        assert_int_equal(sw_plan_decode(bytes.data, bytes.size, &plan, &err), -EBADMSG);
        bytes.data[i] ^= 1;
    }
    spoil("plan.4", 9);
    assert_int_equal(sw_plan_read(place_fd, 4, &plan, &err), -EBADMSG);
    assert_non_null(strstr(err.text, "plan.4"));
    sw_buf_clear(&bytes);
    sw_plan_encode(&(struct sw_plan_head){9, 0}, NULL, 0, &bytes); /* only skipped entries */
    assert_int_equal(sw_plan_decode(bytes.data, bytes.size, &plan, &err), 0);
    assert_int_equal(plan.n, 0);
    sw_plan_done(&plan);
    sw_buf_done(&bytes);
}

/* Each with a good sum, but no plan. */
static void test_plans_that_are_none(void **state)
{
    (void)state;
    static const struct {
        struct sw_plan_head head;
        struct sw_plan_piece pieces[3];
    } bad[] = {
        {{0, 1}, {{.chunk = 1}, {.chunk = 1}, {.chunk = 1}}}, /* no chunk 0 */
        {{0, 3}, {{.chunk = 0}, {.chunk = 2}, {.chunk = 2}}}, /* a gap */
        {{0, 2}, {{.chunk = 0}, {.chunk = 1}, {.chunk = 0}}}, /* falls */
        {{0, 2}, {{.chunk = 0}, {.chunk = 1}, {.chunk = 2}}}, /* one too many */
        {{0, 4}, {{.chunk = 0}, {.chunk = 1}, {.chunk = 2}}}, /* one too few */
        {{0, 3}, {{.chunk = 0}, {.chunk = 1}, {.chunk = 1}}},
        {{UINT32_MAX, 1}, {{.chunk = 0}, {.chunk = 0}, {.chunk = 0}}}, /* ends beyond 32 bits */
        {{0, 1}, {{.entry = 2}, {.entry = 1}, {.entry = 3}}},          /* entries fall */
        {{0, 1}, {{.lead = 1}, {.entry = 0}, {.entry = 0}}},           /* leads before its file */
        {{0, 1}, {{.size = UINT64_MAX}, {.entry = 0}, {.entry = 0}}},
    };
    struct sw_plan_file plan = {0};
    for (size_t i = 0; i < SW_COUNT(bad); i++) {
        struct sw_buf bytes = {0};
        sw_plan_encode(&bad[i].head, bad[i].pieces, 3, &bytes);
        if (sw_plan_decode(bytes.data, bytes.size, &plan, NULL) != -EBADMSG)
            fail_msg("bad plan %zu was taken", i);
        sw_buf_done(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILES_TEST(test_plans),
        cmocka_unit_test(test_plans_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
