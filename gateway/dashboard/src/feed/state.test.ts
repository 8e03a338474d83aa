import { expect, test } from "vitest";
import type { Device, Job } from "../lib/types";
import { apply, type FeedState, nothing } from "./state";

const job = (jobId: string, status: Job["status"] = "pending") => ({ jobId, status }) as Job;
const device = (deviceId: string) => ({ deviceId }) as Device;

const after = (...messages: [string, Record<string, unknown>][]) =>
  messages.reduce<FeedState | null>(
    (state, [event, data], i) => state && apply(state, { event, data, seq: i + 1 }),
    nothing,
  );

test("a snapshot replaces what was known", () => {
  const state = after(
    ["new-job", { job: job("1") }],
    ["snapshot", { broker: true, jobs: [job("2")], devices: [device("d")] }],
  );
  expect([...(state?.jobs.keys() ?? [])]).toEqual(["2"]);
  expect(state?.whole).toBe(true);
});

test("a job comes, changes, ends and goes", () => {
  const ended = after(
    ["new-job", { job: job("1") }],
    ["job-update", { job: job("1", "processing") }],
    ["job-completed", { job: job("1", "completed") }],
  );
  expect(ended?.jobs.size).toBe(0);
  expect(ended?.ended.get("1")?.status).toBe("completed");
  const gone = ended && apply(ended, { event: "job-removed", data: { jobId: "1" }, seq: 4 });
  expect(gone?.ended.size).toBe(0);
});

test("a retried job is live again", () => {
  const state = after(
    ["job-completed", { job: job("1", "failed") }],
    ["job-update", { job: job("1", "processing") }],
  );
  expect(state?.ended.size).toBe(0);
  expect(state?.jobs.get("1")?.status).toBe("processing");
});

test("a missing number begins anew, events without one do not count", () => {
  expect(apply(nothing, { event: "new-job", data: { job: job("1") }, seq: 2 })).toBeNull();
  expect(apply(nothing, { event: "error", data: {} })).toBe(nothing);
});

test("the broker goes and comes", () => {
  expect(after(["broker", { there: false }])?.broker).toBe(false);
});
