// What a route gives, loaded once for a screen, and its trouble.

import { useEffect, useState } from "preact/hooks";
import { get } from "./api";
import type { Page } from "./shapes";
import { told, useWords } from "./speech";

export interface Loaded<T> {
  value: T | null;
  trouble: string | null;
  reload: () => void;
}

export function useLoaded<T>(path: string): Loaded<T> {
  return useLoad(path, (signal) => get<T>(path, signal));
}

/** All pages of a list. */
export function useAll<T>(path: string): Loaded<T[]> {
  return useLoad(path, (signal) => all<T>(path, signal));
}

function useLoad<T>(path: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const words = useWords();
  const [value, setValue] = useState<T | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);
  const [times, setTimes] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    load(stop.signal)
      .then((found) => {
        if (stop.signal.aborted) return;
        setValue(found);
        setTrouble(null);
      })
      .catch((error: unknown) => stop.signal.aborted || setTrouble(told(error, words)));
    return () => stop.abort();
  }, [path, times]);
  return { value, trouble, reload: () => setTimes((before) => before + 1) };
}

async function all<T>(path: string, signal: AbortSignal): Promise<T[]> {
  const found: T[] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const asked: string = `${path}${path.includes("?") ? "&" : "?"}limit=200`;
    const page: Page<T> = await get(cursor === "" ? asked : `${asked}&cursor=${encodeURIComponent(cursor)}`, signal);
    found.push(...page.data);
    cursor = page.next_cursor;
  }
  return found;
}

export function Trouble({ of }: { of: string | null }) {
  return of === null ? null : <p role="alert">{of}</p>;
}

/** Runs what a button does, and tells its trouble. */
export function useAct(): { trouble: string | null; busy: boolean; act: (what: () => Promise<unknown>) => void } {
  const words = useWords();
  const [trouble, setTrouble] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  function act(what: () => Promise<unknown>) {
    setBusy(true);
    setTrouble(null);
    what()
      .catch((error: unknown) => setTrouble(told(error, words)))
      .finally(() => setBusy(false));
  }
  return { trouble, busy, act };
}
