// Made by proto/gen.c from proto/messages.def: change that, then run
// `ninja -C build-test renew`. Objects as the REST interface shows them.

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** The first element of each header on the wire. */
export const codes = {
  HELLO: 1,
  CREDIT: 2,
  BEAT: 3,
  DONE: 4,
  FAIL: 5,
  RETURN: 6,
  BYE: 7,
  WELCOME: 16,
  ASSIGN: 17,
  REVOKE: 18,
  TAKEN: 19,
  ERROR: 20,
  SUBMIT: 32,
  ADD: 33,
  SEAL: 34,
  CANCEL: 35,
  RETRY: 36,
  SET: 37,
  FORGET: 38,
  GET_JOBS: 40,
  GET_CHUNKS: 41,
  GET_ADDS: 42,
  GET_AGENTS: 43,
  GET_WHY: 44,
  GET_STATS: 45,
  DRAIN: 46,
  RESUME: 47,
  SUBSCRIBE: 48,
  OK: 64,
  JOBS: 65,
  CHUNKS: 66,
  ADDS: 67,
  AGENTS: 68,
  WHY: 69,
  STATS: 70,
  SNAPSHOT: 71,
  CHANGES: 72,
  FETCH: 96,
  SLICE: 97,
  STORE: 98,
  STORED: 99,
} as const;

export type MessageName = keyof typeof codes;

/** a kernel that a device can run */
export interface Kernel {
  /** compress, hash, filter, transform */
  type: string;
  /** revision of its results */
  rev: number;
  /** library version behind it, such as zstd 1.5.4 */
  engine: string;
}

/** an inline input; its bytes are in the payload, one after the other */
export interface Input {
  /** as the user gave it */
  name: string;
  /** base64, where the name is not UTF-8 */
  nameBytes?: string;
  /** bytes */
  size: number;
  /** permissions */
  mode: number;
  /** Unix seconds */
  mtime: number;
}

/** an upload in STATE/uploads */
export interface Upload {
  /** 32 hex digits */
  id: string;
}

/** what a device is */
export interface System {
  /** such as linux x86_64 */
  platform: string;
  /** logical processors */
  cpuCores: number;
  /** bytes */
  memory: number;
}

/** a job, as REST shows it */
export interface Job {
  /** number, never reused */
  jobId: string;
  /** kernel */
  type: string;
  /** pending, processing, completed, failed, cancelled */
  status: string;
  /** so far, while it is open */
  totalChunks: number;
  completedChunks: number;
  failedChunks: number;
  totalFiles: number;
  /** files with an error, or with a part in a FAILED chunk */
  failedFiles: number;
  /** as sent, if at most 16 KiB */
  inputData: Json;
  /** null before the end */
  result: Json;
  createdAt: string | null;
  /** its first lease */
  startedAt: string | null;
  /** set for every final status */
  completedAt: string | null;
  /** given by its owner */
  name: string;
  /** -100 to 100, higher first */
  priority: number;
  /** of its kernel */
  params: Record<string, string | number | boolean>;
  /** 0 to 1 */
  progress: number;
  /** of its inputs */
  bytesIn: number;
  /** of its outputs so far */
  bytesOut: number;
  /** why it failed */
  error: string | null;
}

/** a chunk, as REST shows it */
export interface Chunk {
  /** JOB-INDEX */
  chunkId: string;
  jobId: string;
  /** from 0 */
  chunkIndex: number;
  /** pending, assigned, processing, completed, failed, cancelled */
  status: string;
  /** deviceId: who has it, or who did it */
  assignedTo: string | null;
  /** counted failures */
  attempts: number;
  /** in the shape of a job's */
  result: Json;
  error: string | null;
  /** last of what the slot said */
  stderr: string | null;
  startedAt: string | null;
  completedAt: string | null;
}

/** a device, as REST shows it */
export interface Agent {
  /** short fingerprint of its key */
  deviceId: string;
  /** given by its owner */
  name: string;
  /** agent or browser */
  kind: string;
  /** online, busy, offline, paused, asleep, draining */
  status: string;
  /** why it is not online */
  reason: string | null;
  systemInfo: System;
  /** kernels at a time */
  slots: number;
  /** 0 to 1 */
  currentLoad: number;
  /** chunks taken from it */
  tasksCompleted: number;
  lastHeartbeat: string | null;
  connectedAt: string | null;
  /** of its program */
  version: string;
  /** what it can run */
  kernels: Kernel[];
}

/** why one device does not work on a job */
export interface Reason {
  /** null: about the job as a whole */
  deviceId: string | null;
  /** in words */
  reason: string;
  /** what would change it, where something would */
  fix: string | null;
}

/** a counter */
export interface Stat {
  /** shadow_… as in /metrics */
  name: string;
  value: number;
}
