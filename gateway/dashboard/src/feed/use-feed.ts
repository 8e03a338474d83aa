import { useSyncExternalStore } from "react";
import { feed } from "./connection";
import type { FeedState } from "./state";

export const useFeed = (): FeedState => useSyncExternalStore(feed.subscribe, feed.now);
