import { useEffect, useState } from "preact/hooks";
import { documentPath, get } from "./api";
import type { Chunk, Page } from "./shapes";
import { told, useWords } from "./speech";
import { pageName } from "./words";

/** The chunks of a document, as they are searched. */
export function Chunks({ id }: { id: string }) {
  const words = useWords();
  const [shown, setShown] = useState<Chunk[]>([]);
  const [cursor, setCursor] = useState<string | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);

  async function load(after: string | null) {
    try {
      const asked = after === null ? "" : `&cursor=${encodeURIComponent(after)}`;
      const page = await get<Page<Chunk>>(`${documentPath(id)}/chunks?limit=50${asked}`);
      setShown((before) => [...before, ...page.data]);
      setCursor(page.next_cursor);
    } catch (error) {
      setTrouble(told(error, words));
    }
  }
  useEffect(() => void load(null), []);

  return (
    <>
      <ol class="chunks">
        {shown.map((chunk) => (
          <li key={chunk.chunk_id}>
            <p class="small">
              {chunk.headings.join(" › ")}
              {chunk.page !== null && ` · ${pageName(words, chunk.page)}`}
            </p>
            <p class="text" dir="auto">
              {chunk.text}
            </p>
          </li>
        ))}
      </ol>
      {trouble !== null && <p role="alert">{trouble}</p>}
      {cursor !== null && (
        <button type="button" onClick={() => void load(cursor)}>
          {words.more}
        </button>
      )}
    </>
  );
}
