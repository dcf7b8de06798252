import { useEffect, useState } from "preact/hooks";
import { ApiError, call, documentPath, get } from "./api";
import type { Boxes, Span } from "./shapes";
import { told, useWords } from "./speech";
import { pageName } from "./words";

interface Props {
  id: string;
  number: number;
  quote: Span | null;
  onPage: (number: number) => void;
  onText: () => void;
}

/** A page as it looks, with the quote marked: the picture comes with the key, as a blob. */
export function PageView({ id, number, quote, onPage, onText }: Props) {
  const words = useWords();
  const [picture, setPicture] = useState<string | null>(null);
  const [found, setFound] = useState<Boxes | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);

  useEffect(() => {
    const stop = new AbortController();
    let url: string | null = null;
    const path = `${documentPath(id)}/pages/${number}`;
    async function load() {
      const boxes = quote && (await get<Boxes>(`${path}/boxes?start=${quote.start}&end=${quote.end}`, stop.signal));
      const drawn = await (await call(`${path}.png`, { signal: stop.signal })).blob();
      if (stop.signal.aborted) return;
      url = URL.createObjectURL(drawn);
      setFound(boxes);
      setPicture(url);
    }
    load().catch((error: unknown) => {
      if (stop.signal.aborted) return;
      setTrouble(error instanceof ApiError ? `${words.notShown} ${error.message}` : told(error, words));
    });
    return () => {
      stop.abort();
      if (url !== null) URL.revokeObjectURL(url);
    };
  }, [id, number]);

  const missing = found?.reason;
  return (
    <>
      <p class="views">
        <button type="button" disabled={number <= 1} onClick={() => onPage(number - 1)}>
          ← <span class="unseen">{words.previous}</span>
        </button>
        <span>{pageName(words, number)}</span>
        <button type="button" onClick={() => onPage(number + 1)}>
          → <span class="unseen">{words.next}</span>
        </button>
      </p>
      {trouble !== null && <p role="alert">{trouble}</p>}
      {missing !== undefined && (
        <p role="status">
          {words[missing]}{" "}
          <button type="button" onClick={onText}>
            {words.text}
          </button>
        </p>
      )}
      {picture === null && trouble === null && <p class="small">{words.drawing}</p>}
      {picture !== null && (
        <div class="sheet">
          <img src={picture} alt={pageName(words, number)} />
          {found?.boxes.map((box, at) => (
            <div
              key={at}
              class="box"
              title={words.quote}
              ref={at === 0 ? (first) => first?.scrollIntoView({ block: "center" }) : undefined}
              style={{
                left: `${(100 * box.x) / found.width}%`,
                top: `${(100 * box.y) / found.height}%`,
                width: `${(100 * box.width) / found.width}%`,
                height: `${(100 * box.height) / found.height}%`,
              }}
            />
          ))}
        </div>
      )}
    </>
  );
}
