// What a `min_score` would keep and refuse, of questions and the score of the best that each finds.

export interface Scored {
  score: number;
  answerable: boolean;
}

/** Shares: of the answerable questions still answered, of the others refused. */
export interface Threshold {
  score: number;
  answered: number;
  refused: number;
}

const STEPS = 20;

/** Return none without questions of both kinds. */
export function thresholds(found: Scored[]): Threshold[] {
  const [answerable, others] = [found.filter((each) => each.answerable), found.filter((each) => !each.answerable)];
  if (answerable.length === 0 || others.length === 0) return [];
  const scores = found.map(({ score }) => score);
  const [least, most] = [Math.min(...scores), Math.max(...scores)];
  return Array.from({ length: STEPS + 1 }, (_, step) => {
    const score = least + ((most - least) * step) / STEPS;
    const share = (of: Scored[]) => of.filter((each) => each.score >= score).length / of.length;
    return { score, answered: share(answerable), refused: 1 - share(others) };
  });
}
