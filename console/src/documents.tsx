import { useEffect, useRef, useState } from "preact/hooks";
import { call, documentPath, listDocuments } from "./api";
import { documentRoute, follow } from "./route";
import type { DocumentOut } from "./shapes";
import { told, useWords } from "./speech";
import { Uploads } from "./uploads";

const UNDO_MS = 8000;

export function Documents() {
  const words = useWords();
  const [shown, setShown] = useState<DocumentOut[]>([]);
  const [cursor, setCursor] = useState<string | null>(null);
  const [loaded, setLoaded] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(null);

  async function load(after: string | null) {
    try {
      const page = await listDocuments(after);
      setShown((before) => (after === null ? page.data : [...before, ...page.data]));
      setCursor(page.next_cursor);
      setTrouble(null);
    } catch (error) {
      setTrouble(told(error, words));
    }
    setLoaded(true);
  }
  useEffect(() => void load(null), []);

  return (
    <section>
      <h1>{words.documents}</h1>
      <Uploads onChange={() => void load(null)} />
      {trouble !== null && <p role="alert">{trouble}</p>}
      {loaded && trouble === null && shown.length === 0 && <p class="small">{words.noDocuments}</p>}
      <ul class="documents">
        {shown.map((each) => (
          <Row
            key={each.id}
            document={each}
            onGone={() => setShown((before) => before.filter((other) => other.id !== each.id))}
            onTrouble={setTrouble}
          />
        ))}
      </ul>
      {cursor !== null && (
        <button type="button" onClick={() => void load(cursor)}>
          {words.more}
        </button>
      )}
    </section>
  );
}

interface RowProps {
  document: DocumentOut;
  onGone: () => void;
  onTrouble: (trouble: string) => void;
}

function Row({ document: each, onGone, onTrouble }: RowProps) {
  const words = useWords();
  const [leaving, setLeaving] = useState(false);
  const timer = useRef(0);
  // Who leaves the page before the time is over deletes nothing.
  useEffect(() => () => clearTimeout(timer.current), []);

  async function remove() {
    try {
      await call(documentPath(each.id), { method: "DELETE" });
      onGone();
    } catch (error) {
      onTrouble(told(error, words));
      setLeaving(false);
    }
  }
  async function download() {
    try {
      const content = await (await call(`${documentPath(each.id)}/content`)).blob();
      const link = document.createElement("a");
      link.href = URL.createObjectURL(content);
      link.download = (each.source ?? each.id).split(/[/\\]/).pop() || "document";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    } catch (error) {
      onTrouble(told(error, words));
    }
  }

  const path = documentRoute(each.id);
  const count = each.pages === null ? 0 : each.pages.text + each.pages.ocr + each.pages.unreadable;
  const name = each.title ?? each.source ?? each.id;
  return (
    <li class={leaving ? "leaving" : undefined}>
      <a class="name" href={path} onClick={(event) => follow(event, path)}>
        {name}
      </a>
      <span class="small">
        {name !== each.id && `${each.id} · `}
        {count > 0 && `${words.pages}: ${count} · `}
        {words.size}: {Math.ceil(each.bytes / 1024).toLocaleString()} KB · {words.changed}:{" "}
        {new Date(each.updated_at).toLocaleString(document.documentElement.lang)}
      </span>
      <Told warnings={each.warnings.map((warning) => warning.detail)} />
      {leaving ? (
        <span role="status">
          {words.removing}{" "}
          <button
            type="button"
            onClick={() => {
              clearTimeout(timer.current);
              setLeaving(false);
            }}
          >
            {words.undo}
          </button>
        </span>
      ) : (
        <span class="actions">
          <button type="button" class="quiet" aria-label={`${words.download}: ${name}`} onClick={() => void download()}>
            {words.download}
          </button>
          <button
            type="button"
            class="quiet"
            aria-label={`${words.remove}: ${name}`}
            onClick={() => {
              setLeaving(true);
              timer.current = window.setTimeout(() => void remove(), UNDO_MS);
            }}
          >
            {words.remove}
          </button>
        </span>
      )}
    </li>
  );
}

export function Told({ warnings }: { warnings: string[] }) {
  const words = useWords();
  if (warnings.length === 0) return null;
  return (
    <details class="small">
      <summary>
        {words.warnings}: {warnings.length}
      </summary>
      <ul>
        {warnings.map((detail, number) => (
          <li key={number}>{detail}</li>
        ))}
      </ul>
    </details>
  );
}
