// What a question is asked with: collection, filters, prompt, adapter, mode.

import { useState } from "preact/hooks";
import { Check, Choice, TextField } from "./fields";
import { useAll } from "./loaded";
import type { AdapterOut, CollectionOut, PromptSummary } from "./shapes";
import { useWords } from "./speech";

export interface Filter {
  key: string;
  op: string;
  value: string;
}

/** How questions are answered. */
export interface Way {
  prompt: string;
  adapter: string;
  mode: string;
}

export interface Options extends Way {
  collection: string;
  filters: Filter[];
  /** Whether two things that a question asks at once are searched for apart. */
  decompose: boolean;
}

export const NO_WAY: Way = { prompt: "", adapter: "", mode: "" };
export const NO_OPTIONS: Options = { ...NO_WAY, collection: "", filters: [], decompose: false };
const OPS = ["eq", "ne", "gt", "gte", "lt", "lte", "contains"];

/** Return them as fields of a question; what is not chosen is left out. */
export function fieldsOf({ filters, decompose, ...options }: Options): Record<string, unknown> {
  const parts = filters.map(({ value, ...filter }) => ({ ...filter, value: valueOf(filter.key, value) }));
  return { ...chosen(options), ...(decompose && { decompose }), ...(parts.length > 0 && { filters: { and: parts } }) };
}

export function chosen(options: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== ""));
}

/** Numbers and booleans of metadata are written as they are. */
function valueOf(key: string, written: string): unknown {
  if (!key.startsWith("metadata.")) return written;
  return /^(-?\d+(\.\d+)?|true|false|null)$/.test(written) ? JSON.parse(written) : written.replace(/^"(.*)"$/, "$1");
}

interface Props {
  title: string;
  options: Options;
  onOptions: (options: Options) => void;
}

export function OptionsForm({ title, options, onOptions }: Props) {
  const words = useWords();
  const collections = useAll<CollectionOut>("collections");
  const change = (changed: Partial<Options>) => onOptions({ ...options, ...changed });
  return (
    <fieldset>
      <legend>{title}</legend>
      <Choice
        label={words.collection}
        value={options.collection}
        options={[["", words.allCollections], ...(collections.value ?? []).map(({ id, name }) => [id, name ?? id] as [string, string])]}
        onValue={(collection) => change({ collection })}
      />
      <Ways way={options} onWay={change} />
      <Filters filters={options.filters} onFilters={(filters) => change({ filters })} />
      <Check label={words.decompose} value={options.decompose} onValue={(decompose) => change({ decompose })} />
    </fieldset>
  );
}

export function Ways({ way, onWay }: { way: Way; onWay: (way: Way) => void }) {
  const words = useWords();
  const prompts = useAll<PromptSummary>("prompts");
  const adapters = useAll<AdapterOut>("adapters");
  const change = (changed: Partial<Way>) => onWay({ ...way, ...changed });
  const versions = (prompts.value ?? []).flatMap(({ name, versions }) => versions.map((each) => `${name}@${each}`));
  const ready = (adapters.value ?? []).filter((each) => each.status === "ready").map((each) => `${each.name}@${each.version}`);
  return (
    <div class="fields">
      <Choice
        label={words.prompt}
        value={way.prompt}
        options={[["", words.standard], ...versions.map((each) => [each, each] as [string, string])]}
        onValue={(prompt) => change({ prompt })}
      />
      <Choice
        label={words.adapter}
        value={way.adapter}
        options={[["", words.activeOne], ["none", words.none], ...ready.map((each) => [each, each] as [string, string])]}
        onValue={(adapter) => change({ adapter })}
      />
      <Choice
        label={words.mode}
        value={way.mode}
        options={[["", words.standard], ["hybrid", words.hybrid], ["dense", words.dense], ["lexical", words.lexical]]}
        onValue={(mode) => change({ mode })}
      />
    </div>
  );
}

function Filters({ filters, onFilters }: { filters: Filter[]; onFilters: (filters: Filter[]) => void }) {
  const words = useWords();
  const [key, setKey] = useState("");
  const [op, setOp] = useState("eq");
  const [value, setValue] = useState("");
  return (
    <>
      <ul class="plain">
        {filters.map((filter, number) => (
          <li key={number}>
            <code>
              {filter.key} {filter.op} {filter.value}
            </code>{" "}
            <button type="button" class="quiet" onClick={() => onFilters(filters.filter((_, at) => at !== number))}>
              {words.takeAway}
              <span class="unseen"> {filter.key}</span>
            </button>
          </li>
        ))}
      </ul>
      <div class="fields">
        <TextField label={words.filterKey} value={key} onValue={setKey} />
        <Choice label={words.filters} value={op} options={OPS.map((each) => [each, each])} onValue={setOp} />
        <TextField label={words.filterValue} value={value} onValue={setValue} />
        <button
          type="button"
          disabled={key.trim() === ""}
          onClick={() => {
            onFilters([...filters, { key: key.trim(), op, value }]);
            setKey("");
            setValue("");
          }}
        >
          {words.add}
        </button>
      </div>
    </>
  );
}
