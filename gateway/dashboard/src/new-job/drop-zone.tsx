import { type DragEvent, useRef, useState } from "react";
import { bytes, plural } from "../lib/format";
import { Button } from "../ui/parts";
import { dropped, type Found, picked } from "./collect";

/** A place for files and folders: to drop them on, or to choose them by keyboard. */
export function DropZone({ files, onFiles }: { files: Found[]; onFiles: (files: Found[]) => void }) {
  const [over, setOver] = useState(false);
  const one = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    dropped(event.dataTransfer.items).then(onFiles);
  };
  const total = files.reduce((sum, found) => sum + found.file.size, 0);
  return (
    <section
      aria-label="Files"
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
      className={`rounded-lg border-2 border-dashed p-8 text-center ${over ? "border-accent" : "border-line"}`}
    >
      <p className="mb-3">
        {files.length === 0
          ? "Drop files or folders here"
          : `${plural(files.length, "file")}, ${bytes(total)}`}
      </p>
      <span className="flex flex-wrap justify-center gap-2">
        <Button onClick={() => one.current?.click()}>Choose files</Button>
        <Button onClick={() => folder.current?.click()}>Choose a folder</Button>
      </span>
      <input
        ref={one}
        type="file"
        multiple
        hidden
        data-testid="files"
        onChange={(event) => onFiles(picked(event.target.files))}
      />
      <input
        ref={folder}
        type="file"
        hidden
        {...{ webkitdirectory: "" }}
        onChange={(event) => onFiles(picked(event.target.files))}
      />
    </section>
  );
}
