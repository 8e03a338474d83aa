import { expect, test } from "vitest";
import { addSample, eta, type Sample } from "./eta";

const steady = Array.from({ length: 11 }, (_, i) => ({ at: i * 1000, progress: i / 100 }));

test("a steady job has a narrow range", () => {
  const range = eta(steady);
  expect(range?.[0]).toBeCloseTo(90, 5);
  expect(range?.[1]).toBeCloseTo(90, 5);
});

test("an uneven one a wide range that holds the mean", () => {
  const uneven: Sample[] = steady.map(({ at }, i) => ({
    at,
    progress: i < 5 ? i / 50 : 0.1 + (i - 5) / 200,
  }));
  const [best, worst] = eta(uneven) ?? [0, 0];
  expect(best).toBeLessThan(worst);
});

test("nothing is said too early, or without progress", () => {
  expect(eta([])).toBeNull();
  expect(eta(steady.slice(0, 2))).toBeNull();
  expect(eta(steady.map(({ at }) => ({ at, progress: 0.5 })))).toBeNull();
});

test("old samples go, and those of before a retry", () => {
  const samples = addSample([{ at: 0, progress: 0 }], { at: 61_000, progress: 0.5 });
  expect(samples).toHaveLength(1);
  expect(addSample([{ at: 0, progress: 0.9 }], { at: 10, progress: 0.2 })).toHaveLength(1);
});
