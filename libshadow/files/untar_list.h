/* The members of a tar being taken apart, and the rules by which they become entries. Internal. */
#ifndef SW_FILES_UNTAR_LIST_H
#define SW_FILES_UNTAR_LIST_H

#include "base/buf.h"
#include "base/err.h"
#include "files/manifest.h"

#include <stdbool.h>

struct untar_list;
struct untar_list *untar_list_new(void);
void untar_list_destroy(struct untar_list **);

/* Strips leading slashes; true when the name is refused: the entry is then FAILED with the reason.
 */
bool untar_list_refuse(struct sw_entry *entry);

/* Copies the name; reasons are constant texts. Both apply the name rules. -EFBIG with words. */
int untar_list_put(struct untar_list *list, const struct sw_entry *entry, struct sw_err *err);
int untar_list_link(struct untar_list *list,
                    const struct sw_entry *entry,
                    const char *target,
                    struct sw_err *err);

/* Resolves links, drops what a later member replaced, appends the rest in their order. */
int untar_list_finish(struct untar_list *list, struct sw_buf *ret_manifest, struct sw_err *err);

#endif
