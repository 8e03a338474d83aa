// A job whose upload was cut short by a reload: which one it is, and which of its files are in it. Kept by the browser.
import type { Wanted } from "./upload";

const KEY = "shadowwork-unfinished";

export interface Unfinished {
  jobId: string;
  what: string; // type and parameters
  done: string[]; // files
}

export const fileKey = (path: string, file: { size: number; lastModified: number }): string =>
  `${path}|${file.size}|${file.lastModified}`;

export const whatOf = ({ type, params }: Pick<Wanted, "type" | "params">): string =>
  JSON.stringify([type, params]);

/** What was kept, if it is for the same work. */
export function recall(wanted: Wanted): Unfinished | null {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "null") as Unfinished | null;
    const keys = new Set(wanted.files.map(({ path, file }) => fileKey(path, file)));
    return kept?.what === whatOf(wanted) && kept.done.every((key) => keys.has(key)) ? kept : null;
  } catch {
    return null; // of another version, or no storage
  }
}

export function keep(unfinished: Unfinished | null): void {
  try {
    if (unfinished) localStorage.setItem(KEY, JSON.stringify(unfinished));
    else localStorage.removeItem(KEY);
  } catch {
    // a browser without storage begins anew after a reload
  }
}
