import { useEffect, useRef, useState } from "react";
import { feed } from "../feed/connection";
import { useFeed } from "../feed/use-feed";
import { api } from "../lib/api";
import type { Chunk } from "../lib/types";
import { type Chunks, learn, none } from "./chunks";

const SHOW_MS = 250; // news are gathered: a fast job has thousands a second

interface Page {
  chunks: Chunk[];
  nextChunkCursor: string | null;
}

/** All chunks of a job: its pages from REST, the feed's news on top. */
export function useChunks(jobId: string, total: number): Chunks {
  const [shown, setShown] = useState<Chunks>(none);
  const known = useRef<Chunks>(none);
  const size = useRef(total);
  size.current = total;
  const { gateway } = useFeed();
  useEffect(() => {
    let gone = false;
    let dirty = false;
    known.current = none;
    if (!gateway) return;
    const take = (news: Chunk[]) => {
      known.current = learn(known.current, news, size.current);
      dirty = true;
    };
    const timer = setInterval(() => {
      if (dirty) setShown(known.current);
      dirty = false;
    }, SHOW_MS);
    const stop = feed.watch(jobId, (news) => take(news.chunks));
    const read = async () => {
      for (let cursor: string | null = ""; cursor !== null && !gone; ) {
        const from: string = cursor ? `?chunkCursor=${encodeURIComponent(cursor)}` : "";
        const page: Page = await api<Page>("GET", `/api/jobs/${jobId}${from}`);
        take(page.chunks.filter((chunk) => chunk.status !== "pending"));
        cursor = page.nextChunkCursor;
      }
    };
    read().catch(() => undefined); // the job's own problem is shown above
    return () => {
      gone = true;
      clearInterval(timer);
      stop();
    };
  }, [jobId, gateway]);
  return shown;
}
