// Two runs over the same questions: the mean difference and its 95 % interval, as `python -m app eval` finds it.

import type { Asked, Score } from "./evaluation_shapes";

const RESAMPLES = 2000;

/** Compare the first ways of two runs by each measure, over the questions that are the same in both. */
export function differences(now: Asked[], earlier: Asked[]): Record<string, Score> {
  const before = new Map(earlier.map((each) => [JSON.stringify(each.case), each]));
  const found: Record<string, number[]> = {};
  for (const each of now) {
    const other = before.get(JSON.stringify(each.case));
    for (const [name, mean] of Object.entries(other === undefined ? {} : meansOf(each))) {
      const then = meansOf(other!)[name];
      if (then !== undefined) (found[name] ??= []).push(mean - then);
    }
  }
  return Object.fromEntries(Object.entries(found).map(([name, values]) => [name, scoreOf(values)]));
}

function meansOf({ ways: [outcomes = []] }: Asked): Record<string, number> {
  const found: Record<string, number[]> = {};
  for (const { measures } of outcomes) {
    for (const [name, value] of Object.entries(measures)) (found[name] ??= []).push(value);
  }
  return Object.fromEntries(Object.entries(found).map(([name, values]) => [name, mean(values)]));
}

const mean = (values: number[]) => values.reduce((sum, each) => sum + each, 0) / values.length;

function scoreOf(values: number[]): Score {
  const draw = drawing();
  const means = Array.from({ length: RESAMPLES }, () => mean(values.map(() => values[Math.floor(draw() * values.length)]!)));
  means.sort((one, two) => one - two);
  const at = (share: number) => means[Math.round(share * (RESAMPLES - 1))]!;
  return { mean: mean(values), low: at(0.025), high: at(0.975), cases: values.length };
}

/** Draw the same numbers each time, so that a screen says the same twice (mulberry32). */
function drawing(): () => number {
  let state = 1;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
