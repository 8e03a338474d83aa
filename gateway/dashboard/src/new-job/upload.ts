// Sends files to an open job, one resumable upload each, so that work starts while the rest still travels. After a reload
// the same files go on where they were: tus-js-client keeps the address of what is half sent, unfinished.ts the job.
import { Upload } from "tus-js-client";
import { ApiError, api } from "../lib/api";
import { isFinal, type Job } from "../lib/types";
import type { Found } from "./collect";
import { fileKey, keep, recall, type Unfinished, whatOf } from "./unfinished";

const AT_ONCE = 3;
const PART_BYTES = 8 << 20;
const RETRIES_MS = [0, 500, 1000, 3000, 5000, 10_000, 20_000];

function uploadOne({ path, file }: Found, onSent: (bytes: number) => void): Promise<string> {
  return new Promise((done, failed) => {
    const upload = new Upload(file, {
      endpoint: "/api/uploads",
      chunkSize: PART_BYTES,
      retryDelays: RETRIES_MS,
      headers: { "X-ShadowWork": "1" },
      metadata: { filename: path, mtime: String(Math.floor(file.lastModified / 1000)) },
      removeFingerprintOnSuccess: true,
      fingerprint: async () => `shadowwork|${fileKey(path, file)}`, // its own leaves the folder out
      onProgress: onSent,
      onError: failed,
      onSuccess: () => done(upload.url?.split("/").pop() ?? ""),
    });
    upload.findPreviousUploads().then(([before]) => {
      if (before) upload.resumeFromPreviousUpload(before);
      upload.start();
    }, failed);
  });
}

export interface Wanted {
  type: string;
  name: string;
  params: Record<string, unknown>;
  files: Found[];
}

/** The job of an upload that was cut short, if it still takes inputs; else a new one. */
async function open(wanted: Wanted): Promise<[Job, Unfinished]> {
  const before = recall(wanted);
  if (before) {
    const found = await api<{ job: Job }>("GET", `/api/jobs/${before.jobId}?chunkLimit=0`).catch(() => null);
    if (found && !isFinal(found.job)) return [found.job, before];
  }
  const { type, name, params, files } = wanted;
  const expectedBytes = files.reduce((sum, found) => sum + found.file.size, 0);
  const { job } = await api<{ job: Job }>("POST", "/api/jobs", {
    type,
    name,
    params,
    open: true,
    expectedBytes,
  });
  return [job, { jobId: job.jobId, what: whatOf(wanted), done: [] }];
}

/** The job, once it is sealed. onJob is told as soon as it is there, onSent how many bytes have left. */
export async function submit(
  wanted: Wanted,
  onJob: (job: Job) => void,
  onSent: (bytes: number) => void,
): Promise<Job> {
  const [job, unfinished] = await open(wanted);
  const goesOn = unfinished.done.length > 0;
  onJob(job);
  keep(unfinished);
  const sent = new Map<Found, number>();
  const tell = (found: Found, n: number) => {
    sent.set(found, n);
    onSent([...sent.values()].reduce((sum, each) => sum + each, 0));
  };
  const waiting = [...wanted.files];
  const worker = async () => {
    for (let found = waiting.shift(); found; found = waiting.shift()) {
      const each = found;
      const key = fileKey(each.path, each.file);
      if (!unfinished.done.includes(key)) {
        const upload = await uploadOne(each, (n) => tell(each, n));
        await api("POST", `/api/jobs/${job.jobId}/inputs`, { uploads: [upload] }).catch((problem) => {
          // it was added, and the reload came before that was noted: its output name is taken
          if (!goesOn || !(problem instanceof ApiError && problem.message.includes("both give the output")))
            throw problem;
        });
        unfinished.done.push(key);
        keep(unfinished);
      }
      tell(each, each.file.size);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  await api("POST", `/api/jobs/${job.jobId}/seal`);
  keep(null);
  return job;
}
