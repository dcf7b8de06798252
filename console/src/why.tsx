// Why this answer: what was looked at, what became of it, the prompt as it was sent, and the time that each step took.

import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { send } from "./api";
import { Lazy, Table } from "./fields";
import { Trouble, useAct } from "./loaded";
import type { Answer, Candidate, Explanation, Place } from "./shapes";
import { documentRoute, follow } from "./route";
import { useWords } from "./speech";
import { type Word, pageName } from "./words";

const STEPS = ["embed", "search", "rerank", "prompt", "generate", "check"];

export function Why({ answer, body }: { answer: Answer; body: Record<string, unknown> }) {
  const words = useWords();
  return (
    <Lazy summary={words.why}>
      <Explained body={body}>{(explained) => <Reasons explained={explained} />}</Explained>
      <Waterfall timings={answer.timings_ms} />
    </Lazy>
  );
}

/** Have what was asked explained, by asking once more without an answer: answers do not wait for what few look at. */
export function Explained({ body, children }: { body: Record<string, unknown>; children: (found: Explanation) => ComponentChildren }) {
  const [found, setFound] = useState<Explanation | null>(null);
  const { trouble, act } = useAct();
  useEffect(() => {
    const again = { ...body, stream: false, dry_run: true, explain: true };
    act(async () => setFound((await send<{ explain: Explanation }>("POST", "query", again)).explain));
  }, []);
  return (
    <>
      <Trouble of={trouble} />
      {found !== null && children(found)}
    </>
  );
}

function Reasons({ explained }: { explained: Explanation }) {
  const words = useWords();
  return (
    <>
      <p class="small">
        {words.terms}: {explained.terms.join(" · ")} {explained.translated && words.translated}
      </p>
      <Table name={words.why} heads={[words.chunk, words.fate, words.byMeaning, words.byWords, words.fused, words.rerank]}>
        {explained.candidates.map((each) => (
          <Row key={each.chunk_id} candidate={each} />
        ))}
      </Table>
      {explained.prompt !== null && (
        <>
          <h3>{words.sentPrompt}</h3>
          {explained.prompt.elements.map(({ name, text, tokens }) => (
            <details key={name}>
              <summary>
                {words[name as Word] ?? name}
                {tokens !== null && ` · ${tokens} ${words.tokens}`}
              </summary>
              <pre>{text}</pre>
            </details>
          ))}
        </>
      )}
    </>
  );
}

function Row({ candidate }: { candidate: Candidate }) {
  const words = useWords();
  const { fate, page } = candidate;
  const path = documentRoute(candidate.document_id, { page });
  return (
    <tr class={fate === "used" ? undefined : "left-out"}>
      <th scope="row" title={candidate.text}>
        <a href={path} onClick={(event) => follow(event, path)}>
          {candidate.title ?? candidate.document_id}
          {page !== null && ` · ${pageName(words, page)}`}
        </a>
      </th>
      <td>{fate === "below_min_score" ? words.scoreTooLow : words[fate]}</td>
      {[candidate.dense, candidate.lexical, candidate.fused, candidate.rerank].map((place, leg) => (
        <td key={leg}>{placed(place)}</td>
      ))}
    </tr>
  );
}

function placed(place: Place | null): string {
  return place === null ? "–" : `${place.rank}. (${place.score.toFixed(3)})`;
}

function Waterfall({ timings }: { timings: Record<string, number> }) {
  const words = useWords();
  const total = timings.total || 1;
  let begun = 0;
  return (
    <>
      <h3>
        {words.timings}: {Math.round(total)} ms
      </h3>
      <ol class="waterfall">
        {STEPS.filter((step) => (timings[step] ?? 0) > 0).map((step) => {
          const took = timings[step] ?? 0;
          const left = begun;
          begun += took;
          return (
            <li key={step}>
              <span>
                {step} {Math.round(took)} ms
              </span>
              <span class="bar" style={{ marginLeft: `${(100 * left) / total}%`, width: `${(100 * took) / total}%` }} />
            </li>
          );
        })}
      </ol>
    </>
  );
}
