import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { feed } from "../feed/connection";
import { type Rates, rates, total } from "./rates";

const KEEP_S = 300;

const colour = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name);

function make(place: HTMLElement, data: uPlot.AlignedData): uPlot {
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 } };
  return new uPlot(
    {
      width: place.clientWidth,
      height: 180,
      cursor: { show: false },
      legend: { show: false },
      axes: [axis, { ...axis, label: "input done, MB/s", labelSize: 20 }],
      series: [{}, { stroke: colour("--accent"), width: 2, fill: `${colour("--accent")}22` }],
    },
    data,
    place,
  );
}

/** Bytes of input that are done, a second: from what the feed says of all jobs, looked at once a second. */
export function Throughput() {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!place.current) return;
    let seen: Rates = { at: [], perSecond: [], last: total(feed.now()) };
    const plot = make(place.current, [[], []]);
    const timer = setInterval(() => {
      seen = rates(seen, total(feed.now()), Date.now() / 1000, KEEP_S);
      plot.setData([seen.at, seen.perSecond.map((value) => value / 1e6)]);
    }, 1000);
    const resized = new ResizeObserver(() =>
      plot.setSize({ width: place.current?.clientWidth ?? 300, height: 180 }),
    );
    resized.observe(place.current);
    return () => {
      clearInterval(timer);
      resized.disconnect();
      plot.destroy();
    };
  }, []);
  return <div ref={place} role="img" aria-label="Throughput over the last five minutes" className="w-full" />;
}
