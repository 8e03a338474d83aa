/* `shadowctl --generate man|bash`: run by the build, from the table of verbs. */
#ifndef CTL_GENERATE_H
#define CTL_GENERATE_H

int generate(const char *what); /* writes to standard output; 0, or 2 for an unknown WHAT */

#endif
