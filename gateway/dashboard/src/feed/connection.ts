// The one WebSocket: opens, opens again with growing pauses, hands messages on. The cookie says who it is.
import { apply, type ChunkNews, type FeedState, type Message, nothing } from "./state";

const PAUSES_MS = [250, 500, 1000, 2000, 5000];

export class Feed {
  private state: FeedState = nothing;
  private socket: WebSocket | null = null;
  private tries = 0;
  private timer = 0;
  private readonly listeners = new Set<() => void>();
  private readonly watchers = new Map<string, Set<(news: ChunkNews) => void>>();

  readonly subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    if (!this.socket && !this.timer) this.open();
    return () => this.listeners.delete(listener);
  };

  readonly now = () => this.state;

  /** News of the chunks of one job, until what it returns is called. */
  watch(jobId: string, on: (news: ChunkNews) => void): () => void {
    const set = this.watchers.get(jobId) ?? new Set();
    this.watchers.set(jobId, set.add(on));
    if (set.size === 1) this.say("subscribe", { jobId });
    return () => {
      set.delete(on);
      if (set.size > 0) return;
      this.watchers.delete(jobId);
      this.say("unsubscribe", { jobId });
    };
  }

  close(): void {
    clearTimeout(this.timer);
    this.timer = 0;
    this.socket?.close();
    this.socket = null;
    this.become(nothing);
  }

  private open(): void {
    this.timer = 0;
    const socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/ws`);
    this.socket = socket;
    socket.onopen = () => {
      this.become({ ...this.state, gateway: true, seq: 0 });
      for (const jobId of this.watchers.keys()) this.say("subscribe", { jobId });
    };
    socket.onmessage = ({ data }) => this.hear(JSON.parse(String(data)) as Message);
    socket.onclose = () => {
      if (this.socket !== socket) return;
      this.socket = null;
      this.become({ ...this.state, gateway: false });
      this.timer = window.setTimeout(
        () => this.open(),
        PAUSES_MS[Math.min(this.tries++, PAUSES_MS.length - 1)],
      );
    };
  }

  private hear(message: Message): void {
    const next = apply(this.state, message);
    if (!next) {
      this.socket?.close(); // a gap: the next connection has a snapshot
      return;
    }
    if (message.event === "snapshot") this.tries = 0;
    if (message.event.startsWith("chunk-")) {
      const news = message.data as unknown as ChunkNews;
      for (const on of this.watchers.get(news.jobId) ?? []) on(news);
    }
    this.become(next);
  }

  private say(event: string, data: unknown): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ event, data }));
  }

  private become(state: FeedState): void {
    this.state = state;
    for (const listener of this.listeners) listener();
  }
}

export const feed = new Feed();
