import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { ApiError } from "./api";
import { WORDS, type Word } from "./words";

export const Speech = createContext<Record<Word, string>>(WORDS.en);

export const useWords = () => useContext(Speech);

export function told(error: unknown, words: Record<Word, string>): string {
  return error instanceof ApiError ? `${words.trouble} ${error.message}` : words.offline;
}
