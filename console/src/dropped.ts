// Files that are chosen or dropped, those of folders with their paths. Hidden ones are left out.

export interface Named {
  file: File;
  /** With the folders that it came in; the document's id then. */
  path: string;
}

export function chosen(files: Iterable<File>): Named[] {
  return [...files].map((file) => ({ file, path: file.webkitRelativePath || file.name })).filter(({ path }) => !isHidden(path));
}

/** To be called within the event, after which what was dropped is gone. */
export function dropped({ items, files }: DataTransfer): Promise<Named[]> {
  const entries = [...items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  return entries.some((entry) => entry.isDirectory) ? below(entries) : Promise.resolve(chosen(files));
}

async function below(entries: FileSystemEntry[]): Promise<Named[]> {
  const found: Named[] = [];
  for (const entry of entries) {
    if (isHidden(entry.fullPath)) continue;
    if (isFolder(entry)) found.push(...(await below(await listed(entry))));
    else found.push({ file: await fileOf(entry as FileSystemFileEntry), path: entry.fullPath.slice(1) });
  }
  return found;
}

/** A browser gives a hundred at a time. */
async function listed(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const [reader, found] = [folder.createReader(), new Array<FileSystemEntry>()];
  for (;;) {
    const more = await new Promise<FileSystemEntry[]>((done, failed) => reader.readEntries(done, failed));
    if (more.length === 0) return found;
    found.push(...more);
  }
}

const fileOf = (entry: FileSystemFileEntry) => new Promise<File>((done, failed) => entry.file(done, failed));
const isFolder = (entry: FileSystemEntry): entry is FileSystemDirectoryEntry => entry.isDirectory;
const isHidden = (path: string) => path.split("/").some((name) => name.startsWith("."));
