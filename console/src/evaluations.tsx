import { useEffect, useState } from "preact/hooks";
import { get, send } from "./api";
import { casesIn } from "./cases";
import { Careful, Check, PageForm, TextField } from "./fields";
import { Trouble, useAct, useAll } from "./loaded";
import { NO_WAY, Ways, chosen } from "./options";
import { EvaluationReport } from "./report";
import { follow, go } from "./route";
import type { EvaluationJob, EvaluationSummary } from "./evaluation_shapes";
import { useWords } from "./speech";
import { Beside, useJob } from "./training";
import { type Word, filled } from "./words";

export function Evaluations() {
  const words = useWords();
  const { value, trouble } = useAll<EvaluationSummary>("evaluations");
  return (
    <section>
      <h1>{words.evaluations}</h1>
      <Trouble of={trouble} />
      {value?.length === 0 && <p class="small">{words.noEvaluations}</p>}
      <ul class="plain cards">
        {(value ?? []).map((each) => (
          <li key={each.id}>
            <a href={placeOf(each.id)} onClick={(event) => follow(event, placeOf(each.id))}>
              {timeOf(each)}
            </a>{" "}
            <span class="small">
              {words[each.status as Word] ?? each.status}
              {each.adapter !== null && ` · ${words.adapter} ${each.adapter.name}`}
            </span>
          </li>
        ))}
      </ul>
      <New />
    </section>
  );
}

export const timeOf = ({ created_at }: EvaluationSummary) => new Date(created_at).toLocaleString(document.documentElement.lang);
const placeOf = (id: string) => `evaluations/${encodeURIComponent(id)}`;

function New() {
  const words = useWords();
  const [text, setText] = useState("");
  const [ways, setWays] = useState([NO_WAY]);
  const { trouble, busy, act } = useAct();
  const cases = casesIn(text);

  async function run() {
    const job = await send<EvaluationJob>("POST", "evaluations", { cases, compare: ways.map(chosen) });
    go(placeOf(job.id));
  }

  return (
    <PageForm onSend={() => act(run)}>
      <h2>{words.newEvaluation}</h2>
      <p class="field">
        <label for="cases">{words.casesFile}</label>
        <input
          id="cases"
          type="file"
          accept=".jsonl,.json,.tsv,.txt"
          onChange={(event) => {
            const file = event.currentTarget.files?.[0];
            if (file !== undefined) act(async () => setText(await file.text()));
          }}
        />
      </p>
      <TextField label={words.casesHelp} rows={5} value={text} onValue={setText} required />
      {cases === null ? <p role="alert">{words.notCases}</p> : <p class="small">{filled(words.questionsCount, cases.length)}</p>}
      {ways.map((way, at) => (
        <fieldset key={at}>
          <legend>{ways.length === 1 ? words.options : at === 0 ? words.first : words.second}</legend>
          <Ways way={way} onWay={(changed) => setWays(ways.map((other, place) => (place === at ? changed : other)))} />
        </fieldset>
      ))}
      <Check
        label={words.compareWays}
        value={ways.length > 1}
        onValue={(compare) => setWays(compare ? [...ways, NO_WAY] : ways.slice(0, 1))}
      />
      <Trouble of={trouble} />
      <p>
        <button type="submit" disabled={busy || cases === null || cases.length === 0}>
          {words.run}
        </button>
      </p>
    </PageForm>
  );
}

/** An evaluation while it runs, and what it found. */
export function EvaluationView({ id }: { id: string }) {
  const words = useWords();
  const [ended, setEnded] = useState<EvaluationJob | null>(null);
  const { job, follow: watch } = useJob<EvaluationJob["result"] & {}>();
  const { trouble, act } = useAct();
  useEffect(
    () =>
      act(async () => {
        const found = await get<EvaluationJob>(placeOf(id));
        if (found.finished_at === null) await watch(found);
        setEnded(found.finished_at === null ? await get<EvaluationJob>(placeOf(id)) : found);
      }),
    [],
  );
  const { done = 0, total } = job?.progress ?? {};
  return (
    <section>
      <p>
        <a href="evaluations" onClick={(event) => follow(event, "evaluations")}>
          ← {words.evaluations}
        </a>
      </p>
      <h1>{ended === null ? words.evaluation : timeOf(ended)}</h1>
      <Trouble of={trouble ?? ended?.error?.detail ?? null} />
      {ended === null && job !== null && (
        <p role="status">
          {words[job.status as Word] ?? job.status} {total !== undefined && `${done}/${total}`}
          <progress aria-label={words.evaluation} value={done} max={total ?? 1} />
        </p>
      )}
      {ended !== null && ended.result !== null && ("ways" in ended.result ? <EvaluationReport job={ended} report={ended.result} /> : <Beside report={ended.result} />)}
      {ended !== null && (
        <Careful label={words.remove} onSure={() => act(async () => (await send("DELETE", placeOf(id)), go("evaluations")))} />
      )}
    </section>
  );
}
