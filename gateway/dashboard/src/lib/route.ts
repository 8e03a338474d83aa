// Pages are behind the address's #, so that one file serves them all.
import { useSyncExternalStore } from "react";

const on = (listener: () => void) => {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
};

/** `#/job/7` as ["job", "7"]. */
export function useRoute(): string[] {
  const hash = useSyncExternalStore(on, () => location.hash);
  return hash.replace(/^#\/?/, "").split("/");
}

export const go = (path: string) => {
  location.hash = `#/${path}`;
};
