import { useEffect, useRef, useState } from "preact/hooks";
import { call, documentPath, listDocuments } from "./api";
import { download } from "./download";
import { Choice, TextField } from "./fields";
import { Trouble, useAll } from "./loaded";
import { documentRoute, follow } from "./route";
import type { CollectionOut, DocumentOut } from "./shapes";
import { told, useWords } from "./speech";
import { Uploads } from "./uploads";
import { WindowedList } from "./windowed";

const UNDO_MS = 8000;
const WAIT_MS = 250;
const CODES = [
  "unreadable_page", "picture_without_text", "attachment_skipped", "embedded_object_skipped", "hidden_part_skipped",
  "charset_guessed", "formula_without_value", "macro_skipped", "truncated",
];

export function Documents() {
  const words = useWords();
  const [shown, setShown] = useState<DocumentOut[]>([]);
  const [sought, setSought] = useState({ q: "", collection: "", warning: "" });
  const [loaded, setLoaded] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(null);
  // Of the page that comes next; undefined while one is loaded.
  const cursor = useRef<string | null | undefined>(null);
  const search = useRef(0);

  async function load(after: string | null) {
    const number = after === null ? ++search.current : search.current;
    cursor.current = undefined;
    try {
      const { collection, ...rest } = sought;
      const within = collection && JSON.stringify({ key: "collection", op: "eq", value: collection });
      const page = await listDocuments({ ...rest, filters: within }, after);
      // What was typed meanwhile has asked for others.
      if (number !== search.current) return;
      setShown((before) => (after === null ? page.data : [...before, ...page.data]));
      cursor.current = page.next_cursor;
      setTrouble(null);
    } catch (error) {
      if (number === search.current) setTrouble(told(error, words));
    }
    setLoaded(true);
  }
  useEffect(() => forgetDeletions, []);
  useEffect(() => {
    const timer = setTimeout(() => void load(null), loaded ? WAIT_MS : 0);
    return () => clearTimeout(timer);
  }, [sought]);

  return (
    <section>
      <h1>{words.documents}</h1>
      <Uploads onChange={() => void load(null)} />
      <Search sought={sought} onSought={setSought} />
      <Trouble of={trouble} />
      {loaded && trouble === null && shown.length === 0 && <p class="small">{words.noDocuments}</p>}
      <WindowedList
        label={words.documentList}
        items={shown}
        keyOf={(each) => each.id}
        onEnd={() => typeof cursor.current === "string" && void load(cursor.current)}
        row={(each) => (
          <Row
            document={each}
            onGone={() => setShown((before) => before.filter((other) => other.id !== each.id))}
            onTrouble={setTrouble}
          />
        )}
      />
    </section>
  );
}

type Sought = { q: string; collection: string; warning: string };

function Search({ sought, onSought }: { sought: Sought; onSought: (sought: Sought) => void }) {
  const words = useWords();
  const collections = useAll<CollectionOut>("collections");
  const named = (collections.value ?? []).map(({ id, name }): [string, string] => [id, name ?? id]);
  return (
    <div class="fields">
      <TextField label={words.search} type="search" value={sought.q} onValue={(q) => onSought({ ...sought, q })} />
      <Choice
        label={words.collection}
        value={sought.collection}
        options={[["", words.allCollections], ...named]}
        onValue={(collection) => onSought({ ...sought, collection })}
      />
      <Choice
        label={words.withWarnings}
        value={sought.warning}
        options={[["", words.anyWarning], ...CODES.map((code): [string, string] => [code, code])]}
        onValue={(warning) => onSought({ ...sought, warning })}
      />
    </div>
  );
}

interface RowProps {
  document: DocumentOut;
  onGone: () => void;
  onTrouble: (trouble: string) => void;
}

// Kept while a row is out of sight; who leaves the page before the time is over deletes nothing.
const leaving = new Map<string, number>();

export function forgetDeletions(): void {
  for (const timer of leaving.values()) clearTimeout(timer);
  leaving.clear();
}

function Row({ document: each, onGone, onTrouble }: RowProps) {
  const words = useWords();
  const [, setTimes] = useState(0);
  const redraw = () => setTimes((before) => before + 1);

  async function remove() {
    leaving.delete(each.id);
    try {
      await call(documentPath(each.id), { method: "DELETE" });
      onGone();
    } catch (error) {
      onTrouble(told(error, words));
      redraw();
    }
  }

  const path = documentRoute(each.id);
  const count = each.pages === null ? 0 : each.pages.text + each.pages.ocr + each.pages.unreadable;
  const name = each.title ?? each.source ?? each.id;
  return (
    <div class={leaving.has(each.id) ? "document leaving" : "document"}>
      <a class="name" href={path} onClick={(event) => follow(event, path)}>
        {name}
      </a>
      <span class="small">
        {name !== each.id && `${each.id} · `}
        {each.collection !== "default" && `${each.collection} · `}
        {count > 0 && `${words.pages}: ${count} · `}
        {each.warnings.length > 0 && `${words.warnings}: ${each.warnings.length} · `}
        {words.size}: {Math.ceil(each.bytes / 1024).toLocaleString()} KB · {words.changed}:{" "}
        {new Date(each.updated_at).toLocaleString(document.documentElement.lang)}
      </span>
      {leaving.has(each.id) ? (
        <span role="status">
          {words.removing}{" "}
          <button
            type="button"
            onClick={() => {
              clearTimeout(leaving.get(each.id));
              leaving.delete(each.id);
              redraw();
            }}
          >
            {words.undo}
          </button>
        </span>
      ) : (
        <span class="actions">
          <button
            type="button"
            class="quiet"
            aria-label={`${words.download}: ${name}`}
            onClick={() => void download(each).catch((error: unknown) => onTrouble(told(error, words)))}
          >
            {words.download}
          </button>
          <button
            type="button"
            class="quiet"
            aria-label={`${words.remove}: ${name}`}
            onClick={() => {
              leaving.set(each.id, window.setTimeout(() => void remove(), UNDO_MS));
              redraw();
            }}
          >
            {words.remove}
          </button>
        </span>
      )}
    </div>
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
