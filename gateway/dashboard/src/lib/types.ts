// What REST and /ws give, as far as the page uses it. The names are those of the gateway's openapi.yaml.
export type JobStatus = "pending" | "processing" | "completed" | "failed" | "cancelled";

export interface Job {
  jobId: string;
  type: string;
  status: JobStatus;
  name: string;
  totalChunks: number;
  completedChunks: number;
  failedChunks: number;
  totalFiles: number;
  failedFiles: number;
  createdAt: string | null;
  startedAt: string | null;
  completedAt: string | null;
  priority: number;
  progress: number;
  bytesIn: number;
  bytesOut: number;
  error: string | null;
}

export interface Chunk {
  chunkId: string;
  jobId: string;
  chunkIndex: number;
  status: "pending" | "assigned" | "processing" | "completed" | "failed" | "cancelled";
  assignedTo: string | null;
  attempts: number;
  error: string | null;
  stderr: string | null;
  startedAt: string | null;
  completedAt: string | null;
}

export interface Device {
  deviceId: string;
  name: string;
  kind: string;
  status: string;
  reason: string | null;
  systemInfo: { platform: string; cpuCores: number; memory: number };
  slots: number;
  currentLoad: number;
  tasksCompleted: number;
  lastHeartbeat: string | null;
  version: string;
}

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
