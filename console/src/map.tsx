import { useEffect, useState } from "preact/hooks";
import { send } from "./api";
import { Choice, PageForm, TextField } from "./fields";
import { Trouble, useAct, useLoaded } from "./loaded";
import { Canvas } from "./map_canvas";
import { type By, coloursOf, written } from "./map_colours";
import { documentRoute, follow } from "./route";
import type { Placed, Projection, ShelfMap } from "./shapes";
import { useWords } from "./speech";
import { type Word, filled } from "./words";

const LOOK_AGAIN_MS = 1000;

/** The chunks where their vectors lie, and a question among them. */
export function MapOfShelf() {
  const words = useWords();
  const [by, setBy] = useState<By>("document");
  const [field, setField] = useState("");
  const [projection, setProjection] = useState<Projection>("pca");
  const asked = new URLSearchParams({ projection, ...(by === "metadata" && field.trim() !== "" ? { metadata: field.trim() } : {}) });
  const { value, trouble, reload } = useLoaded<ShelfMap>(`map?${asked}`);
  const [placed, setPlaced] = useState<Placed | null>(null);
  useEffect(() => {
    if (value?.status !== "computing") return;
    const timer = setTimeout(reload, LOOK_AGAIN_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return (
    <section>
      <h1>{words.map}</h1>
      <Trouble of={trouble} />
      {value?.status === "empty" && <p class="small">{words.noDocuments}</p>}
      {value !== null && value.status !== "empty" && (
        <div class="fields">
          {value.projections.length > 1 && (
            <Choice
              label={words.arrangedBy}
              value={projection}
              options={value.projections.map((each) => [each, words[each as Word]])}
              onValue={(chosen) => {
                setPlaced(null);
                setProjection(chosen as Projection);
              }}
            />
          )}
          <Choice
            label={words.colouredBy}
            value={by}
            options={[["document", words.documentWord], ["collection", words.collection], ["metadata", words.metadataField]]}
            onValue={(chosen) => setBy(chosen as By)}
          />
          {by === "metadata" && <TextField label={words.metadataField} value={field} onValue={setField} />}
        </div>
      )}
      {value?.status === "computing" && <p role="status">{words.mapComputing}</p>}
      {value?.status === "ready" && (
        <>
          <Drawn key={value.projection} found={value} by={by} placed={placed} />
          <Question projection={value.projection} onPlaced={setPlaced} />
          {placed !== null && <Nearest placed={placed} />}
        </>
      )}
    </section>
  );
}

function Drawn({ found, by, placed }: { found: ShelfMap; by: By; placed: Placed | null }) {
  const words = useWords();
  const { colours, legend } = coloursOf(found, by, words.others);
  return (
    <>
      <p class="small">{filled(words.mapOf, found.points.x.length.toLocaleString())} {found.sampled && words.mapSampled}</p>
      <Canvas found={found} colours={colours} placed={placed} />
      <ul class="plain legend">
        {legend.map(({ name, count, colour }) => (
          <li key={name}>
            <span class="swatch" style={{ background: written(colour) }} /> {name} ({count.toLocaleString()})
          </li>
        ))}
      </ul>
    </>
  );
}

function Question({ projection, onPlaced }: { projection: Projection; onPlaced: (placed: Placed) => void }) {
  const words = useWords();
  const [input, setInput] = useState("");
  const { trouble, busy, act } = useAct();
  return (
    <PageForm onSend={() => act(async () => onPlaced(await send<Placed>("POST", "map/place", { input, projection })))}>
      <TextField label={words.question} value={input} onValue={setInput} />
      <Trouble of={trouble} />
      <button type="submit" disabled={busy || input.trim() === ""}>
        {words.placeQuestion}
      </button>
    </PageForm>
  );
}

function Nearest({ placed }: { placed: Placed }) {
  const words = useWords();
  return (
    <>
      <h2>{words.nearest}</h2>
      <ol class="nearest">
        {placed.nearest.map((each) => {
          const path = documentRoute(each.document_id, { ...each.span });
          return (
            <li key={each.chunk_id}>
              <a href={path} onClick={(event) => follow(event, path)}>
                {each.title ?? each.document_id}
              </a>{" "}
              <span class="small">{each.score.toFixed(3)}</span>
              <p class="quoted">{each.text}</p>
            </li>
          );
        })}
      </ol>
    </>
  );
}
