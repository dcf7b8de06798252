import { useEffect } from "preact/hooks";
import { Table } from "./fields";
import { Trouble, useLoaded } from "./loaded";
import type { Engines as EnginesOut } from "./shapes";
import { useWords } from "./speech";

const LOOK_AGAIN_MS = 5000;

/** The operator's: each engine's state, as the API process that answers knows it. */
export function Engines() {
  const words = useWords();
  const { value, trouble, reload } = useLoaded<EnginesOut>("engines");
  useEffect(() => {
    const timer = setInterval(reload, LOOK_AGAIN_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <section>
      <h1>{words.engines}</h1>
      <Trouble of={trouble} />
      {value?.engines.length === 0 && <p class="small">{words.noEngines}</p>}
      {value !== null && value.engines.length > 0 && (
        <>
          <p>
            {words.requests}: {value.running} · {words.waitingRequests}: {value.waiting}
          </p>
          <Table name={words.engines} heads={[words.name, words.state, words.model, words.requests, words.adaptersLoaded]}>
            {value.engines.map((each) => (
              <tr key={each.name}>
                <th scope="row">{each.name}</th>
                <td>
                  {words[each.state]}
                  {each.reason !== "ok" && `: ${each.reason}`}
                </td>
                <td>
                  {each.model ?? "–"}
                  {each.context_tokens !== null && ` · ${each.context_tokens.toLocaleString()} ${words.tokens}`}
                </td>
                <td>{each.running}</td>
                <td>{each.adapters}</td>
              </tr>
            ))}
          </Table>
        </>
      )}
    </section>
  );
}
