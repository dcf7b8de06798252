// The client of the REST API: the caller's own key and nothing more.

import type { Named } from "./dropped";
import type { DocumentOut, JobEvent, Page, Problem } from "./shapes";

const KEY = "kyujang-key";
const GROUPS = "kyujang-groups";
export const GROUPS_HEADER = "Kyujang-Groups";
export const ROOT = new URL("..", document.baseURI);

export class ApiError extends Error {
  constructor(
    readonly status: number,
    detail: string,
  ) {
    super(detail);
  }
}

export const session = {
  get key(): string | null {
    return sessionStorage.getItem(KEY);
  },
  /** Whether the key is the operator's: those of tenants begin with kyu_. */
  get isOperator(): boolean {
    return this.key !== null && !this.key.startsWith("kyu_");
  },
  start(key: string): void {
    sessionStorage.setItem(KEY, key);
  },
  /** The groups that the key acts for, with commas between; null for a key that acts for none. */
  get groups(): string | null {
    return sessionStorage.getItem(GROUPS);
  },
  actFor(groups: string): void {
    sessionStorage.setItem(GROUPS, groups);
  },
  /** What the header says for them. */
  get groupsSent(): string | null {
    return this.groups?.split(",").map((each) => encodeURIComponent(each.trim())).join(",") ?? null;
  },
  end(): void {
    sessionStorage.removeItem(KEY);
    sessionStorage.removeItem(GROUPS);
  },
  /** Is called when a key is refused; the sign-in listens. */
  onRefused: (): void => {},
};

export async function call(path: string, options: RequestInit = {}): Promise<Response> {
  const headers = new Headers(options.headers);
  if (session.key !== null) headers.set("Authorization", `Bearer ${session.key}`);
  if (session.groupsSent !== null) headers.set(GROUPS_HEADER, session.groupsSent);
  const answer = await fetch(new URL(path, ROOT), { ...options, headers });
  if (answer.ok) return answer;
  if (answer.status === 401) session.onRefused();
  const problem = (await answer.json().catch(() => ({}))) as Partial<Problem>;
  throw new ApiError(answer.status, problem.detail ?? answer.statusText);
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await (await call(path, { signal })).json()) as T;
}

/** Send a body as JSON; an answer without a body is null. */
export async function send<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers = body === undefined ? undefined : { "Content-Type": "application/json" };
  const answer = await call(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  return (answer.status === 204 ? null : await answer.json()) as T;
}

export function documentPath(id: string): string {
  return `documents/${encodeURIComponent(id)}`;
}

export function listDocuments(sought: Record<string, string>, cursor: string | null): Promise<Page<DocumentOut>> {
  const given = Object.entries({ ...sought, cursor: cursor ?? "" }).filter(([, value]) => value !== "");
  return get(`documents?${new URLSearchParams([["limit", "200"], ...given])}`);
}

/** Send a file and yield what becomes of it. */
export async function* ingest({ file, path }: Named): AsyncGenerator<JobEvent> {
  const form = new FormData();
  form.append("file", file);
  // A path of a folder's file; macOS gives it decomposed.
  if (path !== file.name) form.append("id", path.normalize());
  const job = (await (await call("ingest", { method: "POST", body: form })).json()) as JobEvent;
  yield job;
  yield* untilDone<JobEvent>(job.id);
}

const AGAIN_MS = 1000;
const MAX_CUTS = 30;

/** Yield what becomes of a job. A stream that breaks off, as when its process is replaced, is opened again. */
export async function* untilDone<Job>(id: string, signal?: AbortSignal): AsyncGenerator<Job> {
  for (let cuts = 0; ; cuts++) {
    try {
      for await (const { name, data } of events(await call(`jobs/${encodeURIComponent(id)}/events`, { signal }))) {
        if (name === "error") break;
        yield data as Job;
        if (name === "done") return;
        cuts = 0;
      }
      throw new Error("the stream broke off");
    } catch (error) {
      const passes = !(error instanceof ApiError) || error.status === 429 || error.status >= 500;
      if (signal?.aborted || !passes || cuts >= MAX_CUTS) throw error;
    }
    await pause(AGAIN_MS);
  }
}

export interface ServerEvent {
  name: string;
  data: unknown;
}

const AT_ONCE_MS = 2;

/** With `everyMs` what comes is let gather for so long, and so costs the page little however fast it comes. */
export async function* events(answer: Response, everyMs = 0): AsyncGenerator<ServerEvent> {
  if (answer.body === null) return;
  const [reader, decoder] = [answer.body.getReader(), new TextDecoder()];
  let [waiting, isLast] = ["", false];
  try {
    for (;;) {
      const asked = performance.now();
      const { value, done } = await reader.read();
      if (done) return;
      // Of what has gathered the browser gives the first piece by itself, then all else.
      const isAllThereIs = performance.now() - asked > AT_ONCE_MS;
      waiting += decoder.decode(value, { stream: true });
      for (let end = waiting.indexOf("\n\n"); end >= 0; end = waiting.indexOf("\n\n")) {
        const lines = waiting.slice(0, end).split("\n");
        waiting = waiting.slice(end + 2);
        const [name, data] = [field(lines, "event") ?? "message", field(lines, "data")];
        isLast ||= name === "done" || name === "error";
        if (data !== undefined) yield { name, data: JSON.parse(data) };
      }
      if (everyMs > 0 && isAllThereIs && !isLast) await pause(everyMs);
    }
  } finally {
    await reader.cancel();
  }
}

function field(lines: string[], name: string): string | undefined {
  return lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
}

const pause = (ms: number) => new Promise((after) => setTimeout(after, ms));
