// Where the tenant is told of what happens. The API has no route to try or repeat a delivery.

import { useState } from "preact/hooks";
import { send } from "./api";
import { Careful, Check, Lazy, PageForm, Table, TextField } from "./fields";
import { Trouble, useAct, useAll } from "./loaded";
import type { DeliveryOut, WebhookOut } from "./shapes";
import { useWords } from "./speech";
import type { Word } from "./words";

const EVENTS = ["job.ended", "document.failed", "limit.reached"];
const pathOf = (id: string) => `webhooks/${encodeURIComponent(id)}`;
const shownTime = (time: string | null) => (time === null ? "–" : new Date(time).toLocaleString(document.documentElement.lang));

export function Webhooks() {
  const words = useWords();
  const { value, trouble, reload } = useAll<WebhookOut>("webhooks");
  const { trouble: failed, act } = useAct();
  return (
    <section>
      <h1>{words.webhooks}</h1>
      <Trouble of={trouble ?? failed} />
      {value?.length === 0 && <p class="small">{words.noWebhooks}</p>}
      <ul class="plain cards">
        {(value ?? []).map((each) => (
          <li key={each.id}>
            <strong>{each.url}</strong>
            <p class="small">
              {each.events.join(", ")} · {words.waiting}: {each.deliveries.waiting} · {words.delivered}: {each.deliveries.delivered} ·{" "}
              {words.given_up}: {each.deliveries.given_up}
            </p>
            <Lazy summary={words.deliveries}>
              <Deliveries id={each.id} />
            </Lazy>
            <Careful label={words.remove} onSure={() => act(async () => (await send("DELETE", pathOf(each.id)), reload()))} />
          </li>
        ))}
      </ul>
      <New onMade={reload} />
    </section>
  );
}

function Deliveries({ id }: { id: string }) {
  const words = useWords();
  const { value, trouble } = useAll<DeliveryOut>(`${pathOf(id)}/deliveries`);
  return (
    <>
      <Trouble of={trouble} />
      {value?.length === 0 && <p class="small">{words.none}</p>}
      {value !== null && value.length > 0 && (
        <Table name={words.deliveries} heads={[words.event, words.status, words.attempts, words.lastTry, words.nextTry]}>
          {value.map((each) => (
            <tr key={each.id}>
              <th scope="row">{each.event}</th>
              <td>{words[each.status as Word]}</td>
              <td>{each.attempts}</td>
              <td>
                {shownTime(each.last_at)} {each.last_status ?? each.last_error}
              </td>
              <td>{shownTime(each.next_at)}</td>
            </tr>
          ))}
        </Table>
      )}
    </>
  );
}

function New({ onMade }: { onMade: () => void }) {
  const words = useWords();
  const [url, setUrl] = useState("");
  const [events, setEvents] = useState(EVENTS);
  const [secret, setSecret] = useState<string | null>(null);
  const { trouble, busy, act } = useAct();

  async function make() {
    setSecret((await send<{ secret: string }>("POST", "webhooks", { url: url.trim(), events })).secret);
    setUrl("");
    onMade();
  }

  return (
    <PageForm onSend={() => act(make)}>
      <h2>{words.newWebhook}</h2>
      <TextField label={words.address} value={url} onValue={setUrl} required />
      <fieldset>
        <legend>{words.events}</legend>
        {EVENTS.map((event) => (
          <Check
            key={event}
            label={event}
            value={events.includes(event)}
            onValue={(on) => setEvents(EVENTS.filter((each) => (each === event ? on : events.includes(each))))}
          />
        ))}
      </fieldset>
      <Trouble of={trouble} />
      <button type="submit" disabled={busy || events.length === 0}>
        {words.create}
      </button>
      {secret !== null && (
        <p role="status">
          {words.secretOnce} <code class="secret">{secret}</code>
        </p>
      )}
    </PageForm>
  );
}
