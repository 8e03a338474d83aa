import { useState } from "react";
import { api, words } from "../lib/api";
import { bytes, duration, percent, plural } from "../lib/format";
import { go } from "../lib/route";
import { isFinal, type Job } from "../lib/types";
import { Button, Card, Problem, Progress, Status } from "../ui/parts";
import { ChunkMap } from "./chunk-map";
import { Failures } from "./failures";
import { Lanes } from "./lanes";
import { useChunks } from "./use-chunks";
import { useJob } from "./use-job";
import { Why } from "./why";

function Actions({ job }: { job: Job }) {
  const [problem, setProblem] = useState("");
  const act = (method: string, path: string, body?: unknown) =>
    api(method, `/api/jobs/${job.jobId}${path}`, body).then(
      () => setProblem(""),
      (reason) => setProblem(words(reason)),
    );
  const remove = () => {
    if (confirm(`Delete job ${job.jobId} with its results?`)) act("DELETE", "").then(() => go(""));
  };
  const hasResult = job.status === "completed" || job.status === "failed";
  return (
    <>
      <div className="flex flex-wrap gap-2">
        {hasResult && (
          <a
            href={`/api/jobs/${job.jobId}/result`}
            download
            className="rounded border border-accent bg-accent px-3 py-1.5 text-on-accent text-sm"
          >
            Download
          </a>
        )}
        {!isFinal(job) && <Button onClick={() => act("POST", "/cancel")}>Cancel</Button>}
        {!isFinal(job) && (
          <Button
            disabled={job.priority >= 100}
            onClick={() => act("PATCH", "", { priority: Math.min(100, job.priority + 10) })}
          >
            Sooner
          </Button>
        )}
        {job.failedChunks > 0 && <Button onClick={() => act("POST", "/retry")}>Retry what failed</Button>}
        <Button onClick={remove}>Delete</Button>
      </div>
      <Problem text={problem} />
    </>
  );
}

function left(range: [number, number] | null): string {
  if (!range) return "";
  const [best, worst] = range.map(duration);
  return best === worst ? `about ${best} left` : `${best} to ${worst} left`;
}

export function JobPage({ jobId }: { jobId: string }) {
  const { job, problem, range } = useJob(jobId);
  const chunks = useChunks(jobId, job?.totalChunks ?? 0);
  if (!job)
    return problem ? <Problem text={problem} /> : <p className="text-quiet">Waiting for the gateway…</p>;
  return (
    <>
      <Card title={job.name || `${job.type} ${job.jobId}`} extra={<Status status={job.status} />}>
        <div className="grid gap-3">
          <Progress share={job.progress} label="progress" />
          <p className="text-sm text-quiet">
            {percent(job.progress)} of {bytes(job.bytesIn)} in {plural(job.totalFiles, "file")};{" "}
            {plural(job.completedChunks, "chunk")} of {job.totalChunks} done, {bytes(job.bytesOut)} out.{" "}
            {left(range)}
          </p>
          {job.error && <Problem text={job.error} />}
          <Actions job={job} />
        </div>
      </Card>
      <Card title="Chunks">
        <ChunkMap chunks={chunks} />
        <Lanes chunks={chunks} />
      </Card>
      <Failures job={job} chunks={chunks} />
      {!isFinal(job) && <Why job={job} />}
    </>
  );
}
