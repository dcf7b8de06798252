import { useEffect, useState } from "preact/hooks";
import { call, send } from "./api";
import { Careful, PageForm, Table, TextField } from "./fields";
import { Compare, Train } from "./training";
import { Trouble, useAct, useAll } from "./loaded";
import type { AdapterOut } from "./shapes";
import { useWords } from "./speech";
import { filled } from "./words";

const LOOK_AGAIN_MS = 2000;
const ENDED = ["ready", "rejected", "failed"];

export function Adapters() {
  const words = useWords();
  const { value, trouble, reload } = useAll<AdapterOut>("adapters");
  const { trouble: failed, act } = useAct();
  const under = value?.some((each) => !ENDED.includes(each.status)) ?? false;
  useEffect(() => {
    if (!under) return;
    const timer = setInterval(reload, LOOK_AGAIN_MS);
    return () => clearInterval(timer);
  }, [under]);
  const change = (path: string, body?: unknown) => act(async () => (await send("POST", path, body), reload()));
  return (
    <section>
      <h1>{words.adapters}</h1>
      <Trouble of={trouble ?? failed} />
      {value?.length === 0 && <p class="small">{words.noAdapters}</p>}
      <ul class="plain cards" aria-live="polite">
        {(value ?? []).map((each) => (
          <li key={`${each.name}@${each.version}`}>
            <Version
              adapter={each}
              onActivate={() => change(`adapters/${each.name}/activate`, { version: each.version })}
              onDelete={() => act(async () => (await send("DELETE", `adapters/${each.name}?version=${each.version}`), reload()))}
            />
          </li>
        ))}
      </ul>
      {value?.some((each) => each.active) && (
        <p class="row-of-buttons">
          <button type="button" onClick={() => change("adapters/deactivate")}>
            {words.deactivate}
          </button>
          <button type="button" onClick={() => change("adapters/rollback")}>
            {words.rollBackAdapter}
          </button>
        </p>
      )}
      <Upload onSent={reload} />
      <Train onMade={reload} />
    </section>
  );
}

interface VersionProps {
  adapter: AdapterOut;
  onActivate: () => void;
  onDelete: () => void;
}

function Version({ adapter, onActivate, onDelete }: VersionProps) {
  const words = useWords();
  const [comparing, setComparing] = useState(false);
  const { name, version, status, active, checks, proof } = adapter;
  const title = `${name}@${version}`;
  return (
    <>
      <h2>{title}</h2>
      <p class="small">
        {words[status]}
        {active && ` · ${words.active}`}
        {adapter.base_model !== null && ` · ${adapter.base_model}`}
        {adapter.rank !== null && ` · LoRA ${adapter.rank}`}
      </p>
      {adapter.error_detail !== null && <p role="alert">{adapter.error_detail}</p>}
      {proof !== null && <Proof proof={proof} />}
      {checks.length > 0 && (
        <details>
          <summary>
            {words.checks}: {checks.filter((each) => each.ok).length}/{checks.length}
          </summary>
          <Table name={`${words.checks}: ${title}`} heads={[words.checks, words.status, words.proof]}>
            {checks.map((each) => (
              <tr key={each.name}>
                <th scope="row">{each.name}</th>
                <td>{each.ok ? words.yesWord : words.noWord}</td>
                <td>{each.detail}</td>
              </tr>
            ))}
          </Table>
        </details>
      )}
      <p class="row-of-buttons">
        {status === "ready" && !active && (
          <button type="button" onClick={onActivate}>
            {words.activate}
          </button>
        )}
        {status === "ready" && (
          <button type="button" class="quiet" aria-expanded={comparing} onClick={() => setComparing(!comparing)}>
            {words.evaluate}
          </button>
        )}
        {!active && <Careful label={words.remove} onSure={onDelete} />}
      </p>
      {comparing && <Compare name={name} version={version} />}
    </>
  );
}

function Proof({ proof }: { proof: { difference: number } }) {
  const words = useWords();
  return <p class="small">{`${words.proof}: ${filled(words.proofDetail, proof.difference.toFixed(3))}`}</p>;
}

function Upload({ onSent }: { onSent: () => void }) {
  const words = useWords();
  const [name, setName] = useState("");
  const [file, setFile] = useState<File | null>(null);
  const { trouble, busy, act } = useAct();

  async function upload() {
    const form = new FormData();
    form.append("name", name.trim());
    if (file !== null) form.append("file", file);
    await call("adapters", { method: "POST", body: form });
    onSent();
  }

  return (
    <PageForm onSend={() => act(upload)}>
      <h2>{words.upload}</h2>
      <TextField label={words.name} value={name} onValue={setName} required />
      <p class="field">
        <label for="archive">{words.archive}</label>
        <input id="archive" type="file" required onChange={(event) => setFile(event.currentTarget.files?.[0] ?? null)} />
      </p>
      <Trouble of={trouble} />
      <button type="submit" disabled={busy}>
        {words.upload}
      </button>
    </PageForm>
  );
}
