/* Whether the compiler has what the module needs: linked when the build is set up, never run. */
#include <stdlib.h>

void *probe(size_t n);

__attribute__((export_name("probe"))) void *probe(size_t n)
{
    return malloc(n);
}
