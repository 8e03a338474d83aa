/* The table of kernels, made from kernels.def. Read by every program; owns nothing and never
 * changes. */
#include "kernels/kernel.h"

#include <string.h>

#define KERNEL(name) extern const struct sw_kernel sw_kernel_##name;
#include "kernels/kernels.def"
#undef KERNEL

#define KERNEL(name) &sw_kernel_##name,
const struct sw_kernel *const sw_kernels[] = {
#include "kernels/kernels.def"
    NULL};
#undef KERNEL

const struct sw_kernel *sw_kernel_find(const char *name)
{
    for (size_t i = 0; sw_kernels[i]; i++) {
        if (strcmp(sw_kernels[i]->name, name) == 0)
            return sw_kernels[i];
    }
    return NULL;
}

struct sw_growth sw_kernel_growth(const struct sw_kernel *kernel, const struct sw_values *values)
{
    return kernel && kernel->growth ? kernel->growth(values)
                                    : (struct sw_growth){.times = 4, .more = 1U << 20};
}

const char *sw_kernel_engine(const struct sw_kernel *kernel)
{
    return kernel->engine ? kernel->engine() : "";
}
