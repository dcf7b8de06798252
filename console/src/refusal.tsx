import { Lazy } from "./fields";
import type { Answer, Context } from "./shapes";
import { useWords } from "./speech";
import { documentRoute, follow } from "./route";
import { Explained } from "./why";
import type { Word } from "./words";

/** Why there is no answer, and what was found nevertheless: what was used, and what the lowest score left out. */
export function Refusal({ answer, body }: { answer: Answer; body: Record<string, unknown> }) {
  const words = useWords();
  const reason = answer.no_answer_reason as Word | null;
  return (
    <div class="refusal">
      <p>
        <strong>{words.noAnswer}.</strong> {answer.answer}
      </p>
      {reason !== null && <p>{words[reason] ?? reason}</p>}
      {answer.titles.length > 0 && <p>{answer.titles.join(" · ")}</p>}
      {answer.contexts.length > 0 && (
        <Lazy summary={words.found}>
          <Passages found={answer.contexts} />
        </Lazy>
      )}
      {answer.contexts.length === 0 && reason === "below_min_score" && (
        <Lazy summary={words.found}>
          <Explained body={body}>
            {({ candidates }) => <Passages found={candidates.filter(({ fate }) => fate === "below_min_score")} />}
          </Explained>
        </Lazy>
      )}
    </div>
  );
}

function Passages({ found }: { found: Found[] }) {
  return (
    <ul>
      {found.map((each) => (
        <li key={each.chunk_id}>
          <Passage found={each} />
        </li>
      ))}
    </ul>
  );
}

type Found = Pick<Context, "chunk_id" | "document_id" | "title" | "page" | "text"> & Partial<Context>;

function Passage({ found }: { found: Found }) {
  const path = documentRoute(found.document_id, { page: found.page, ...found.span });
  return (
    <>
      <a href={path} onClick={(event) => follow(event, path)}>
        {found.title ?? found.source ?? found.document_id}
      </a>
      <p class="quoted">{found.text}</p>
    </>
  );
}
