import { beforeEach, expect, test, vi } from "vitest";
import { fileKey, keep, recall, whatOf } from "./unfinished";
import type { Wanted } from "./upload";

const file = (size: number) => ({ size, lastModified: 7 }) as File;
const wanted: Wanted = {
  type: "hash",
  name: "",
  params: {},
  files: [
    { path: "a/x", file: file(1) },
    { path: "b/x", file: file(1) },
  ],
};

beforeEach(() => {
  const kept = new Map<string, string>();
  vi.stubGlobal("localStorage", {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
    removeItem: (key: string) => kept.delete(key),
  });
});

test("files of one name in two folders are two", () => {
  expect(fileKey("a/x", file(1))).not.toBe(fileKey("b/x", file(1)));
});

test("the same work goes on, other work does not", () => {
  keep({ jobId: "7", what: whatOf(wanted), done: [fileKey("a/x", file(1))] });
  expect(recall(wanted)?.jobId).toBe("7");
  expect(recall({ ...wanted, type: "compress" })).toBeNull();
  expect(recall({ ...wanted, files: wanted.files.slice(1) })).toBeNull();
  keep(null);
  expect(recall(wanted)).toBeNull();
});

test("what cannot be read begins anew", () => {
  localStorage.setItem("shadowwork-unfinished", "{");
  expect(recall(wanted)).toBeNull();
});
