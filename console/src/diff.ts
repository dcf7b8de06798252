// What one text has and another has not, line by line.

export interface Line {
  kind: "same" | "gone" | "new";
  text: string;
}

// Longer texts are told as gone and new: the table below has as many cells as both have lines, multiplied.
const MOST_LINES = 1000;

export function diff(before: string, after: string): Line[] {
  const [old, young] = [before.split("\n"), after.split("\n")];
  if (old.length > MOST_LINES || young.length > MOST_LINES) return [...told("gone", old), ...told("new", young)];
  // common[i][j]: how many lines the rests from i and j have in common, in their order.
  const common = Array.from({ length: old.length + 1 }, () => new Uint16Array(young.length + 1));
  const at = (i: number, j: number) => common[i]?.[j] ?? 0;
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = young.length - 1; j >= 0; j--) {
      common[i]![j] = old[i] === young[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < old.length && j < young.length) {
    if (old[i] === young[j]) [i, j] = (lines.push({ kind: "same", text: old[i]! }), [i + 1, j + 1]);
    else if (at(i + 1, j) >= at(i, j + 1)) lines.push({ kind: "gone", text: old[i++]! });
    else lines.push({ kind: "new", text: young[j++]! });
  }
  return [...lines, ...told("gone", old.slice(i)), ...told("new", young.slice(j))];
}

const told = (kind: Line["kind"], lines: string[]): Line[] => lines.map((text) => ({ kind, text }));
