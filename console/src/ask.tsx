import { useRef, useState } from "preact/hooks";
import { call, events } from "./api";
import { AnswerText, Sources } from "./answer";
import { AsCurl } from "./curl";
import { Check, Lazy, PageForm } from "./fields";
import { Votes } from "./votes";
import { Welcome } from "./welcome";
import { NO_OPTIONS, OptionsForm, type Options, fieldsOf } from "./options";
import { Refusal } from "./refusal";
import type { Answer } from "./shapes";
import { told, useWords } from "./speech";
import { Why } from "./why";

// Whoever reads sees no difference, and the page works far less than for each token.
const READ_MS = 200;

interface Side {
  body: Record<string, unknown>;
  text: string;
  answer: Answer | null;
  trouble: string | null;
}

interface Turn {
  question: string;
  sides: Side[];
}

export function Ask() {
  const words = useWords();
  const [turns, setTurns] = useState<Turn[]>([]);
  const [input, setInput] = useState("");
  const [asking, setAsking] = useState<AbortController | null>(null);
  const [options, setOptions] = useState<Options[]>([NO_OPTIONS]);
  const composing = useRef(false);

  async function send(asked: string) {
    const question = asked.trim();
    if (question === "" || asking !== null) return;
    const stop = new AbortController();
    const messages = turns.filter((turn) => turn.sides[0]?.answer).flatMap(said);
    const sides: Side[] = options.map((each) => ({
      body: { input: question, stream: true, messages, ...fieldsOf(each) },
      text: "",
      answer: null,
      trouble: null,
    }));
    const show = (at: number, change: Partial<Side>) => {
      sides[at] = { ...sides[at]!, ...change };
      setTurns([...turns, { question, sides: [...sides] }]);
    };
    setInput("");
    setAsking(stop);
    setTurns([...turns, { question, sides: [...sides] }]);
    await Promise.all(sides.map((side, at) => answer(side, stop, (change) => show(at, change))));
    setAsking(null);
  }

  async function answer(side: Side, stop: AbortController, show: (change: Partial<Side>) => void) {
    let [text, ended] = ["", false];
    let frame: number | undefined;
    const shown = () => {
      frame = undefined;
      show({ text });
    };
    try {
      const headers = { "Content-Type": "application/json" };
      const sent = { method: "POST", body: JSON.stringify(side.body), headers, signal: stop.signal };
      for await (const { name, data } of events(await call("query", sent), READ_MS)) {
        ended ||= name === "done" || name === "error";
        if (name === "delta") {
          text += (data as { text: string }).text;
          frame ??= requestAnimationFrame(shown);
        }
        if (name === "done") show({ answer: data as Answer });
        if (name === "error") show({ trouble: `${words.trouble} ${(data as { detail: string }).detail}` });
      }
      if (!ended) show({ trouble: words.brokeOff });
    } catch (error) {
      if (!stop.signal.aborted) show({ trouble: told(error, words) });
    } finally {
      if (frame !== undefined) {
        cancelAnimationFrame(frame);
        shown();
      }
    }
  }

  return (
    <section class="ask">
      <h1 class="unseen">{words.ask}</h1>
      {turns.length === 0 && <Welcome onQuestion={(question) => void send(question)} />}
      <ol class="turns" aria-live="polite">
        {turns.map((turn, number) => (
          <li key={number}>
            <p class="question">
              <span class="unseen">{words.you}: </span>
              {turn.question}
            </p>
            <div class={turn.sides.length > 1 ? "sides" : undefined}>
              {turn.sides.map((side, at) => (
                <Shown key={at} side={side} waits={asking !== null && number === turns.length - 1} />
              ))}
            </div>
          </li>
        ))}
      </ol>
      <PageForm onSend={() => void send(input)}>
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
            void send(input);
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
      </PageForm>
      <Choices options={options} onOptions={setOptions} />
    </section>
  );
}

/** The options are loaded when they are opened. */
function Choices({ options, onOptions }: { options: Options[]; onOptions: (options: Options[]) => void }) {
  const words = useWords();
  return (
    <Lazy summary={words.options}>
      {options.map((each, at) => (
        <OptionsForm
          key={at}
          title={options.length === 1 ? words.options : at === 0 ? words.first : words.second}
          options={each}
          onOptions={(changed) => onOptions(options.map((other, place) => (place === at ? changed : other)))}
        />
      ))}
      <Check
        label={words.compare}
        value={options.length > 1}
        onValue={(compare) => onOptions(compare ? [...options, NO_OPTIONS] : options.slice(0, 1))}
      />
    </Lazy>
  );
}

function said({ question, sides: [side] }: Turn) {
  return [
    { role: "user", content: question },
    { role: "assistant", content: side?.answer?.answer.trim() || "-" },
  ];
}

function Shown({ side, waits }: { side: Side; waits: boolean }) {
  const words = useWords();
  const { answer, trouble, text, body } = side;
  return (
    <div class="side">
      {answer === null ? <p class="answer">{text}</p> : <Answered answer={answer} body={body} />}
      {answer !== null && (
        <div class="about">
          <Votes answer={answer} />
          <Why answer={answer} body={body} />
          <AsCurl body={body} />
        </div>
      )}
      {answer === null && trouble === null && waits && <p class="small">{words.answering}</p>}
      {trouble !== null && <p role="alert">{trouble}</p>}
    </div>
  );
}

/** `body` is what was asked. */
export function Answered({ answer, body }: { answer: Answer; body: Record<string, unknown> }) {
  if (answer.finish_reason === "no_answer") return <Refusal answer={answer} body={body} />;
  return (
    <>
      <AnswerText answer={answer} />
      <Sources answer={answer} />
    </>
  );
}
