// What an evaluation found: each way's measures with their intervals, how they differ, and the answers.

import { useEffect, useState } from "preact/hooks";
import { get } from "./api";
import { Calibration } from "./calibration";
import { timeOf } from "./evaluations";
import { Choice, Lazy, Table } from "./fields";
import { Trouble, useAct, useAll } from "./loaded";
import { differences } from "./paired";
import type { AnswerReport, Asked, EvaluationJob, EvaluationSummary, Score, Way } from "./evaluation_shapes";
import { useWords } from "./speech";
import { type Word, filled, measureWord } from "./words";

export function EvaluationReport({ job, report }: { job: EvaluationJob; report: AnswerReport }) {
  const words = useWords();
  const { ways, comparisons, answers } = report;
  return (
    <>
      {ways.map((way, number) => (
        <Measured key={number} way={way} name={ways.length > 1 ? filled(words.wayNumber, number + 1) : words.summary} />
      ))}
      {comparisons.map(({ way, against, measures }) => (
        <Differences
          key={way}
          name={`${filled(words.wayNumber, way + 1)} − ${filled(words.wayNumber, against + 1)}`}
          measures={measures}
        />
      ))}
      <Earlier job={job} answers={answers} />
      <Lazy summary={words.calibration}>
        <Calibration answers={answers} mode={ways[0]?.settings.mode as string | undefined} />
      </Lazy>
      <Lazy summary={words.answersGiven}>
        <Table name={words.answersGiven} heads={[words.question, words.expected, ...ways.map((_, number) => filled(words.wayNumber, number + 1))]}>
          {answers.map((each, number) => (
            <tr key={number}>
              <th scope="row">{each.case.input}</th>
              <td>{each.case.expected.join(" / ")}</td>
              {each.ways.map(([outcome], way) => (
                <td key={way} class={outcome?.measures.right === 0 ? "wrong" : undefined}>
                  {outcome?.error ?? outcome?.answer}
                  {outcome?.no_answer_reason != null && ` (${words.refused})`}
                </td>
              ))}
            </tr>
          ))}
        </Table>
      </Lazy>
    </>
  );
}

/** A bar as long as the mean, with a line from one end of the interval to the other. */
function Measured({ name, way }: { name: string; way: Way }) {
  const words = useWords();
  const settings = Object.entries(way.settings).map(([field, value]) => `${field} ${JSON.stringify(value)}`);
  return (
    <>
      <h2>{name}</h2>
      {settings.length > 0 && <p class="small">{settings.join(" · ")}</p>}
      <dl class="measures">
        {Object.entries(way.measures).map(([measure, score]) => (
          <div key={measure}>
            <dt>{words[measureWord(measure)]}</dt>
            <dd>
              {shown(score)}
              <span class="interval" aria-hidden="true">
                <span class="bar" style={{ width: `${100 * score.mean}%` }} />
                <span class="whisker" style={{ left: `${100 * score.low}%`, width: `${100 * (score.high - score.low)}%` }} />
              </span>
            </dd>
          </div>
        ))}
      </dl>
      {way.seconds_p50 !== null && (
        <p class="small">
          p50 {way.seconds_p50.toFixed(2)} s · p95 {way.seconds_p95?.toFixed(2)} s
        </p>
      )}
    </>
  );
}

const shown = ({ mean, low, high, cases }: Score) => `${mean.toFixed(2)} [${low.toFixed(2)}, ${high.toFixed(2)}] (${cases})`;

function Differences({ name, measures }: { name: string; measures: Record<string, Score> }) {
  const words = useWords();
  return (
    <Table name={name} heads={[name, words.difference95, words.verdict]}>
      {Object.entries(measures).map(([measure, score]) => (
        <tr key={measure}>
          <th scope="row">{words[measureWord(measure)]}</th>
          <td>{shown(score)}</td>
          <td>{words[verdictOf(score)]}</td>
        </tr>
      ))}
    </Table>
  );
}

function verdictOf({ verdict, low, high }: Score): Word {
  return verdict ?? (high < 0 ? "worse" : low > 0 ? "better" : "undecided");
}

function Earlier({ job, answers }: { job: EvaluationJob; answers: Asked[] }) {
  const words = useWords();
  const { value } = useAll<EvaluationSummary>("evaluations");
  const [earlier, setEarlier] = useState("");
  const [found, setFound] = useState<Record<string, Score> | null>(null);
  const { trouble, act } = useAct();
  useEffect(() => {
    setFound(null);
    if (earlier === "") return;
    act(async () => {
      const other = await get<EvaluationJob>(`evaluations/${encodeURIComponent(earlier)}`);
      setFound(other.result !== null && "ways" in other.result ? differences(answers, other.result.answers) : {});
    });
  }, [earlier]);
  const others = (value ?? []).filter((each) => each.adapter === null && each.status === "succeeded" && each.id !== job.id);
  if (others.length === 0) return null;
  return (
    <>
      <Choice
        label={words.compareRun}
        value={earlier}
        options={[["", "–"], ...others.map((each): [string, string] => [each.id, timeOf(each)])]}
        onValue={setEarlier}
      />
      <Trouble of={trouble} />
      {found !== null && Object.keys(found).length === 0 && <p class="small">{words.noSameQuestions}</p>}
      {found !== null && Object.keys(found).length > 0 && <Differences name={words.sinceRun} measures={found} />}
    </>
  );
}
