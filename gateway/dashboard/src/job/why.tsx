import { useEffect, useState } from "react";
import { useFeed } from "../feed/use-feed";
import { api } from "../lib/api";
import type { Job } from "../lib/types";
import { Card } from "../ui/parts";

interface Reason {
  deviceId: string | null;
  reason: string;
  fix?: string | null;
}

const EVERY_MS = 3000;

/** Why a job that is not over does not go faster: a reason a device. */
export function Why({ job }: { job: Job }) {
  const [reasons, setReasons] = useState<Reason[]>([]);
  const { devices } = useFeed();
  useEffect(() => {
    const ask = () =>
      api<{ reasons: Reason[] }>("GET", `/api/jobs/${job.jobId}/why`).then(
        (answer) => setReasons(answer.reasons),
        () => setReasons([]),
      );
    ask();
    const timer = setInterval(ask, EVERY_MS);
    return () => clearInterval(timer);
  }, [job.jobId]);
  if (reasons.length === 0) return null;
  return (
    <Card title="Why it waits">
      <ul className="grid gap-1 text-sm">
        {reasons.map(({ deviceId, reason, fix }) => (
          <li key={`${deviceId} ${reason}`}>
            <span className="font-medium">
              {deviceId ? (devices.get(deviceId)?.name ?? deviceId) : "The job"}
            </span>{" "}
            {reason}
            {fix ? <span className="text-quiet"> ({fix})</span> : null}
          </li>
        ))}
      </ul>
    </Card>
  );
}
