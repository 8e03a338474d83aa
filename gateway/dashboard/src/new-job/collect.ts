// Files that were dropped, folders walked to their ends, with the path each has below what was dropped.
export interface Found {
  path: string;
  file: File;
}

async function walk(entry: FileSystemEntry, above: string, found: Found[]): Promise<void> {
  if (entry.isFile) {
    const file = await new Promise<File>((done, failed) => (entry as FileSystemFileEntry).file(done, failed));
    found.push({ path: above + entry.name, file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((done, failed) => reader.readEntries(done, failed));
    if (some.length === 0) return; // a browser gives a hundred at a time
    for (const each of some) await walk(each, `${above}${entry.name}/`, found);
  }
}

export async function dropped(items: DataTransferItemList): Promise<Found[]> {
  const entries = [...items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const found: Found[] = [];
  for (const entry of entries) await walk(entry, "", found);
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

export const picked = (files: FileList | null): Found[] =>
  [...(files ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
