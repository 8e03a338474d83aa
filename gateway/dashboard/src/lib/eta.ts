// When a job will end, as a range: from the fastest and the slowest stretch of its last samples. Pure.
export interface Sample {
  at: number; // ms
  progress: number; // 0 to 1
}

const KEEP_MS = 60_000;
const STRETCHES = 4;

export function addSample(samples: readonly Sample[], next: Sample): Sample[] {
  return [
    ...samples.filter((sample) => next.at - sample.at <= KEEP_MS && sample.progress <= next.progress),
    next,
  ];
}

/** Seconds that are left, at best and at worst; null while too little is known. */
export function eta(samples: readonly Sample[]): [number, number] | null {
  const first = samples[0];
  const last = samples.at(-1);
  if (!first || !last || last.at - first.at < 2000 || last.progress <= first.progress) return null;
  const left = 1 - last.progress;
  const rates: number[] = [(last.progress - first.progress) / (last.at - first.at)];
  for (let i = 0; i < STRETCHES; i++) {
    const from = samples[Math.floor((i * (samples.length - 1)) / STRETCHES)];
    const to = samples[Math.floor(((i + 1) * (samples.length - 1)) / STRETCHES)];
    if (from && to && to.at - from.at >= 500 && to.progress > from.progress)
      rates.push((to.progress - from.progress) / (to.at - from.at));
  }
  return [left / Math.max(...rates) / 1000, left / Math.min(...rates) / 1000];
}
