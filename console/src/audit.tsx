import { useEffect, useState } from "preact/hooks";
import { get, session } from "./api";
import { Limits } from "./collections";
import { Table, TextField } from "./fields";
import { Trouble } from "./loaded";
import type { AuditEntry, Page } from "./shapes";
import { told, useWords } from "./speech";

/** Who changed what, newest first. */
export function Audit() {
  const words = useWords();
  const [sought, setSought] = useState({ from: "", to: "", actor: "", object: "" });
  const [shown, setShown] = useState<AuditEntry[]>([]);
  const [cursor, setCursor] = useState<string | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);

  async function load(after: string | null) {
    const times = { from: timeOf(sought.from), to: timeOf(sought.to), cursor: after ?? "" };
    const given = Object.entries({ ...sought, ...times }).filter(([, value]) => value !== "");
    try {
      const page = await get<Page<AuditEntry>>(`audit?${new URLSearchParams(given)}`);
      setShown((before) => (after === null ? page.data : [...before, ...page.data]));
      setCursor(page.next_cursor);
      setTrouble(null);
    } catch (error) {
      setTrouble(told(error, words));
    }
  }
  useEffect(() => void load(null), []);
  const set = (field: keyof typeof sought) => (value: string) => setSought({ ...sought, [field]: value });

  return (
    <section>
      <h1>{words.audit}</h1>
      <h2>{words.trail}</h2>
      <form
        class="fields"
        onSubmit={(event) => {
          event.preventDefault();
          void load(null);
        }}
      >
        <TextField label={words.from} type="datetime-local" value={sought.from} onValue={set("from")} />
        <TextField label={words.to} type="datetime-local" value={sought.to} onValue={set("to")} />
        <TextField label={words.actor} value={sought.actor} onValue={set("actor")} />
        <TextField label={words.object} value={sought.object} onValue={set("object")} />
        <button type="submit">{words.find}</button>
      </form>
      <Trouble of={trouble} />
      {shown.length === 0 && trouble === null && <p class="small">{words.noEntries}</p>}
      {shown.length > 0 && (
        <Table name={words.trail} heads={[words.time, words.actor, words.act, words.object, words.change]}>
          {shown.map((each) => (
            <tr key={each.id}>
              <td>{new Date(each.at).toLocaleString(document.documentElement.lang)}</td>
              <td>{each.actor}</td>
              <td>
                {each.act} {each.kind}
              </td>
              <td>
                {session.isOperator && each.tenant !== null && `${each.tenant}: `}
                {each.object}
              </td>
              <td>{changeOf(each)}</td>
            </tr>
          ))}
        </Table>
      )}
      {cursor !== null && (
        <button type="button" onClick={() => void load(cursor)}>
          {words.more}
        </button>
      )}
      {!session.isOperator && <Limits />}
    </section>
  );
}

const timeOf = (local: string) => (local === "" ? "" : new Date(local).toISOString());

function changeOf({ before, after }: AuditEntry): string {
  const parts = [before, after].filter((each) => each !== null).map((each) => JSON.stringify(each));
  return parts.join(" → ");
}
