// The words of the page, in both languages.

import { ENGLISH } from "./words/english";
import { KOREAN } from "./words/korean";

export type Words = Record<keyof typeof ENGLISH, string>;

export function pageName(words: Words, number: number): string {
  return filled(words.page, number);
}

/** The words for what is counted or measured are those of the API, with a prefix where others have the same name. */
export const usageWord = (name: string) => `used_${name}` as Word;
export const measureWord = (name: string) => `measure_${name}` as Word;

/** Put a value where a text has {}. */
export function filled(text: string, value: string | number): string {
  return text.replace("{}", String(value));
}

export type Language = "en" | "ko";
export type Word = keyof Words;

export const WORDS: Record<Language, Words> = { en: ENGLISH, ko: KOREAN };

export function firstLanguage(): Language {
  const kept = localStorage.getItem("kyujang-language");
  return kept === "en" || kept === "ko" ? kept : navigator.language.startsWith("ko") ? "ko" : "en";
}
