import { useEffect, useState } from "react";
import { useFeed } from "../feed/use-feed";
import { api, words } from "../lib/api";
import { addSample, eta, type Sample } from "../lib/eta";
import type { Job } from "../lib/types";

/** The job as the feed last told, or else as REST has it, and when it may end. */
export function useJob(jobId: string): { job: Job | null; problem: string; range: [number, number] | null } {
  const { jobs, ended, gateway } = useFeed();
  const [asked, setAsked] = useState<Job | null>(null);
  const [problem, setProblem] = useState("");
  const [samples, setSamples] = useState<Sample[]>([]);
  const told = jobs.get(jobId) ?? ended.get(jobId);
  const job = told ?? asked;
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked again when the gateway is back
  useEffect(() => {
    api<{ job: Job }>("GET", `/api/jobs/${jobId}?chunkLimit=0`).then(
      (answer) => setAsked(answer.job),
      (reason) => setProblem(words(reason)),
    );
  }, [jobId, gateway]);
  const progress = job?.status === "processing" ? job.progress : null;
  useEffect(() => {
    if (progress !== null) setSamples((before) => addSample(before, { at: Date.now(), progress }));
  }, [progress]);
  return { job, problem: told ? "" : problem, range: progress === null ? null : eta(samples) };
}
