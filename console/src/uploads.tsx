import { useRef, useState } from "preact/hooks";
import { ingest } from "./api";
import { type Named, chosen, dropped } from "./dropped";
import { Told } from "./documents";
import { Trouble, useAct } from "./loaded";
import type { JobItem } from "./shapes";
import { told, useWords } from "./speech";
import type { Word } from "./words";

interface Upload {
  name: string;
  item: JobItem | null;
  trouble: string | null;
}

/** Sends files one after the other; a tenant has few streams of events. */
export function Uploads({ onChange }: { onChange: () => void }) {
  const words = useWords();
  const [uploads, setUploads] = useState<Upload[]>([]);
  const [over, setOver] = useState(false);
  const { trouble, act } = useAct();
  const last = useRef(Promise.resolve());
  const count = useRef(0);

  function add(files: Named[]) {
    for (const file of files) {
      const number = count.current++;
      const change = (changed: Partial<Upload>) =>
        setUploads((before) => before.map((each, at) => (at === number ? { ...each, ...changed } : each)));
      setUploads((before) => [...before, { name: file.path, item: null, trouble: null }]);
      last.current = last.current.then(async () => {
        try {
          for await (const job of ingest(file)) {
            const [item] = job.documents;
            if (item !== undefined) change({ item });
          }
          onChange();
        } catch (error) {
          change({ trouble: told(error, words) });
        }
      });
    }
  }

  return (
    <div
      class={over ? "drop over" : "drop"}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        if (event.dataTransfer === null) return;
        const found = dropped(event.dataTransfer);
        act(async () => add(await found));
      }}
    >
      <label for="files">{words.drop}</label>
      <input
        id="files"
        type="file"
        multiple
        onChange={(event) => {
          add(chosen(event.currentTarget.files ?? []));
          event.currentTarget.value = "";
        }}
      />
      <label for="folder">{words.dropFolder}</label>
      <input
        id="folder"
        type="file"
        ref={(input) => input?.setAttribute("webkitdirectory", "")}
        onChange={(event) => {
          add(chosen(event.currentTarget.files ?? []));
          event.currentTarget.value = "";
        }}
      />
      <Trouble of={trouble} />
      <ul aria-live="polite">
        {uploads.map(({ name, item, trouble }, number) => (
          <li key={number}>
            {name}: {trouble ?? (item === null ? words.sending : state(item, words))}
            {item !== null && <Told warnings={item.warnings.map((warning) => warning.detail)} />}
          </li>
        ))}
      </ul>
    </div>
  );
}

function state(item: JobItem, words: Record<Word, string>): string {
  if (item.error !== null) return `${words.failed}. ${item.error.detail}`;
  if (item.status in words) return words[item.status as Word];
  const done = item.chunks === null ? "" : ` ${item.chunks_done}/${item.chunks}`;
  return `${item.stage}${done}…`;
}
