// What REST and /ws give: the objects of the wire, as proto/messages.def makes them, and what is REST's own.
import type * as Wire from "../../../../proto/messages";

export type JobStatus = "pending" | "processing" | "completed" | "failed" | "cancelled";

export type Job = Omit<Wire.Job, "status"> & { status: JobStatus };
export type Chunk = Omit<Wire.Chunk, "status"> & { status: JobStatus | "assigned" };
export type Device = Wire.Agent;

export interface Param {
  name: string;
  type: "integer" | "string" | "boolean";
  required: boolean;
  default: string | number | boolean | null;
  help: string;
  min?: number;
  max?: number;
  maxLength?: number;
  choices?: string[];
}

export interface Kernel {
  type: string;
  title: string;
  params: Param[];
}

export interface Login {
  role: "viewer" | "submitter" | "admin" | "device";
  name: string;
}

export const isFinal = (job: Job) => ["completed", "failed", "cancelled"].includes(job.status);
