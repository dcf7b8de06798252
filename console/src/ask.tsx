import { useRef, useState } from "preact/hooks";
import { call, events } from "./api";
import { AnswerText, Sources } from "./answer";
import type { Answer, Context } from "./shapes";
import { told, useWords } from "./speech";
import { documentRoute, follow } from "./route";
import type { Word } from "./words";

interface Turn {
  question: string;
  text: string;
  answer: Answer | null;
  trouble: string | null;
}

export function Ask() {
  const words = useWords();
  const [turns, setTurns] = useState<Turn[]>([]);
  const [input, setInput] = useState("");
  const [asking, setAsking] = useState<AbortController | null>(null);
  const composing = useRef(false);

  async function send() {
    const question = input.trim();
    if (question === "" || asking !== null) return;
    const stop = new AbortController();
    const before = turns.filter((turn) => turn.answer !== null);
    let turn: Turn = { question, text: "", answer: null, trouble: null };
    const show = (change: Partial<Turn>) => {
      turn = { ...turn, ...change };
      setTurns([...turns, turn]);
    };
    setInput("");
    setAsking(stop);
    show({});
    try {
      const body = JSON.stringify({ input: question, stream: true, messages: before.flatMap(said) });
      const headers = { "Content-Type": "application/json" };
      const answer = await call("query", { method: "POST", body, headers, signal: stop.signal });
      for await (const { name, data } of events(answer)) {
        if (name === "delta") show({ text: turn.text + (data as { text: string }).text });
        if (name === "done") show({ answer: data as Answer });
        if (name === "error") show({ trouble: `${words.trouble} ${(data as { detail: string }).detail}` });
      }
    } catch (error) {
      if (!stop.signal.aborted) show({ trouble: told(error, words) });
    } finally {
      setAsking(null);
    }
  }

  return (
    <section class="ask">
      <h1 class="unseen">{words.ask}</h1>
      {turns.length === 0 && <p class="small">{words.firstQuestion}</p>}
      <ol class="turns" aria-live="polite">
        {turns.map((turn, number) => (
          <li key={number}>
            <p class="question">
              <span class="unseen">{words.you}: </span>
              {turn.question}
            </p>
            {turn.answer === null ? <p class="answer">{turn.text}</p> : <Answered answer={turn.answer} />}
            {turn.answer === null && turn.trouble === null && asking !== null && number === turns.length - 1 && (
              <p class="small">{words.answering}</p>
            )}
            {turn.trouble !== null && <p role="alert">{turn.trouble}</p>}
          </li>
        ))}
      </ol>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <label class="unseen" for="question">
          {words.question}
        </label>
        <textarea
          id="question"
          rows={3}
          maxLength={20000}
          placeholder={words.question}
          aria-describedby="question-help"
          value={input}
          onInput={(event) => setInput(event.currentTarget.value)}
          onCompositionStart={() => (composing.current = true)}
          onCompositionEnd={() => (composing.current = false)}
          onKeyDown={(event) => {
            // The Enter that ends a syllable of Hangul is the input method's.
            if (event.key !== "Enter" || event.shiftKey || event.isComposing || composing.current) return;
            event.preventDefault();
            void send();
          }}
        />
        <p id="question-help" class="small">
          {words.questionHelp}
        </p>
        <button type="submit" disabled={asking !== null || input.trim() === ""}>
          {words.send}
        </button>
        {asking !== null && (
          <button type="button" onClick={() => asking.abort()}>
            {words.stop}
          </button>
        )}
        {turns.length > 0 && asking === null && (
          <button type="button" class="quiet" onClick={() => setTurns([])}>
            {words.newConversation}
          </button>
        )}
      </form>
    </section>
  );
}

function said(turn: Turn) {
  return [
    { role: "user", content: turn.question },
    { role: "assistant", content: turn.answer?.answer.trim() || "-" },
  ];
}

function Answered({ answer }: { answer: Answer }) {
  const words = useWords();
  if (answer.finish_reason !== "no_answer") {
    return (
      <>
        <AnswerText answer={answer} />
        <Sources answer={answer} />
      </>
    );
  }
  const reason = answer.no_answer_reason as Word | null;
  return (
    <div class="refusal">
      <p>
        <strong>{words.noAnswer}.</strong> {answer.answer}
      </p>
      {reason !== null && <p>{words[reason] ?? reason}</p>}
      {answer.titles.length > 0 && <p>{answer.titles.join(" · ")}</p>}
      {answer.contexts.length > 0 && (
        <details>
          <summary>{words.found}</summary>
          <ul>
            {answer.contexts.map((context) => (
              <li key={context.chunk_id}>
                <Found context={context} />
              </li>
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}

function Found({ context }: { context: Context }) {
  const path = documentRoute(context.document_id, { page: context.page, ...context.span });
  return (
    <>
      <a href={path} onClick={(event) => follow(event, path)}>
        {context.title ?? context.source ?? context.document_id}
      </a>
      <p class="quoted">{context.text}</p>
    </>
  );
}
