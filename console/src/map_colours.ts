// Which chunk has which colour, and what the colours stand for.

import type { Colour } from "./map_picture";
import type { ShelfMap } from "./shapes";

export type By = "document" | "collection" | "metadata";

// Told apart also by those who see no red or green (Okabe and Ito), without their yellow, which is too pale on white.
const COLOURS: Colour[] = [
  [0, 0.45, 0.7], [0.84, 0.37, 0], [0, 0.62, 0.45], [0.8, 0.47, 0.65], [0.9, 0.62, 0], [0.34, 0.71, 0.91],
]; // prettier-ignore
const OTHERS: Colour = [0.55, 0.55, 0.55];

export interface Legend {
  name: string;
  count: number;
  colour: Colour;
}

export function coloursOf({ points, documents }: ShelfMap, by: By, others: string): { colours: Colour[]; legend: Legend[] } {
  const known = new Map(documents.map((each) => [each.number, each]));
  const names = points.document.map((number) => {
    const found = known.get(number);
    return found === undefined ? others : by === "document" ? (found.title ?? found.id) : by === "collection" ? found.collection : (found.value ?? others);
  });
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  counts.delete(others);
  const most = [...counts].sort((one, two) => two[1] - one[1] || (one[0] < two[0] ? -1 : 1)).slice(0, COLOURS.length);
  const legend = most.map(([name, count], at) => ({ name, count, colour: COLOURS[at]! }));
  const rest = names.length - legend.reduce((sum, { count }) => sum + count, 0);
  const chosen = new Map(legend.map(({ name, colour }) => [name, colour]));
  return {
    colours: names.map((name) => chosen.get(name) ?? OTHERS),
    legend: rest > 0 ? [...legend, { name: others, count: rest, colour: OTHERS }] : legend,
  };
}

export const written = (colour: Colour) => `rgb(${colour.map((part) => Math.round(255 * part)).join(" ")})`;
