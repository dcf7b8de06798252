// What is known of a document beside its text: warnings, metadata, collection, its original.

import { useState } from "preact/hooks";
import { documentPath, send } from "./api";
import { Told } from "./documents";
import { download } from "./download";
import { Choice, PageForm, TextField } from "./fields";
import { Trouble, useAct, useAll } from "./loaded";
import type { CollectionOut, DocumentOut } from "./shapes";
import { useWords } from "./speech";
import { filled } from "./words";

export function Details({ shown, onChange }: { shown: DocumentOut; onChange: (changed: DocumentOut) => void }) {
  const words = useWords();
  const [editing, setEditing] = useState(false);
  const { trouble, act } = useAct();
  const unreadable = shown.pages?.unreadable ?? 0;
  return (
    <>
      {unreadable > 0 && <p role="status">{filled(words.unreadablePages, unreadable)}</p>}
      <Told warnings={shown.warnings.map(({ page, part, detail }) => [part, page, detail].filter((each) => each !== null).join(" · "))} />
      <Trouble of={trouble} />
      <p>
        <button type="button" class="quiet" onClick={() => act(() => download(shown))}>
          {words.download}
        </button>{" "}
        <button type="button" class="quiet" aria-expanded={editing} onClick={() => setEditing(!editing)}>
          {words.edit}
        </button>
      </p>
      {editing && (
        <Edit
          shown={shown}
          onDone={(changed) => {
            setEditing(false);
            if (changed !== null) onChange(changed);
          }}
        />
      )}
    </>
  );
}

function Edit({ shown, onDone }: { shown: DocumentOut; onDone: (changed: DocumentOut | null) => void }) {
  const words = useWords();
  const collections = useAll<CollectionOut>("collections");
  const [title, setTitle] = useState(shown.title ?? "");
  const [metadata, setMetadata] = useState(JSON.stringify(shown.metadata, null, 2));
  const [collection, setCollection] = useState(shown.collection);
  const { trouble, busy, act } = useAct();
  const known = objectIn(metadata);

  async function save() {
    const changed = {
      ...(title.trim() !== (shown.title ?? "") && { title: title.trim() }),
      ...(JSON.stringify(known) !== JSON.stringify(shown.metadata) && { metadata: known }),
      ...(collection !== shown.collection && { collection }),
    };
    onDone(await send<DocumentOut>("PATCH", documentPath(shown.id), changed));
  }

  return (
    <PageForm onSend={() => act(save)}>
      <TextField label={words.title} value={title} onValue={setTitle} />
      <TextField label={words.metadata} rows={5} value={metadata} onValue={setMetadata} />
      {known === null && <p role="alert">{words.notJson}</p>}
      <Choice
        label={words.collection}
        value={collection}
        options={(collections.value ?? []).map(({ id, name }) => [id, name ?? id])}
        onValue={setCollection}
      />
      <Trouble of={trouble} />
      <button type="submit" disabled={busy || known === null}>
        {words.save}
      </button>{" "}
      <button type="button" onClick={() => onDone(null)}>
        {words.cancel}
      </button>
    </PageForm>
  );
}

export function objectIn(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
