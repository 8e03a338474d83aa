// What the feed has said so far, and how an event changes it. Pure: the page derives everything else.
import type { Chunk, Device, Job } from "../lib/types";

export interface FeedState {
  gateway: boolean; // the socket is open
  broker: boolean;
  whole: boolean; // a snapshot has come
  seq: number;
  jobs: ReadonlyMap<string, Job>;
  ended: ReadonlyMap<string, Job>; // while this page was open
  devices: ReadonlyMap<string, Device>;
}

export interface Message {
  event: string;
  seq?: number;
  data: Record<string, unknown>;
}

export const nothing: FeedState = {
  gateway: false,
  broker: true,
  whole: false,
  seq: 0,
  jobs: new Map(),
  ended: new Map(),
  devices: new Map(),
};

const byKey = <T>(list: T[], key: (item: T) => string) => new Map(list.map((item) => [key(item), item]));

function put<T>(map: ReadonlyMap<string, T>, key: string, value: T | undefined): ReadonlyMap<string, T> {
  const next = new Map(map);
  if (value === undefined) next.delete(key);
  else next.set(key, value);
  return next;
}

/** The next state; null: a number is missing, so the connection must begin anew. */
export function apply(state: FeedState, message: Message): FeedState | null {
  const { event, data } = message;
  let next = state;
  if (message.seq !== undefined) {
    if (message.seq !== state.seq + 1) return null;
    next = { ...state, seq: message.seq };
  }
  switch (event) {
    case "snapshot":
      return {
        ...next,
        whole: true,
        broker: data.broker === true,
        jobs: byKey(data.jobs as Job[], (job) => job.jobId),
        devices: byKey(data.devices as Device[], (device) => device.deviceId),
      };
    case "broker":
      return { ...next, broker: data.there === true };
    case "new-job":
    case "job-update": {
      const job = data.job as Job;
      return { ...next, jobs: put(next.jobs, job.jobId, job), ended: put(next.ended, job.jobId, undefined) };
    }
    case "job-completed": {
      const job = data.job as Job;
      return { ...next, jobs: put(next.jobs, job.jobId, undefined), ended: put(next.ended, job.jobId, job) };
    }
    case "job-removed": {
      const id = data.jobId as string;
      return { ...next, jobs: put(next.jobs, id, undefined), ended: put(next.ended, id, undefined) };
    }
    case "device-update": {
      const device = data.device as Device;
      return { ...next, devices: put(next.devices, device.deviceId, device) };
    }
    default:
      return next;
  }
}

export type ChunkNews = { jobId: string; chunks: Chunk[] };
