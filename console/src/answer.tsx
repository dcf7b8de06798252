// An answer whose sentences show where they stand.

import type { ComponentChildren } from "preact";
import type { Answer, Citation } from "./shapes";
import { documentRoute, follow } from "./route";
import { inDocument, part } from "./spans";
import { useWords } from "./speech";
import { pageName } from "./words";

const MARKER = /\[(\d+)\]/;

export function AnswerText({ answer }: { answer: Answer }) {
  return (
    <p class="answer">
      {pieces(answer).map(({ text, unsupported }, number) => {
        const parts = text.split(MARKER).map((each, at) => (at % 2 ? <Chip key={at} answer={answer} marker={each} /> : each));
        return unsupported ? <Unsupported key={number}>{parts}</Unsupported> : <span key={number}>{parts}</span>;
      })}
    </p>
  );
}

/** Part the answer where what no document supports begins and ends. */
function pieces(answer: Answer): { text: string; unsupported: boolean }[] {
  const found: { text: string; unsupported: boolean }[] = [];
  let at = 0;
  for (const { start, end } of [...answer.unsupported].sort((one, two) => one.start - two.start)) {
    if (start > at) found.push({ text: part(answer.answer, at, start), unsupported: false });
    found.push({ text: part(answer.answer, Math.max(at, start), end), unsupported: true });
    at = Math.max(at, end);
  }
  return [...found, { text: part(answer.answer, at), unsupported: false }];
}

function Unsupported({ children }: { children: ComponentChildren }) {
  const words = useWords();
  return (
    <span class="unsupported" title={words.unsupported}>
      {children}
      <span class="unseen"> ({words.unsupported})</span>
    </span>
  );
}

function Chip({ answer, marker }: { answer: Answer; marker: string }) {
  const words = useWords();
  const citation = answer.citations.find((each) => String(each.marker) === marker);
  if (citation === undefined) return <>[{marker}]</>;
  const path = placeOf(citation, answer);
  return (
    <a class="chip" href={path} title={citation.quote} onClick={(event) => follow(event, path)}>
      <span class="unseen">{words.source} </span>
      {marker}
    </a>
  );
}

export function Sources({ answer }: { answer: Answer }) {
  const words = useWords();
  if (answer.citations.length === 0) return null;
  return (
    <details class="sources" open>
      <summary>{words.sources}</summary>
      <ul>
        {answer.citations.map((citation, number) => {
          const path = placeOf(citation, answer);
          return (
            <li key={number}>
              <a class="source" href={path} onClick={(event) => follow(event, path)}>
                <span class="chip">{citation.marker}</span> {citation.title ?? citation.source ?? citation.document_id}
                {citation.page !== null && ` · ${pageName(words, citation.page)}`}
              </a>
              <q class="quoted">{citation.quote}</q>
            </li>
          );
        })}
      </ul>
    </details>
  );
}

function placeOf(citation: Citation, answer: Answer): string {
  const span = inDocument(citation, answer.contexts);
  return documentRoute(citation.document_id, { ...span });
}
