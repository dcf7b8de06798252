// A first visit: two examples to take in, three questions about them, and what comes next.

import { useState } from "preact/hooks";
import { send } from "./api";
import { EXAMPLES, QUESTIONS } from "./examples";
import { Trouble, useAct, useLoaded } from "./loaded";
import type { DocumentOut, JobEvent, Page } from "./shapes";
import { useWords } from "./speech";

export function Welcome({ onQuestion }: { onQuestion: (question: string) => void }) {
  const words = useWords();
  const documents = useLoaded<Page<DocumentOut>>("documents?limit=10");
  const [taken, setTaken] = useState(false);
  const { trouble, busy, act } = useAct();
  const shown = documents.value?.data ?? [];
  const isNew = documents.value !== null && shown.length === 0;
  const hasExamples = taken || EXAMPLES.some(({ id }) => shown.some((each) => each.id === id));
  const language = document.documentElement.lang === "ko" ? "ko" : "en";
  return (
    <>
      <p class="small">{words.firstQuestion}</p>
      {isNew && !taken && (
        <p>
          <button
            type="button"
            disabled={busy}
            onClick={() =>
              act(async () => {
                await send<JobEvent>("POST", "ingest?wait=60", { documents: EXAMPLES });
                setTaken(true);
              })
            }
          >
            {busy ? words.taking : words.tryExamples}
          </button>
        </p>
      )}
      <Trouble of={trouble} />
      {hasExamples && (
        <>
          <h2>{words.threeQuestions}</h2>
          <ul class="plain">
            {QUESTIONS[language].map((question) => (
              <li key={question}>
                <button type="button" class="quiet" onClick={() => onQuestion(question)}>
                  {question}
                </button>
              </li>
            ))}
          </ul>
          <p class="small">{words.nextSteps}</p>
        </>
      )}
    </>
  );
}
