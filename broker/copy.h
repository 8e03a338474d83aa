/* A system's rows from one store into another. */
#ifndef BROKER_COPY_H
#define BROKER_COPY_H

#include "broker/place.h"

struct copied {
    uint64_t jobs, adds, chunks, devices;
};

/* From a store open for reading, also one that a broker is writing, into an empty one that was
 * claimed. Afterwards each row is read again from the copy and compared. The copy stays marked as
 * half (place.h): unmarking it is the caller's. */
int copy_rows(struct place *from, struct place *to, struct copied *ret, struct sw_err *err);

/* `shadow-broker --copy-store FROM TO`: neither may be in use. */
int copy_store(
    const char *state, const char *from, const char *to, struct copied *ret, struct sw_err *err);

#endif
