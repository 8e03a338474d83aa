import { expect, test } from "vitest";
import { nothing } from "../feed/state";
import type { Job } from "../lib/types";
import { rates, total } from "./rates";

test("bytes a second, and nothing negative when a job goes", () => {
  let seen = rates({ at: [], perSecond: [], last: 0 }, 100, 1, 10);
  seen = rates(seen, 300, 2, 10);
  seen = rates(seen, 50, 3, 10);
  expect(seen.perSecond).toEqual([100, 200, 0]);
});

test("what is old goes", () => {
  let seen = rates({ at: [], perSecond: [], last: 0 }, 0, 0, 10);
  seen = rates(seen, 0, 20, 10);
  expect(seen.at).toEqual([20]);
});

test("all jobs count by how far they are", () => {
  const jobs = new Map([["1", { bytesIn: 100, progress: 0.5 } as Job]]);
  const ended = new Map([["2", { bytesIn: 10, progress: 1 } as Job]]);
  expect(total({ ...nothing, jobs, ended })).toBe(60);
});
