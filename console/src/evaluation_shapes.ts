// What the API sends of evaluations.

import type { JobEvent, Report } from "./shapes";

export interface EvaluationSummary {
  id: string;
  status: string;
  created_at: string;
  finished_at: string | null;
  adapter: { name: string } | null;
}

/** The report is an adapter's, or of answers. */
export type EvaluationJob = EvaluationSummary & JobEvent<Report | AnswerReport>;

export interface Score {
  mean: number;
  low: number;
  high: number;
  cases: number;
  verdict?: "worse" | "better" | "undecided";
}

export interface Way {
  settings: Record<string, unknown>;
  measures: Record<string, Score>;
  seconds_p50: number | null;
  seconds_p95: number | null;
}

export interface Asked {
  case: { input: string; expected: string[]; answerable: boolean };
  ways: { answer: string; no_answer_reason: string | null; error: string | null; measures: Record<string, number> }[][];
}

export interface AnswerReport {
  ways: Way[];
  comparisons: { way: number; against: number; measures: Record<string, Score> }[];
  answers: Asked[];
}
