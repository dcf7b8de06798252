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

export interface JobEvent {
  id: string;
  documents: JobItem[];
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

export interface Answer {
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
