import { useState } from "preact/hooks";
import { call, session } from "./api";
import { saveAs } from "./download";
import { Choice, Table, TextField } from "./fields";
import { Trouble, useAct, useAll } from "./loaded";
import type { UsageLine } from "./shapes";
import { useWords } from "./speech";
import { type Word, usageWord } from "./words";

const MEASURES = [
  "requests", "engine_calls", "prompt_tokens", "completion_tokens", "embedded_tokens", "ocr_pages", "training_seconds",
  "documents", "bytes",
] as const; // prettier-ignore
const GROUPS = ["day", "key", "adapter", "day,key", "day,adapter"];

type Measure = (typeof MEASURES)[number];

/** What was used, as bars and as a file; the operator's key shows all tenants'. */
export function Usage() {
  const words = useWords();
  const [since, setSince] = useState("");
  const [until, setUntil] = useState("");
  const [group, setGroup] = useState("day");
  const [measure, setMeasure] = useState<Measure>("requests");
  const asked = Object.entries({ from: since, to: until, group_by: group }).filter(([, value]) => value !== "");
  const path = `usage?${new URLSearchParams(asked)}`;
  const { value, trouble } = useAll<UsageLine>(path);
  const { trouble: failed, busy, act } = useAct();
  const groups = session.isOperator ? [...GROUPS, "tenant", "day,tenant"] : GROUPS;
  const named = (each: string) => each.split(",").map((part) => words[GROUPED[part] ?? "name"]).join(", ");

  async function save() {
    saveAs(await (await call(path, { headers: { Accept: "text/csv" } })).blob(), "usage.csv");
  }

  return (
    <section>
      <h1>{words.usage}</h1>
      <div class="fields">
        <TextField label={words.from} type="date" value={since} onValue={setSince} />
        <TextField label={words.until} type="date" value={until} onValue={setUntil} />
        <Choice label={words.groupedBy} value={group} options={groups.map((each) => [each, named(each)])} onValue={setGroup} />
        <Choice
          label={words.measure}
          value={measure}
          options={MEASURES.map((each) => [each, words[usageWord(each)]])}
          onValue={(chosen) => setMeasure(chosen as Measure)}
        />
        <button type="button" disabled={busy} onClick={() => act(save)}>
          {words.asCsv}
        </button>
      </div>
      <Trouble of={trouble ?? failed} />
      {value?.length === 0 && <p class="small">{words.noEntries}</p>}
      {value !== null && value.length > 0 && <Bars lines={value} groups={group.split(",")} measure={measure} />}
    </section>
  );
}

const GROUPED: Record<string, Word> = { day: "day", key: "key", adapter: "adapter", tenant: "tenant" };

function Bars({ lines, groups, measure }: { lines: UsageLine[]; groups: string[]; measure: Measure }) {
  const words = useWords();
  const most = Math.max(1, ...lines.map((line) => line[measure]));
  return (
    <Table name={words.usage} heads={[...groups.map((each) => words[GROUPED[each] ?? "name"]), words[usageWord(measure)]]}>
      {lines.map((line, number) => (
        <tr key={number}>
          {groups.map((each) => (
            <th key={each} scope="row">
              {line[each as "day"] || "–"}
            </th>
          ))}
          <td class="measured">
            {line[measure].toLocaleString()}
            <span class="bar" style={{ width: `${(100 * line[measure]) / most}%` }} />
          </td>
        </tr>
      ))}
    </Table>
  );
}
