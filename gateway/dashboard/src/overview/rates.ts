// How fast the fleet is, from how far its jobs are. Pure.
import type { FeedState } from "../feed/state";

export interface Rates {
  at: number[]; // s
  perSecond: number[]; // bytes
  last: number;
}

/** Bytes of input that are done, of all jobs this page has seen. */
export const total = ({ jobs, ended }: FeedState): number =>
  [...jobs.values(), ...ended.values()].reduce((sum, job) => sum + job.bytesIn * job.progress, 0);

export function rates(before: Rates, now: number, at: number, keep: number): Rates {
  const from = before.at.findIndex((time) => at - time <= keep);
  const cut = from < 0 ? before.at.length : from;
  const gap = at - (before.at.at(-1) ?? at - 1);
  return {
    at: [...before.at.slice(cut), at],
    perSecond: [...before.perSecond.slice(cut), Math.max(0, now - before.last) / Math.max(gap, 0.1)],
    last: now,
  };
}
