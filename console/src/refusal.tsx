import type { Answer, Context } from "./shapes";
import { useWords } from "./speech";
import { documentRoute, follow } from "./route";
import type { Word } from "./words";

/** Why there is no answer, and what was found nevertheless. */
export function Refusal({ answer }: { answer: Answer }) {
  const words = useWords();
  const reason = answer.no_answer_reason as Word | null;
  const found = answer.contexts;
  return (
    <div class="refusal">
      <p>
        <strong>{words.noAnswer}.</strong> {answer.answer}
      </p>
      {reason !== null && <p>{words[reason] ?? reason}</p>}
      {answer.titles.length > 0 && <p>{answer.titles.join(" · ")}</p>}
      {found.length > 0 && (
        <details>
          <summary>{words.found}</summary>
          <ul>
            {found.map((each) => (
              <li key={each.chunk_id}>
                <Passage found={each} />
              </li>
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}

function Passage({ found }: { found: Context }) {
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
