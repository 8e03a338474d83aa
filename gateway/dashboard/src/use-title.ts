import { useEffect, useRef } from "react";
import type { FeedState } from "./feed/state";
import { percent, plural } from "./lib/format";

/** The page's title says how far the work is, and a notification when a job ended, where that is allowed. */
export function useTitle({ jobs, ended }: FeedState): void {
  const known = useRef(ended);
  useEffect(() => {
    const running = [...jobs.values()].filter((job) => job.status === "processing");
    const share = running.reduce((sum, job) => sum + job.progress, 0) / (running.length || 1);
    document.title =
      running.length > 0 ? `${percent(share)} · ${plural(running.length, "job")} – ShadowWork` : "ShadowWork";
  }, [jobs]);
  useEffect(() => {
    for (const [id, job] of ended)
      if (
        !known.current.has(id) &&
        document.hidden &&
        "Notification" in window &&
        Notification.permission === "granted"
      )
        new Notification(`${job.name || `Job ${id}`}: ${job.status}`, { tag: id });
    known.current = ended;
  }, [ended]);
}
