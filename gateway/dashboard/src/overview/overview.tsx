import { useEffect, useState } from "react";
import { useFeed } from "../feed/use-feed";
import { api } from "../lib/api";
import { bytes, plural } from "../lib/format";
import type { Job } from "../lib/types";
import { Card, Progress, Status } from "../ui/parts";
import { Throughput } from "./throughput";

function Row({ job }: { job: Job }) {
  const name = job.name || `${job.type} ${job.jobId}`;
  return (
    <li>
      <a href={`#/job/${job.jobId}`} className="grid gap-1 rounded p-2 hover:bg-page">
        <span className="flex flex-wrap justify-between gap-2">
          <span className="min-w-0 truncate">{name}</span>
          <span className="text-sm text-quiet">
            {plural(job.totalFiles, "file")}, {bytes(job.bytesIn)} <Status status={job.status} />
          </span>
        </span>
        <Progress share={job.progress} label={`progress of ${name}`} />
      </a>
    </li>
  );
}

/** Jobs that ended before this page came, from REST; those that end now come by the feed. */
function useHistory(whole: boolean): Job[] {
  const [jobs, setJobs] = useState<Job[]>([]);
  useEffect(() => {
    if (!whole) return;
    api<{ jobs: Job[] }>("GET", "/api/jobs?status=completed,failed,cancelled&limit=20").then(
      (answer) => setJobs(answer.jobs),
      () => setJobs([]),
    );
  }, [whole]);
  return jobs;
}

export function Overview() {
  const { jobs, ended, devices, whole } = useFeed();
  const history = useHistory(whole);
  const running = [...jobs.values()].sort((a, b) => Number(b.jobId) - Number(a.jobId));
  const before = history.filter((job) => !ended.has(job.jobId) && !jobs.has(job.jobId));
  const finished = [...[...ended.values()].reverse(), ...before].slice(0, 20);
  const there = [...devices.values()].filter((device) => device.status !== "offline");
  const slots = there.reduce((sum, device) => sum + device.slots, 0);
  if (!whole) return <p className="text-quiet">Waiting for the gateway…</p>;
  return (
    <>
      <Card title="The fleet">
        <p className="mb-2 text-sm text-quiet">
          {plural(there.length, "device")} with {plural(slots, "slot")}, {plural(running.length, "job")} to
          do.
        </p>
        <Throughput />
      </Card>
      <Card title="Jobs">
        {running.length + finished.length === 0 ? (
          <p>
            Nothing yet.{" "}
            <a href="#/new" className="text-accent underline">
              Drop some files
            </a>
            , or run <code>shadowctl compress FILE…</code>
          </p>
        ) : (
          <ul className="grid gap-1">
            {[...running, ...finished].map((job) => (
              <Row key={job.jobId} job={job} />
            ))}
          </ul>
        )}
      </Card>
    </>
  );
}
