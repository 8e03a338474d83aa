/* The worlds that the scripts of held results begin in. */
#ifndef CORE_HELD_H
#define CORE_HELD_H

#include "core_script.h"

// clang-format off
#define ONE_CHUNK                                                                                  \
    "submit 0 -> save 1 job 1 pending",                                                            \
    "add 1 k1 1x100 -> save 2 add 1.0",                                                            \
    "seal 1 -> save 3 job 1 pending",                                                              \
    "commit ->"
#define BROWSER_0                                                                                  \
    "hello 0 s1 i1 checked owner 1 engine 5 -> welcome 0 s1",                                      \
    "credit 0 chunks 1 -> assign 0 1/0#1"
// clang-format on

#endif
