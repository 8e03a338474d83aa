// The small parts that every page is made of.
import type { ButtonHTMLAttributes, ReactNode } from "react";

export function Button({ strong, ...rest }: ButtonHTMLAttributes<HTMLButtonElement> & { strong?: boolean }) {
  const look = strong
    ? "bg-accent text-on-accent border-accent"
    : "bg-card text-text border-line hover:border-accent";
  return (
    <button
      type="button"
      {...rest}
      className={`rounded border px-3 py-1.5 text-sm disabled:cursor-not-allowed disabled:opacity-50 ${look}`}
    />
  );
}

export function Card({ title, children, extra }: { title?: string; children: ReactNode; extra?: ReactNode }) {
  return (
    <section className="rounded-lg border border-line bg-card p-4">
      {title !== undefined && (
        <header className="mb-3 flex items-center justify-between gap-2">
          <h2 className="font-semibold">{title}</h2>
          {extra}
        </header>
      )}
      {children}
    </section>
  );
}

export function Progress({ share, label }: { share: number; label: string }) {
  return (
    <progress
      aria-label={label}
      value={share}
      max={1}
      className="h-2 w-full overflow-hidden rounded [&::-moz-progress-bar]:bg-accent [&::-webkit-progress-bar]:bg-line [&::-webkit-progress-value]:bg-accent"
    />
  );
}

const TONES: Record<string, string> = {
  completed: "text-good",
  online: "text-good",
  busy: "text-accent",
  processing: "text-accent",
  failed: "text-bad",
  offline: "text-quiet",
};

export const Status = ({ status }: { status: string }) => (
  <span className={`text-sm font-medium ${TONES[status] ?? "text-warn"}`}>{status}</span>
);

export const Problem = ({ text }: { text: string }) =>
  text ? (
    <p role="alert" className="my-2 text-sm text-bad">
      {text}
    </p>
  ) : null;
