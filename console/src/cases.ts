// The questions of an evaluation as people keep them: JSON, JSON lines, or a question and its answers between tabs.

export interface Case {
  input: string;
  id?: string;
  expected?: string[];
  values?: string[];
  documents?: string[];
  answerable?: boolean;
}

// As `python -m app eval` reads them.
const NAMES: Record<string, string[]> = {
  input: ["input", "text", "question"],
  id: ["id", "query_id", "_id"],
  expected: ["expected", "answers", "answer"],
  values: ["values"],
  documents: ["documents", "gold_doc_ids"],
  answerable: ["answerable"],
};

/** Return null for what is no list of questions. */
export function casesIn(text: string): Case[] | null {
  const written = text.trim();
  if (!/^[[{]/.test(written)) return writtenOut(written);
  try {
    const rows: unknown = written.startsWith("[")
      ? JSON.parse(written)
      : written.split("\n").filter((line) => line.trim()).map((line) => JSON.parse(line) as unknown);
    return Array.isArray(rows) ? rows.map((row) => named(row as Record<string, unknown>)) : null;
  } catch {
    return null;
  }
}

/** A question on each line; what would be right may follow, each after a tab. */
export function writtenOut(text: string): Case[] {
  return text
    .split("\n")
    .map((line) => line.split("\t"))
    .filter(([input]) => input?.trim())
    .map(([input, ...expected]) => ({ input: input!, ...(expected.length > 0 && { expected }) }));
}

function named(row: Record<string, unknown>): Case {
  const found = Object.entries(NAMES).map(([name, others]) => [name, row[others.find((each) => row[each] != null) ?? name]]);
  return Object.fromEntries(found.filter(([, value]) => value !== undefined)) as Case;
}
