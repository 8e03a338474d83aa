import { useEffect, useRef } from "react";
import { type Chunks, STATES } from "./chunks";

const COLOURS: Record<(typeof STATES)[number], string> = {
  pending: "--line",
  assigned: "--quiet",
  processing: "--accent",
  completed: "--good",
  failed: "--bad",
  cancelled: "--warn",
};

/** A cell a chunk, in order, as large as fits: drawn, since there may be a hundred thousand. */
export function ChunkMap({ chunks }: { chunks: Chunks }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { states } = chunks;
  useEffect(() => {
    const place = canvas.current;
    const pen = place?.getContext("2d");
    if (!place || !pen) return;
    const style = getComputedStyle(document.documentElement);
    const colours = STATES.map((state) => style.getPropertyValue(COLOURS[state]));
    const width = place.clientWidth;
    const cell = Math.max(2, Math.min(14, Math.floor(Math.sqrt((width * 220) / Math.max(1, states.length)))));
    const across = Math.max(1, Math.floor(width / cell));
    place.width = width;
    place.height = Math.ceil(states.length / across) * cell;
    const gap = cell > 4 ? 1 : 0;
    states.forEach((state, i) => {
      pen.fillStyle = colours[state] ?? "";
      pen.fillRect((i % across) * cell, Math.floor(i / across) * cell, cell - gap, cell - gap);
    });
  }, [states]);
  const count = (name: (typeof STATES)[number]) =>
    states.reduce((n, state) => n + Number(STATES[state] === name), 0);
  const said = STATES.map((name) => `${count(name)} ${name}`).join(", ");
  return <canvas ref={canvas} role="img" aria-label={`Chunks: ${said}`} className="block w-full" />;
}
