import { useState } from "preact/hooks";
import { send } from "./api";
import { Answered } from "./ask";
import { Careful, Check, Choice, PageForm, TextField } from "./fields";
import { Trouble, useAct, useAll, useLoaded } from "./loaded";
import { diff } from "./diff";
import { follow } from "./route";
import { QUESTIONS } from "./examples";
import type { Answer, Elements, PromptSummary, StoredPrompt } from "./shapes";
import { useWords } from "./speech";
import { type Word, filled } from "./words";

const TEXTS = ["instruction", "output_indicator", "persona", "no_answer_text"] as const;

export function Prompts() {
  const words = useWords();
  const { value, trouble, reload } = useAll<PromptSummary>("prompts");
  const { trouble: failed, act } = useAct();
  const [name, setName] = useState("");
  return (
    <section>
      <h1>{words.prompts}</h1>
      <Trouble of={trouble ?? failed} />
      {value?.length === 0 && <p class="small">{words.noPrompts}</p>}
      <ul class="plain cards">
        {(value ?? []).map((each) => (
          <li key={each.name}>
            <a href={`prompts/${each.name}`} onClick={(event) => follow(event, `prompts/${each.name}`)}>
              {each.name}
            </a>{" "}
            <span class="small">
              {words.versions}: {each.versions.join(", ")}
              {each.active !== null && ` · ${words.active}: ${each.active}`}
              {each.default && ` · ${words.isDefault}`}
            </span>
          </li>
        ))}
      </ul>
      {value?.some((each) => each.default) && (
        <button type="button" onClick={() => act(async () => (await send("POST", "prompts/deactivate"), reload()))}>
          {words.useBuiltIn}
        </button>
      )}
      <h2>{words.newPrompt}</h2>
      <TextField label={words.name} value={name} onValue={setName} />
      <Form name={name.trim()} before={null} onStored={reload} />
    </section>
  );
}

export function Prompt({ name }: { name: string }) {
  const words = useWords();
  const list = useAll<PromptSummary>("prompts");
  const found = list.value?.find((each) => each.name === name);
  if (found === undefined) return <Trouble of={list.trouble} />;
  return (
    <section>
      <p>
        <a href="prompts" onClick={(event) => follow(event, "prompts")}>
          ← {words.prompts}
        </a>
      </p>
      <h1>{name}</h1>
      <Versions key={found.versions.length} found={found} onChange={list.reload} />
    </section>
  );
}

function Versions({ found, onChange }: { found: PromptSummary; onChange: () => void }) {
  const words = useWords();
  const newest = Math.max(...found.versions);
  const [version, setVersion] = useState(found.active ?? newest);
  const earlier = Math.max(0, ...found.versions.filter((each) => each < version));
  const [other, setOther] = useState(earlier || version);
  const path = `prompts/${found.name}`;
  const shown = useLoaded<StoredPrompt>(`${path}?version=${version}`);
  const compared = useLoaded<StoredPrompt>(`${path}?version=${other}`);
  const { trouble, act } = useAct();
  const back = Math.max(0, ...found.versions.filter((each) => each < (found.active ?? 0)));
  const activate = (to: number) => act(async () => (await send("POST", `${path}/activate`, { version: to }), onChange()));
  const options = found.versions.map((each): [string, string] => [String(each), String(each) + (each === found.active ? ` · ${words.active}` : "")]);
  return (
    <>
      <div class="fields">
        <Choice label={words.version} value={String(version)} options={options} onValue={(each) => setVersion(Number(each))} />
        <Choice label={words.difference} value={String(other)} options={options} onValue={(each) => setOther(Number(each))} />
      </div>
      <p class="row-of-buttons">
        {(version !== found.active || !found.default) && (
          <button type="button" onClick={() => activate(version)}>
            {words.activate}
          </button>
        )}
        {found.default && back > 0 && (
          <button type="button" onClick={() => activate(back)}>
            {filled(words.rollBack, back)}
          </button>
        )}
        <Careful label={words.remove} onSure={() => act(async () => (await send("DELETE", path), onChange()))} />
      </p>
      <Trouble of={trouble ?? shown.trouble ?? compared.trouble} />
      {shown.value !== null && compared.value !== null && <Difference before={written(compared.value)} after={written(shown.value)} />}
      <Try key={version} reference={`${found.name}@${version}`} />
      <h2>{words.newVersion}</h2>
      {shown.value !== null && <Form key={version} name={found.name} before={shown.value} onStored={onChange} />}
    </>
  );
}

/** A prompt as a text of its elements. */
function written(prompt: StoredPrompt): string {
  const given = Object.entries(prompt).filter(([field, value]) => value !== null && !["name", "version", "active", "default", "created_at"].includes(field));
  return given.map(([field, value]) => `${field}:\n${typeof value === "string" ? value : JSON.stringify(value, null, 2)}`).join("\n\n");
}

function Difference({ before, after }: { before: string; after: string }) {
  const words = useWords();
  return (
    <>
      {before === after && <p class="small">{words.noDifference}</p>}
      <pre class="diff" tabIndex={0}>
        {diff(before, after).map(({ kind, text }, number) => {
          if (kind === "same") return `  ${text}\n`;
          return kind === "new" ? <ins key={number}>{`+ ${text}\n`}</ins> : <del key={number}>{`- ${text}\n`}</del>;
        })}
      </pre>
    </>
  );
}

interface Asked {
  body: Record<string, unknown>;
  answer: Answer;
}

function Try({ reference }: { reference: string }) {
  const words = useWords();
  const [questions, setQuestions] = useState(document.documentElement.lang === "ko" ? QUESTIONS.ko : QUESTIONS.en);
  const [answers, setAnswers] = useState<(Asked | undefined)[]>([]);
  const { trouble, busy, act } = useAct();

  async function run() {
    const found: (Asked | undefined)[] = [];
    setAnswers(found);
    for (const [number, input] of questions.entries()) {
      if (input.trim() === "") continue;
      const body = { input, prompt: reference };
      found[number] = { body, answer: await send<Answer>("POST", "query", body) };
      setAnswers([...found]);
    }
  }

  return (
    <PageForm onSend={() => act(run)}>
      <h2>{words.tryIt}</h2>
      {questions.map((question, number) => (
        <div key={number}>
          <TextField
            label={filled(words.questionNumber, number + 1)}
            value={question}
            onValue={(value) => setQuestions(questions.map((each, at) => (at === number ? value : each)))}
          />
          {answers[number] !== undefined && <Answered {...answers[number]} />}
        </div>
      ))}
      <Trouble of={trouble} />
      <button type="submit" disabled={busy}>
        {words.run}
      </button>
    </PageForm>
  );
}

function Form({ name, before, onStored }: { name: string; before: Elements | null; onStored: () => void }) {
  const words = useWords();
  const [texts, setTexts] = useState<Record<string, string>>(
    Object.fromEntries(TEXTS.map((field) => [field, before?.[field] ?? ""])),
  );
  const [reasoning, setReasoning] = useState(before?.reasoning ?? false);
  const [examples, setExamples] = useState(before?.examples ? JSON.stringify(before.examples, null, 2) : "");
  const { trouble, busy, act } = useAct();

  async function store() {
    const given = Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== ""));
    const own = { grounding: (before as StoredPrompt | null)?.grounding ?? undefined, sampling: (before as StoredPrompt | null)?.sampling ?? undefined };
    const body = { ...own, ...given, ...(reasoning && { reasoning }), ...(examples.trim() && { examples: JSON.parse(examples) as unknown }) };
    await send("PUT", `prompts/${encodeURIComponent(name)}`, body);
    onStored();
  }

  return (
    <PageForm onSend={() => act(store)}>
      {TEXTS.map((field) => (
        <TextField key={field} label={words[field as Word]} rows={3} value={texts[field] ?? ""} onValue={(text) => setTexts({ ...texts, [field]: text })} />
      ))}
      <TextField label={words.examplesJson} rows={2} value={examples} onValue={setExamples} />
      <Check label={words.reasoning} value={reasoning} onValue={setReasoning} />
      <Trouble of={trouble} />
      <button type="submit" disabled={busy || name === "" || (examples.trim() !== "" && !isJson(examples))}>
        {words.save}
      </button>
    </PageForm>
  );
}

function isJson(text: string): boolean {
  try {
    return Array.isArray(JSON.parse(text));
  } catch {
    return false;
  }
}
