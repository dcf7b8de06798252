import { useState } from "preact/hooks";
import { send } from "./api";
import { Careful, Check, Choice, PageForm, Table, TextField } from "./fields";
import { Trouble, useAct, useAll, useLoaded } from "./loaded";
import type { CollectionOut, LimitsOut, Used } from "./shapes";
import { useWords } from "./speech";

export function Collections() {
  const words = useWords();
  const { value, trouble, reload } = useAll<CollectionOut>("collections");
  const [open, setOpen] = useState<string | null>(null);
  return (
    <section>
      <h1>{words.collections}</h1>
      <Trouble of={trouble} />
      <ul class="plain cards">
        {(value ?? []).map((each) => (
          <li key={each.id}>
            <button type="button" class="quiet" aria-expanded={open === each.id} onClick={() => setOpen(open === each.id ? null : each.id)}>
              {each.name ?? each.id}
            </button>
            <span class="small">
              {" "}
              {each.name !== null && `${each.id} · `}
              {words.documentsCount}: {each.documents}
            </span>
            {open === each.id && (
              <Form
                found={each}
                onDone={() => {
                  setOpen(null);
                  reload();
                }}
              />
            )}
          </li>
        ))}
      </ul>
      <h2>{words.newCollection}</h2>
      {value !== null && <Form key={value.length} found={null} onDone={reload} />}
      <Limits />
    </section>
  );
}

/** Makes a collection, or changes one. */
function Form({ found, onDone }: { found: CollectionOut | null; onDone: () => void }) {
  const words = useWords();
  const before = found?.defaults ?? {};
  const [id, setId] = useState("");
  const [name, setName] = useState(found?.name ?? "");
  const [defaults, setDefaults] = useState<Record<string, string>>(
    Object.fromEntries(Object.entries(before).map(([field, value]) => [field, String(value)])),
  );
  const { trouble, busy, act } = useAct();
  const set = (field: string) => (value: string) => setDefaults({ ...defaults, [field]: value });

  async function save() {
    const body = { ...(name.trim() && { name: name.trim() }), defaults: asSent(defaults) };
    if (found === null) await send("POST", "collections", { id: id.trim(), ...body });
    else await send("PATCH", path(found), body);
    onDone();
  }

  return (
    <PageForm onSend={() => act(save)}>
      <div class="fields">
        {found === null && <TextField label={words.identifier} value={id} onValue={setId} required />}
        <TextField label={words.name} value={name} onValue={setName} />
        <TextField label={words.prompt} value={defaults.prompt ?? ""} onValue={set("prompt")} />
        <Choice
          label={words.mode}
          value={defaults.mode ?? ""}
          options={[["", words.standard], ["hybrid", words.hybrid], ["dense", words.dense], ["lexical", words.lexical]]}
          onValue={set("mode")}
        />
        <TextField label={words.topK} type="number" value={defaults.top_k ?? ""} onValue={set("top_k")} />
        <TextField label={words.minScore} type="number" value={defaults.min_score ?? ""} onValue={set("min_score")} />
        <Choice
          label={words.languageDefault}
          value={defaults.language ?? ""}
          options={[["", words.standard], ["en", "English"], ["ko", "한국어"]]}
          onValue={set("language")}
        />
      </div>
      <Check
        label={words.rerankDefault}
        value={defaults.rerank === "true"}
        onValue={(rerank) => set("rerank")(rerank ? "true" : "")}
      />
      <Trouble of={trouble} />
      <p>
        <button type="submit" disabled={busy}>
          {found === null ? words.create : words.save}
        </button>{" "}
        {found !== null && found.id !== "default" && (
          <Careful
            label={words.remove}
            onSure={() =>
              act(async () => {
                await send("DELETE", path(found));
                onDone();
              })
            }
          />
        )}
      </p>
    </PageForm>
  );
}

const path = ({ id }: CollectionOut) => `collections/${encodeURIComponent(id)}`;

function asSent(defaults: Record<string, string>): Record<string, unknown> {
  const given = Object.entries(defaults).filter(([, value]) => value !== "");
  return Object.fromEntries(
    given.map(([field, value]) => [field, ["top_k", "min_score"].includes(field) ? Number(value) : field === "rerank" ? true : value]),
  );
}

/** The tenant's limits and what is used of them, then those of requests. */
export function Limits() {
  const words = useWords();
  const { value, trouble } = useLoaded<LimitsOut>("limits");
  const { tenant, key, ...requests } = value ?? {};
  return (
    <>
      <h2>{words.limits}</h2>
      <Trouble of={trouble} />
      {tenant !== undefined && <Use name={words.limits} of={tenant} />}
      {key !== undefined && <Use name={words.ofKey} of={key} />}
      <details>
        <summary>{words.ofRequests}</summary>
        <Table name={words.ofRequests} heads={[words.limit, words.limits]}>
          {Object.entries(requests).map(([name, most]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{Number(most).toLocaleString()}</td>
            </tr>
          ))}
        </Table>
      </details>
    </>
  );
}

function Use({ name, of: { limits, used } }: { name: string; of: Used }) {
  const words = useWords();
  return (
    <Table name={name} heads={[name, words.usedOf, words.limit]}>
      {[...new Set([...Object.keys(limits), ...Object.keys(used)])].map((each) => (
        <tr key={each}>
          <th scope="row">{each}</th>
          <td>{used[each]?.toLocaleString() ?? "–"}</td>
          <td>{limits[each]?.toLocaleString() ?? words.unlimited}</td>
        </tr>
      ))}
    </Table>
  );
}
