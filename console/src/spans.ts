// Spans count Unicode code points; strings of JavaScript count UTF-16 units.

import type { Citation, Context, Span } from "./shapes";

export function part(text: string, start: number, end?: number): string {
  return Array.from(text).slice(start, end).join("");
}

/** Return where a quote stands in its document's text. */
export function inDocument(citation: Citation, contexts: Context[]): Span | null {
  const context = contexts.find((each) => each.chunk_id === citation.chunk_id);
  if (context === undefined) return null;
  const { start, end } = citation.chunk_span;
  const header = context.header === null ? 0 : context.header.end - context.header.start;
  const first = start < header && context.header !== null ? context.header.start : context.span.start - header;
  return { start: first + start, end: first + end };
}
