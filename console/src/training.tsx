// A training with its loss, and an adapter's answers beside the base model's.

import { useEffect, useRef, useState } from "preact/hooks";
import { send, untilDone } from "./api";
import { writtenOut } from "./cases";
import { Choice, PageForm, Table, TextField } from "./fields";
import { Trouble, useAct } from "./loaded";
import type { JobEvent, Outcome, Progress, Report } from "./shapes";
import { useWords } from "./speech";
import type { Word } from "./words";

/** Follow a job by its events until it ends, or the screen is left. */
export function useJob<Result = Report>(): { job: JobEvent<Result> | null; follow: (started: JobEvent<Result>) => Promise<void> } {
  const [job, setJob] = useState<JobEvent<Result> | null>(null);
  const stop = useRef(new AbortController());
  useEffect(() => () => stop.current.abort(), []);
  async function follow(started: JobEvent<Result>): Promise<void> {
    setJob(started);
    for await (const now of untilDone<JobEvent<Result>>(started.id, stop.current.signal)) setJob(now);
  }
  return { job, follow };
}

export function Train({ onMade }: { onMade: () => void }) {
  const words = useWords();
  const [name, setName] = useState("");
  const [method, setMethod] = useState("sft");
  const [epochs, setEpochs] = useState("3");
  const [rows, setRows] = useState("");
  const { job, follow } = useJob();
  const { trouble, busy, act } = useAct();

  async function train() {
    const hyperparameters = { epochs: Number(epochs) };
    const started = await send<JobEvent>("POST", "tune", { name: name.trim(), method, rows: rowsIn(rows), hyperparameters });
    await follow(started);
    onMade();
  }

  return (
    <PageForm onSend={() => act(train)}>
      <h2>{words.train}</h2>
      <div class="fields">
        <TextField label={words.name} value={name} onValue={setName} required />
        <Choice label={words.method} value={method} options={[["sft", "SFT"], ["dpo", "DPO"]]} onValue={setMethod} />
        <TextField label={words.epochs} type="number" value={epochs} onValue={setEpochs} />
      </div>
      <TextField label={words.rows} rows={4} value={rows} onValue={setRows} required />
      <Trouble of={trouble ?? job?.error?.detail ?? null} />
      <button type="submit" disabled={busy || rowsIn(rows) === null}>
        {words.train}
      </button>
      {job !== null && <Trained job={job} />}
    </PageForm>
  );
}

function rowsIn(text: string): unknown[] | null {
  try {
    const whole: unknown = text.trim().startsWith("[") ? JSON.parse(text) : text.split("\n").filter((line) => line.trim()).map((line) => JSON.parse(line) as unknown);
    return Array.isArray(whole) && whole.length > 0 ? whole : null;
  } catch {
    return null;
  }
}

function Trained({ job }: { job: JobEvent }) {
  const words = useWords();
  const { step, steps, loss, curve = [] } = job.progress ?? {};
  return (
    <div role="status">
      <p>
        {words[job.status as Word] ?? job.status}
        {step !== undefined && ` · ${words.step} ${step}/${steps}`}
        {loss !== undefined && ` · ${words.loss} ${loss.toFixed(3)}`}
      </p>
      {curve.length > 1 && <Curve points={curve} />}
    </div>
  );
}

const [WIDTH, HEIGHT] = [600, 200];

function Curve({ points }: { points: NonNullable<Progress["curve"]> }) {
  const words = useWords();
  const last = Math.max(...points.map((each) => each.step));
  const most = Math.max(...points.map((each) => each.loss ?? each.eval_loss ?? 0)) || 1;
  const line = (name: "loss" | "eval_loss") =>
    points
      .filter((each) => each[name] !== undefined)
      .map((each) => `${(each.step / last) * WIDTH},${HEIGHT - ((each[name] ?? 0) / most) * HEIGHT}`)
      .join(" ");
  return (
    <svg class="curve" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={words.loss}>
      <polyline class="loss" points={line("loss")} />
      <polyline class="eval-loss" points={line("eval_loss")} />
    </svg>
  );
}

export function Compare({ name, version }: { name: string; version: number }) {
  const words = useWords();
  const [lines, setLines] = useState("");
  const { job, follow } = useJob();
  const { trouble, busy, act } = useAct();

  async function compare() {
    await follow(await send<JobEvent>("POST", `adapters/${name}/evaluate`, { version, cases: writtenOut(lines) }));
  }

  return (
    <PageForm onSend={() => act(compare)}>
      <TextField label={words.casesHelp} rows={4} value={lines} onValue={setLines} required />
      <button type="submit" disabled={busy}>
        {words.run}
      </button>
      <Trouble of={trouble ?? job?.error?.detail ?? null} />
      {job !== null && job.result === null && (
        <p role="status">
          {words[job.status as Word] ?? job.status} {job.progress?.done ?? 0}/{job.progress?.total ?? "?"}
        </p>
      )}
      {job !== null && job.result !== null && <Beside report={job.result} />}
    </PageForm>
  );
}

/** What an adapter answers beside the base model. */
export function Beside({ report: { summary, answers = [] } }: { report: Report }) {
  const words = useWords();
  return (
    <>
      {summary !== undefined && (
        <Table name={words.summary} heads={[words.summary, words.baseAnswer, words.adapterAnswer]}>
          {Object.keys(summary.base).map((measure) => (
            <tr key={measure}>
              <th scope="row">{measure}</th>
              <td>{summary.base[measure] ?? "–"}</td>
              <td>{summary.adapter[measure] ?? "–"}</td>
            </tr>
          ))}
        </Table>
      )}
      {answers.length > 0 && (
        <Table name={words.evaluate} heads={[words.question, words.expected, words.baseAnswer, words.adapterAnswer]}>
          {answers.map((each, number) => (
            <tr key={number}>
              <th scope="row">{each.input}</th>
              <td>{each.expected.join(" / ")}</td>
              <td>{outcome(each.base)}</td>
              <td>{outcome(each.adapter)}</td>
            </tr>
          ))}
        </Table>
      )}
    </>
  );
}

function outcome({ answer, error, f1 }: Outcome): string {
  return `${error ?? answer ?? "–"}${f1 === undefined ? "" : ` (F1 ${f1.toFixed(2)})`}`;
}
