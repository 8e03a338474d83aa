/* What shadow-broker does instead of running. */
#ifndef BROKER_TOOLS_H
#define BROKER_TOOLS_H

struct broker_config;

/* The exit status, after a line on standard output, or on standard error for what went wrong; -1
 * when the options ask for none of this. */
int tools_run(const struct broker_config *config);

#endif
