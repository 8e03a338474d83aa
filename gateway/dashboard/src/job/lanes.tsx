import { useEffect, useRef } from "react";
import { useFeed } from "../feed/use-feed";
import type { Chunks } from "./chunks";

const LANE = 18;
const NAMES = 120;

/** A lane a device: who worked on what, when. Two bars of one chunk are a twin, or a chunk that was given out again. */
export function Lanes({ chunks }: { chunks: Chunks }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { devices } = useFeed();
  const { bars } = chunks;
  const lanes = [...new Set(bars.map((bar) => bar.device))];
  const names = lanes.map((id) => devices.get(id)?.name ?? id);
  useEffect(() => {
    const place = canvas.current;
    const pen = place?.getContext("2d");
    if (!place || !pen || bars.length === 0) return;
    const ids = [...new Set(bars.map((bar) => bar.device))];
    const style = getComputedStyle(document.documentElement);
    const from = bars.reduce((least, bar) => Math.min(least, bar.from), Number.POSITIVE_INFINITY);
    const to = bars.reduce((most, bar) => Math.max(most, bar.to ?? Date.now()), from + 1);
    place.width = place.clientWidth;
    place.height = ids.length * LANE;
    const scale = (place.width - NAMES) / (to - from);
    pen.font = "12px system-ui";
    pen.fillStyle = style.getPropertyValue("--text");
    names.forEach((name, i) => {
      pen.fillText(name.slice(0, 18), 0, i * LANE + 13);
    });
    for (const bar of bars) {
      const open = bar.to === null;
      pen.fillStyle = style.getPropertyValue(bar.failed ? "--bad" : open ? "--quiet" : "--accent");
      const length = Math.max(1, ((bar.to ?? to) - bar.from) * scale - 1);
      pen.fillRect(NAMES + (bar.from - from) * scale, ids.indexOf(bar.device) * LANE + 3, length, LANE - 6);
    }
  }, [bars, names]);
  if (bars.length === 0) return null;
  return (
    <canvas
      ref={canvas}
      role="img"
      aria-label={`Work of ${names.join(", ")} over time`}
      className="mt-4 block w-full"
    />
  );
}
