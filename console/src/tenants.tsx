// The operator's: tenants with their limits and keys.

import { useState } from "preact/hooks";
import { send } from "./api";
import { PageForm, TextField } from "./fields";
import { Keys } from "./keys";
import { Trouble, useAct, useAll } from "./loaded";
import { follow } from "./route";
import type { TenantOut } from "./shapes";
import { useWords } from "./speech";

const LIMITS = [
  "documents",
  "bytes",
  "chunks",
  "adapters",
  "jobs_waiting",
  "requests_per_minute",
  "generated_tokens_per_day",
  "training_seconds_per_day",
];

export function Tenants() {
  const words = useWords();
  const { value, trouble, reload } = useAll<TenantOut>("tenants");
  const [id, setId] = useState("");
  const [name, setName] = useState("");
  const { trouble: failed, busy, act } = useAct();
  return (
    <section>
      <h1>{words.tenants}</h1>
      <Trouble of={trouble} />
      <ul class="plain cards">
        {(value ?? []).map((each) => (
          <li key={each.id}>
            <a href={`tenants/${each.id}`} onClick={(event) => follow(event, `tenants/${each.id}`)}>
              {each.name}
            </a>{" "}
            <span class="small">
              {each.id} · {words.chunksCount}: {each.chunks.toLocaleString()}
            </span>
          </li>
        ))}
      </ul>
      <h2>{words.newTenant}</h2>
      <form
        class="fields"
        onSubmit={(event) => {
          event.preventDefault();
          act(async () => {
            await send("POST", "tenants", { id: id.trim(), name: name.trim() || id.trim() });
            setId("");
            setName("");
            reload();
          });
        }}
      >
        <TextField label={words.identifier} value={id} onValue={setId} required />
        <TextField label={words.name} value={name} onValue={setName} />
        <button type="submit" disabled={busy}>
          {words.create}
        </button>
      </form>
      <Trouble of={failed} />
    </section>
  );
}

export function TenantView({ id }: { id: string }) {
  const words = useWords();
  const { value, trouble, reload } = useAll<TenantOut>("tenants");
  const tenant = value?.find((each) => each.id === id);
  return (
    <section>
      <p>
        <a href="tenants" onClick={(event) => follow(event, "tenants")}>
          ← {words.tenants}
        </a>
      </p>
      <h1>{tenant?.name ?? id}</h1>
      <Trouble of={trouble} />
      {tenant !== undefined && <TenantLimits tenant={tenant} onChange={reload} />}
      <Keys id={id} />
      {id !== "default" && <Deletion id={id} />}
    </section>
  );
}

function TenantLimits({ tenant, onChange }: { tenant: TenantOut; onChange: () => void }) {
  const words = useWords();
  const [limits, setLimits] = useState<Record<string, string>>(
    Object.fromEntries(LIMITS.map((name) => [name, tenant.limits[name]?.toString() ?? ""])),
  );
  const [saved, setSaved] = useState(false);
  const { trouble, busy, act } = useAct();

  async function save() {
    const wanted = Object.fromEntries(Object.entries(limits).map(([name, most]) => [name, most === "" ? null : Number(most)]));
    await send("PATCH", `tenants/${tenant.id}`, { limits: wanted });
    setSaved(true);
    onChange();
  }

  return (
    <PageForm onSend={() => act(save)}>
      <h2>{words.limits}</h2>
      <div class="fields">
        {LIMITS.map((name) => (
          <TextField
            key={name}
            label={name}
            type="number"
            value={limits[name] ?? ""}
            onValue={(most) => {
              setLimits({ ...limits, [name]: most });
              setSaved(false);
            }}
          />
        ))}
      </div>
      <Trouble of={trouble} />
      <button type="submit" disabled={busy}>
        {words.save}
      </button>
      {saved && <span role="status"> {words.saved}</span>}
    </PageForm>
  );
}

function Deletion({ id }: { id: string }) {
  const words = useWords();
  const [typed, setTyped] = useState("");
  const [accepted, setAccepted] = useState(false);
  const { trouble, act } = useAct();
  return (
    <details>
      <summary>{words.deleteTenant}</summary>
      <TextField label={words.typeId} value={typed} onValue={setTyped} />
      <button
        type="button"
        disabled={typed !== id || accepted}
        onClick={() => act(async () => (await send("DELETE", `tenants/${id}`), setAccepted(true)))}
      >
        {words.yes}
      </button>
      <Trouble of={trouble} />
      {accepted && <p role="status">{words.accepted}</p>}
    </details>
  );
}
