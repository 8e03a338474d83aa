// Sends files to an open job, one resumable upload each, so that work starts while the rest still travels. After a reload
// the same file goes on where it was: tus-js-client keeps the address of what is half sent.
import { Upload } from "tus-js-client";
import { api } from "../lib/api";
import type { Job } from "../lib/types";
import type { Found } from "./collect";

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

/** The job, once it is sealed. onJob is told as soon as it is there, onSent how many bytes have left. */
export async function submit(
  { type, name, params, files }: Wanted,
  onJob: (job: Job) => void,
  onSent: (bytes: number) => void,
): Promise<Job> {
  const expectedBytes = files.reduce((sum, found) => sum + found.file.size, 0);
  const { job } = await api<{ job: Job }>("POST", "/api/jobs", {
    type,
    name,
    params,
    open: true,
    expectedBytes,
  });
  onJob(job);
  const sent = new Map<Found, number>();
  const waiting = [...files];
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const found = next;
      const upload = await uploadOne(found, (n) => {
        sent.set(found, n);
        onSent([...sent.values()].reduce((sum, each) => sum + each, 0));
      });
      await api("POST", `/api/jobs/${job.jobId}/inputs`, { uploads: [upload] });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  await api("POST", `/api/jobs/${job.jobId}/seal`);
  return job;
}
