// A tenant's keys: what each may do, and which part of the documents it sees.

import { useState } from "preact/hooks";
import { send } from "./api";
import { Careful, Check, Lazy, PageForm, Table, TextField } from "./fields";
import { Trouble, useAct, useAll } from "./loaded";
import type { KeyOut } from "./shapes";
import { useWords } from "./speech";

const DELEGATE = "delegate";
const SCOPES = ["query", "read", "ingest", "adapters", DELEGATE];

export function Keys({ id }: { id: string }) {
  const words = useWords();
  const { value, trouble, reload } = useAll<KeyOut>(`tenants/${id}/keys`);
  const [scopes, setScopes] = useState(["query", "read"]);
  const [only, setOnly] = useState("");
  const [groups, setGroups] = useState("metadata.groups");
  const [made, setMade] = useState<string | null>(null);
  const { trouble: failed, busy, act } = useAct();
  const locale = document.documentElement.lang;
  return (
    <>
      <h2>{words.keys}</h2>
      <Trouble of={trouble ?? failed} />
      {(value ?? []).length > 0 && (
        <Table name={words.keys} heads={[words.identifier, words.scopes, words.partOfKey, words.expires, words.status]}>
          {(value ?? []).map((each) => (
            <tr key={each.id}>
              <th scope="row">{each.id}</th>
              <td>{each.scopes.join(", ")}</td>
              <td>
                <code>{each.only == null ? words.allDocuments : JSON.stringify(each.only)}</code>
                {each.groups != null && (
                  <>
                    {", "}
                    {words.ofGroupsIn} <code>{each.groups}</code>
                  </>
                )}
                {each.revoked_at === null && <Bind path={`tenants/${id}/keys/${each.id}`} found={each} onDone={reload} />}
              </td>
              <td>{each.expires_at === null ? "–" : new Date(each.expires_at).toLocaleString(locale)}</td>
              <td>
                {each.revoked_at === null ? (
                  <Careful
                    label={words.revoke}
                    onSure={() => act(async () => (await send("DELETE", `tenants/${id}/keys/${each.id}`), reload()))}
                  />
                ) : (
                  words.revoked
                )}
              </td>
            </tr>
          ))}
        </Table>
      )}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          act(async () => {
            const { key } = await send<{ key: string }>("POST", `tenants/${id}/keys`, {
              scopes,
              ...partOf(only),
              ...(scopes.includes(DELEGATE) && { groups }),
            });
            setMade(key);
            reload();
          });
        }}
      >
        <fieldset>
          <legend>
            {words.newKey}: {words.scopes}
          </legend>
          {SCOPES.map((scope) => (
            <Check
              key={scope}
              label={scope}
              value={scopes.includes(scope)}
              onValue={(on) => setScopes(on ? [...scopes, scope] : scopes.filter((each) => each !== scope))}
            />
          ))}
          <TextField label={words.partHelp} value={only} onValue={setOnly} />
          {partOf(only) === null && <p role="status">{words.notJson}</p>}
          {scopes.includes(DELEGATE) && <TextField label={words.listOfGroups} value={groups} onValue={setGroups} />}
          <button type="submit" disabled={busy || scopes.length === 0 || partOf(only) === null}>
            {words.create}
          </button>
        </fieldset>
      </form>
      {made !== null && (
        <p role="status">
          {words.shownOnce} <code class="secret">{made}</code>
        </p>
      )}
    </>
  );
}

function Bind({ path, found, onDone }: { path: string; found: KeyOut; onDone: () => void }) {
  const words = useWords();
  const [only, setOnly] = useState(found.only == null ? "" : JSON.stringify(found.only));
  const [groups, setGroups] = useState(found.groups ?? "");
  const { trouble, busy, act } = useAct();
  const part = partOf(only);
  const changes = { only: part?.only ?? null, ...(found.groups != null && { groups }) };
  return (
    <Lazy summary={words.changePart}>
      <PageForm onSend={() => act(async () => (await send("PATCH", path, changes), onDone()))}>
        <TextField label={words.partHelp} value={only} onValue={setOnly} />
        {part === null && <p role="status">{words.notJson}</p>}
        {found.groups != null && <TextField label={words.listOfGroups} value={groups} onValue={setGroups} />}
        <Trouble of={trouble} />
        <button type="submit" disabled={busy || part === null}>
          {words.save}
        </button>
      </PageForm>
    </Lazy>
  );
}

/** Return the field that is sent, none for all documents; null for what is no JSON of a filter. */
function partOf(written: string): { only?: object } | null {
  if (written.trim() === "") return {};
  try {
    const only: unknown = JSON.parse(written);
    return typeof only === "object" && only !== null ? { only } : null;
  } catch {
    return null;
  }
}
