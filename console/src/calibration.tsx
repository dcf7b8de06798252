import { useState } from "preact/hooks";
import { send } from "./api";
import { type Scored, thresholds } from "./thresholds";
import { Table } from "./fields";
import { Trouble, useAct } from "./loaded";
import type { Asked } from "./evaluation_shapes";
import { useWords } from "./speech";
import { filled } from "./words";

const WIDTH = 400;
const HEIGHT = 160;

/** A report has no scores of searches, so each question is searched for once more when it is asked for. */
export function Calibration({ answers, mode }: { answers: Asked[]; mode: string | undefined }) {
  const words = useWords();
  const [done, setDone] = useState<Scored[]>([]);
  const { trouble, busy, act } = useAct();
  const curve = busy ? [] : thresholds(done);

  async function search() {
    const found: Scored[] = [];
    for (const { case: asked } of answers) {
      const body = { input: asked.input, top_k: 1, ...(mode !== undefined && { mode }) };
      const { contexts } = await send<{ contexts: { score: number }[] }>("POST", "search", body);
      found.push({ score: contexts[0]?.score ?? 0, answerable: asked.answerable });
      setDone([...found]);
    }
  }

  const line = (of: "answered" | "refused") =>
    curve.map((each, at) => `${(WIDTH * at) / (curve.length - 1)},${HEIGHT - HEIGHT * each[of]}`).join(" ");
  return (
    <>
      <p class="small">{words.calibrationHelp}</p>
      <button type="button" disabled={busy} onClick={() => act(search)}>
        {filled(words.searchAll, answers.length)}
      </button>
      <Trouble of={trouble} />
      {busy && (
        <p role="status">
          {done.length}/{answers.length}
        </p>
      )}
      {!busy && done.length > 0 && curve.length === 0 && <p role="status">{words.needsBothKinds}</p>}
      {curve.length > 0 && (
        <>
          <svg class="curve" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={words.calibration}>
            <polyline points={line("answered")} />
            <polyline class="eval-loss" points={line("refused")} />
          </svg>
          <Table name={words.calibration} heads={["min_score", `━ ${words.stillAnswered}`, `┅ ${words.rightlyRefused}`]}>
            {curve.map((each) => (
              <tr key={each.score}>
                <th scope="row">{each.score.toFixed(3)}</th>
                <td>{each.answered.toFixed(2)}</td>
                <td>{each.refused.toFixed(2)}</td>
              </tr>
            ))}
          </Table>
        </>
      )}
    </>
  );
}
