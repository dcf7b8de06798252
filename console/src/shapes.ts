// What the API sends, as far as the page shows it.

export interface Span {
  start: number;
  end: number;
}

export interface Problem {
  detail: string;
}

export interface Page<T> {
  data: T[];
  has_more: boolean;
  next_cursor: string | null;
}

export interface Warning {
  code: string;
  page: number | null;
  part: string | null;
  detail: string;
}

export interface DocumentOut {
  id: string;
  source: string | null;
  title: string | null;
  media_type: string;
  bytes: number;
  chunks: number;
  pages: { text: number; ocr: number; unreadable: number } | null;
  warnings: Warning[];
  metadata: Record<string, unknown>;
  collection: string;
  updated_at: string;
}

export interface JobItem {
  id: string;
  source: string | null;
  status: string;
  stage: string;
  chunks: number | null;
  chunks_done: number;
  error: { code: string; detail: string } | null;
  warnings: Warning[];
}

export interface JobEvent<Result = Report> {
  id: string;
  status: string;
  documents: JobItem[];
  progress: Progress | null;
  result: Result | null;
  error: { code: string; detail: string } | null;
}

export interface Context {
  chunk_id: string;
  document_id: string;
  source: string | null;
  title: string | null;
  page: number | null;
  text: string;
  span: Span;
  header: Span | null;
}

export interface Citation {
  marker: number;
  chunk_id: string;
  document_id: string;
  source: string | null;
  title: string | null;
  page: number | null;
  quote: string;
  answer_span: Span;
  chunk_span: Span;
}

export interface Place {
  rank: number;
  score: number;
}

export interface Candidate {
  chunk_id: string;
  document_id: string;
  title: string | null;
  page: number | null;
  text: string;
  dense: Place | null;
  lexical: Place | null;
  fused: Place | null;
  rerank: Place | null;
  fate: "used" | "copy" | "beyond_per_document" | "beyond_top_k" | "below_min_score" | "token_budget" | "over_size";
}

export interface Explanation {
  terms: string[];
  translated: boolean;
  candidates: Candidate[];
  prompt: { elements: { name: string; text: string; tokens: number | null }[] } | null;
}

export interface Answer {
  id: string;
  timings_ms: Record<string, number>;
  logged: boolean;
  answer: string;
  finish_reason: "stop" | "length" | "no_answer";
  no_answer_reason: string | null;
  titles: string[];
  citations: Citation[];
  unsupported: Span[];
  contexts: Context[];
}

export interface TextPart {
  text: string;
  span: Span;
  length: number;
  pages: { page: number; span: Span }[];
}

export interface Chunk {
  chunk_id: string;
  page: number | null;
  headings: string[];
  text: string;
}

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Boxes {
  width: number;
  height: number;
  boxes: Box[];
  reason?: "no_places" | "nothing_there" | "other_characters";
}

export interface CollectionOut {
  id: string;
  name: string | null;
  defaults: Record<string, string | number | boolean>;
  documents: number;
}

export interface PromptSummary {
  name: string;
  versions: number[];
  active: number | null;
  default: boolean;
}

export interface Elements {
  instruction: string | null;
  output_indicator: string | null;
  persona: string | null;
  no_answer_text: string | null;
  reasoning: boolean | null;
  examples: { input: string; output: string; context?: string | null }[] | null;
}

export interface StoredPrompt extends Elements {
  version: number;
  [field: string]: unknown;
}

export interface AdapterOut {
  name: string;
  version: number;
  status: "checking" | "loading" | "proving" | "ready" | "rejected" | "failed";
  active: boolean;
  base_model: string | null;
  rank: number | null;
  bytes: number;
  checks: { name: string; ok: boolean; detail: string }[];
  proof: { difference: number } | null;
  error_detail: string | null;
}

export interface Progress {
  step?: number;
  steps?: number;
  loss?: number;
  seconds_left?: number;
  done?: number;
  total?: number;
  curve?: { step: number; loss?: number; eval_loss?: number }[];
}

export interface Outcome {
  answer?: string;
  refused?: boolean;
  f1?: number;
  error?: string;
}

export interface Report {
  summary?: Record<"base" | "adapter", Record<string, number | null>>;
  answers?: { input: string; expected: string[]; base: Outcome; adapter: Outcome }[];
}

/** A list for each column of the points; `document` is a number among the documents. */
export type Projection = "pca" | "neighbours";

export interface ShelfMap {
  status: "ready" | "computing" | "empty";
  projection: Projection;
  projections: Projection[];
  chunks: number;
  sampled: boolean;
  points: {
    chunk: string[];
    document: number[];
    x: number[];
    y: number[];
    start: (number | null)[];
    end: (number | null)[];
  };
  documents: { number: number; id: string; title: string | null; collection: string; value: string | null }[];
}

export interface Placed {
  x: number | null;
  y: number | null;
  nearest: {
    chunk_id: string;
    document_id: string;
    title: string | null;
    text: string;
    score: number;
    span: Span;
    x: number | null;
    y: number | null;
  }[];
}

export interface UsageLine {
  day?: string;
  tenant?: string;
  key?: string;
  adapter?: string;
  requests: number;
  engine_calls: number;
  prompt_tokens: number;
  completion_tokens: number;
  embedded_tokens: number;
  ocr_pages: number;
  training_seconds: number;
  documents: number;
  bytes: number;
}

export interface AuditEntry {
  id: number;
  at: string;
  tenant: string | null;
  actor: string;
  act: string;
  kind: string;
  object: string;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
}

export interface TenantOut {
  id: string;
  name: string;
  chunks: number;
  limits: Record<string, number>;
  created_at: string;
}

export interface KeyOut {
  id: string;
  scopes: string[];
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
  only?: object | null;
  groups?: string | null;
}

export interface WebhookOut {
  id: string;
  url: string;
  events: string[];
  deliveries: { waiting: number; delivered: number; given_up: number };
}

export interface DeliveryOut {
  id: string;
  event: string;
  status: "waiting" | "delivered" | "given_up";
  attempts: number;
  next_at: string | null;
  last_at: string | null;
  last_status: number | null;
  last_error: string | null;
}

export interface Engines {
  engines: {
    name: string;
    state: "up" | "unverified" | "down";
    reason: string;
    model: string | null;
    context_tokens: number | null;
    running: number;
    adapters: number;
  }[];
  running: number;
  waiting: number;
}

export interface Used {
  limits: Record<string, number>;
  used: Record<string, number>;
}

export interface LimitsOut {
  tenant?: Used;
  key?: Used;
  [name: string]: unknown;
}
