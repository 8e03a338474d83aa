/* Files on disk: uploads, sums, manifests, job folders, plans, and the result composed from them.
 *
 * The gateway writes uploads; the broker hard-links them into the job's folder and writes plans and
 * outputs; the gateway reads manifests, plans and outputs to serve results. Every function takes a
 * folder descriptor, never a path from outside. -errno on failure. See the README of this folder
 * for the layout and the formats. */
#ifndef SW_FILES_H
#define SW_FILES_H

#include "files/checked.h"
#include "files/jobdir.h"
#include "files/manifest.h"
#include "files/output.h"
#include "files/planfile.h"
#include "files/result.h"
#include "files/stream.h"
#include "files/sums.h"
#include "files/untar.h"
#include "files/uploads.h"

#endif
