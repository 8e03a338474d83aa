// What is known of a job's chunks: a state each, small enough for a million, and who did which when. Pure.
import type { Chunk } from "../lib/types";

export const STATES = ["pending", "assigned", "processing", "completed", "failed", "cancelled"] as const;
const LANES_MAX = 2000; // bars that are still told apart on a screen

export interface Bar {
  chunk: number;
  device: string;
  from: number;
  to: number | null;
  failed: boolean;
}

export interface Chunks {
  states: Uint8Array; // an index into STATES
  bars: readonly Bar[]; // the newest
  failed: ReadonlyMap<number, Chunk>;
}

export const none: Chunks = { states: new Uint8Array(0), bars: [], failed: new Map() };

function bar(chunk: Chunk, before: Bar | undefined): Bar | null {
  const device = chunk.assignedTo ?? before?.device;
  const from = chunk.startedAt ? Date.parse(chunk.startedAt) : before?.from;
  const to = chunk.completedAt ? Date.parse(chunk.completedAt) : null;
  if (!device || (from === undefined && to === null)) return null;
  return { chunk: chunk.chunkIndex, device, from: from ?? to ?? 0, to, failed: chunk.status === "failed" };
}

/** `total`: how many chunks the job has by now; it may have grown. */
export function learn(known: Chunks, news: readonly Chunk[], total: number): Chunks {
  const size = Math.max(total, known.states.length, ...news.map((chunk) => chunk.chunkIndex + 1));
  const states = new Uint8Array(size);
  states.set(known.states);
  const failed = new Map(known.failed);
  let bars = [...known.bars];
  for (const chunk of news) {
    states[chunk.chunkIndex] = Math.max(0, STATES.indexOf(chunk.status));
    if (chunk.status === "failed" || chunk.error) failed.set(chunk.chunkIndex, chunk);
    else failed.delete(chunk.chunkIndex);
    const open = bars.findLastIndex((each) => each.chunk === chunk.chunkIndex && each.to === null);
    const next = bar(chunk, bars[open]);
    const same = next && open >= 0 && bars[open]?.device === next.device;
    if (next && same) bars[open] = next;
    else if (next) bars.push(next); // a twin, or one that was given out again
  }
  if (bars.length > LANES_MAX) bars = bars.slice(-LANES_MAX);
  return { states, bars, failed };
}
