import { expect, test } from "vitest";
import type { Chunk } from "../lib/types";
import { learn, none, STATES } from "./chunks";

const chunk = (chunkIndex: number, status: Chunk["status"], more: Partial<Chunk> = {}): Chunk => ({
  chunkId: `1-${chunkIndex}`,
  jobId: "1",
  chunkIndex,
  status,
  assignedTo: null,
  attempts: 0,
  error: null,
  result: null,
  stderr: null,
  startedAt: null,
  completedAt: null,
  ...more,
});
const at = (second: number) => new Date(second * 1000).toISOString();

test("the map grows with the job and keeps what it knew", () => {
  const known = learn(learn(none, [chunk(1, "completed")], 3), [], 5);
  expect([...known.states].map((state) => STATES[state])).toEqual([
    "pending",
    "completed",
    "pending",
    "pending",
    "pending",
  ]);
});

test("a bar opens when a chunk is given out and closes when it is done", () => {
  let known = learn(none, [chunk(0, "assigned", { assignedTo: "a", startedAt: at(1) })], 1);
  known = learn(known, [chunk(0, "completed", { assignedTo: "a", completedAt: at(3) })], 1);
  expect(known.bars).toEqual([{ chunk: 0, device: "a", from: 1000, to: 3000, failed: false }]);
});

test("a twin is a bar of its own", () => {
  let known = learn(none, [chunk(0, "assigned", { assignedTo: "a", startedAt: at(1) })], 1);
  known = learn(known, [chunk(0, "assigned", { assignedTo: "b", startedAt: at(2) })], 1);
  expect(known.bars.map((bar) => bar.device)).toEqual(["a", "b"]);
});

test("failures are kept with their words, and go with a retry", () => {
  let known = learn(none, [chunk(0, "failed", { error: "no", assignedTo: "a", completedAt: at(1) })], 1);
  expect(known.failed.get(0)?.error).toBe("no");
  known = learn(known, [chunk(0, "assigned", { assignedTo: "a", startedAt: at(2) })], 1);
  expect(known.failed.size).toBe(0);
});
