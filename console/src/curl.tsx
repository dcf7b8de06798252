import { useState } from "preact/hooks";
import { GROUPS_HEADER, ROOT, session } from "./api";
import { useWords } from "./speech";

/** A question as a command for a shell; the key stays out of it. */
export function AsCurl({ body }: { body: Record<string, unknown> }) {
  const words = useWords();
  const [copied, setCopied] = useState(false);
  const sent = JSON.stringify({ ...body, stream: undefined }).replaceAll("'", "'\\''");
  const command = [
    "curl -H 'Content-Type: application/json'",
    '-H "Authorization: Bearer $KYUJANG_KEY"',
    ...(session.groupsSent === null ? [] : [`-H '${GROUPS_HEADER}: ${session.groupsSent.replaceAll("'", "%27")}'`]),
    `-d '${sent}' '${new URL("query", ROOT)}'`,
  ].join(" \\\n  ");
  return (
    <details>
      <summary>{words.asCurl}</summary>
      <pre>{command}</pre>
      {/* Browsers offer no clipboard to pages that came over plain HTTP from another machine. */}
      {navigator.clipboard !== undefined && (
        <button type="button" onClick={() => void navigator.clipboard.writeText(command).then(() => setCopied(true))}>
          {copied ? words.copied : words.copyText}
        </button>
      )}
    </details>
  );
}
