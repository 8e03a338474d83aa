import { useEffect, useState } from "react";
import { api } from "../lib/api";
import { plural } from "../lib/format";
import type { Job } from "../lib/types";
import { Card } from "../ui/parts";
import type { Chunks } from "./chunks";

interface FileRow {
  name: string;
  error: string | null;
  chunkId: string;
}

/** What went wrong: files with their errors, chunks with the last of their standard error. */
export function Failures({ job, chunks }: { job: Job; chunks: Chunks }) {
  const [files, setFiles] = useState<FileRow[]>([]);
  const over = job.completedAt !== null;
  useEffect(() => {
    if (!over || job.failedFiles === 0) return;
    api<{ files: FileRow[] }>("GET", `/api/jobs/${job.jobId}/files?status=failed`).then(
      (answer) => setFiles(answer.files),
      () => setFiles([]),
    );
  }, [job.jobId, job.failedFiles, over]);
  if (files.length + chunks.failed.size === 0) return null;
  return (
    <Card title={`What failed (${plural(Math.max(files.length, job.failedFiles), "file")})`}>
      <ul className="grid gap-2 text-sm">
        {files.map((file) => (
          <li key={`${file.chunkId} ${file.name}`}>
            <span className="font-medium">{file.name}</span>: <span className="text-bad">{file.error}</span>
          </li>
        ))}
        {[...chunks.failed.values()].slice(0, 100).map((chunk) => (
          <li key={chunk.chunkId}>
            <details>
              <summary>
                chunk {chunk.chunkIndex}: <span className="text-bad">{chunk.error}</span>
              </summary>
              <pre className="mt-1 overflow-auto rounded bg-page p-2 text-xs">
                {chunk.stderr || "It said nothing."}
              </pre>
            </details>
          </li>
        ))}
      </ul>
    </Card>
  );
}
