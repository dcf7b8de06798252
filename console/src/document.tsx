import { useEffect, useState } from "preact/hooks";
import { documentPath, get } from "./api";
import { Chunks } from "./chunks";
import { Details } from "./details";
import { PageView } from "./page";
import { documentRoute, follow, go } from "./route";
import type { DocumentOut, Span, TextPart } from "./shapes";
import { part } from "./spans";
import { told, useWords } from "./speech";

// Code points of the text around a quote, and of each further part.
const AROUND = 5000;
const DRAWN = /^(application\/pdf|image\/)/;

type View = "page" | "text" | "chunks";

export function DocumentView({ id, query }: { id: string; query: URLSearchParams }) {
  const words = useWords();
  const quote = quoteIn(query);
  const [shown, setShown] = useState<DocumentOut | null>(null);
  const [text, setText] = useState<TextPart | null>(null);
  const [view, setView] = useState<View>("text");
  const [trouble, setTrouble] = useState<string | null>(null);

  useEffect(() => {
    async function load() {
      const found = await get<DocumentOut>(documentPath(id));
      const start = Math.max(0, (quote?.start ?? 0) - AROUND);
      const end = (quote?.end ?? 0) + AROUND;
      setText(await get<TextPart>(`${documentPath(id)}/text?start=${start}&end=${end}`));
      setShown(found);
      if (DRAWN.test(found.media_type)) setView("page");
    }
    load().catch((error: unknown) => setTrouble(told(error, words)));
  }, []);

  if (trouble !== null) return <p role="alert">{trouble}</p>;
  if (shown === null || text === null) return null;
  const views: View[] = DRAWN.test(shown.media_type) ? ["page", "text", "chunks"] : ["text", "chunks"];
  const names = { page: words.asPage, text: words.text, chunks: words.chunks };
  const page = Number(query.get("page")) || pageOf(text, quote);
  return (
    <section>
      <p>
        <a
          href="documents"
          onClick={(event) => {
            if (history.length < 2) return follow(event, "documents");
            event.preventDefault();
            history.back();
          }}
        >
          ← {words.back}
        </a>
      </p>
      <h1>{shown.title ?? shown.source ?? shown.id}</h1>
      <Details shown={shown} onChange={setShown} />
      <div role="group" class="views">
        {views.map((each) => (
          <button key={each} type="button" aria-pressed={view === each} onClick={() => setView(each)}>
            {names[each]}
          </button>
        ))}
      </div>
      {view === "page" && (
        <PageView
          id={id}
          number={page}
          quote={quote}
          onPage={(number) => go(documentRoute(id, { page: number, ...quote }))}
          onText={() => setView("text")}
        />
      )}
      {view === "text" && <Text id={id} first={text} quote={quote} />}
      {view === "chunks" && <Chunks id={id} />}
    </section>
  );
}

function quoteIn(query: URLSearchParams): Span | null {
  const [start, end] = ["start", "end"].map((name) => Number.parseInt(query.get(name) ?? "", 10));
  return start !== undefined && end !== undefined && start >= 0 && end > start ? { start, end } : null;
}

function pageOf(text: TextPart, quote: Span | null): number {
  const at = quote?.start ?? 0;
  return text.pages.find(({ span }) => span.start <= at && at < span.end)?.page ?? 1;
}

function Text({ id, first, quote }: { id: string; first: TextPart; quote: Span | null }) {
  const words = useWords();
  const [rest, setRest] = useState("");
  const [stop, setStop] = useState(first.span.end);
  const [trouble, setTrouble] = useState<string | null>(null);
  const start = first.span.start;

  async function more() {
    try {
      const next = await get<TextPart>(`${documentPath(id)}/text?start=${stop}&end=${stop + AROUND}`);
      setRest(rest + next.text);
      setStop(next.span.end);
    } catch (error) {
      setTrouble(told(error, words));
    }
  }

  return (
    <>
      <p class="text" dir="auto">
        {start > 0 && "… "}
        {quote === null ? first.text : part(first.text, 0, quote.start - start)}
        {quote !== null && (
          <mark ref={(mark) => mark?.scrollIntoView({ block: "center" })}>
            {part(first.text, quote.start - start, quote.end - start)}
          </mark>
        )}
        {quote !== null && part(first.text, quote.end - start)}
        {rest}
      </p>
      {trouble !== null && <p role="alert">{trouble}</p>}
      {stop < first.length && (
        <button type="button" onClick={() => void more()}>
          {words.more}
        </button>
      )}
    </>
  );
}
