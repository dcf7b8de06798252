import { call, documentPath } from "./api";
import type { DocumentOut } from "./shapes";

/** Fetch the original with the key, and hand it to the browser as a file. */
export async function download(shown: DocumentOut): Promise<void> {
  const content = await (await call(`${documentPath(shown.id)}/content`)).blob();
  saveAs(content, (shown.source ?? shown.id).split(/[/\\]/).pop() || "document");
}

export function saveAs(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
