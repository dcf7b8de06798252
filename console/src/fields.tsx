// Fields of forms, each with its label.

import type { ComponentChildren } from "preact";
import { useId, useState } from "preact/hooks";
import { useWords } from "./speech";

interface TextProps {
  label: string;
  value: string;
  onValue: (value: string) => void;
  rows?: number;
  type?: "text" | "number" | "date" | "datetime-local" | "password" | "search";
  required?: boolean;
}

export function TextField({ label, value, onValue, rows, type = "text", required = false }: TextProps) {
  const id = useId();
  const onInput = (event: { currentTarget: { value: string } }) => onValue(event.currentTarget.value);
  const given = { id, value, required, onInput };
  return (
    <p class="field">
      <label for={id}>{label}</label>
      {/* Preact's types know attributes by a literal type alone. */}
      {rows === undefined ? <input type={type as "number"} step="any" {...given} /> : <textarea rows={rows} {...given} />}
    </p>
  );
}

interface ChoiceProps {
  label: string;
  value: string;
  options: [value: string, name: string][];
  onValue: (value: string) => void;
}

export function Choice({ label, value, options, onValue }: ChoiceProps) {
  const id = useId();
  return (
    <p class="field">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => onValue(event.currentTarget.value)}>
        {options.map(([each, name]) => (
          <option key={each} value={each}>
            {name}
          </option>
        ))}
      </select>
    </p>
  );
}

interface CheckProps {
  label: string;
  value: boolean;
  onValue: (value: boolean) => void;
}

export function Check({ label, value, onValue }: CheckProps) {
  return (
    <label class="check">
      <input type="checkbox" checked={value} onChange={(event) => onValue(event.currentTarget.checked)} /> {label}
    </label>
  );
}

/** A form that the browser does not send: the page does. */
export function PageForm({ onSend, children }: { onSend: () => void; children: ComponentChildren }) {
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        onSend();
      }}
    >
      {children}
    </form>
  );
}

/** What is drawn, and loaded, once it is opened. */
export function Lazy({ summary, children }: { summary: string; children: ComponentChildren }) {
  const [open, setOpen] = useState(false);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{summary}</summary>
      {open && children}
    </details>
  );
}

/** A table that scrolls by itself where it is wider than the screen. */
export function Table({ name, heads, children }: { name: string; heads: string[]; children: ComponentChildren }) {
  return (
    <div class="wide" tabIndex={0} role="region" aria-label={name}>
      <table>
        <thead>
          <tr>
            {heads.map((head) => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

/** A button that asks once more before it does what cannot be undone. */
export function Careful({ label, onSure }: { label: string; onSure: () => void }) {
  const words = useWords();
  const [asked, setAsked] = useState(false);
  if (!asked) {
    return (
      <button type="button" class="quiet" onClick={() => setAsked(true)}>
        {label}
      </button>
    );
  }
  return (
    <span role="status">
      {words.reallyDelete}{" "}
      <button
        type="button"
        onClick={() => {
          setAsked(false);
          onSure();
        }}
      >
        {words.yes}
      </button>{" "}
      <button type="button" onClick={() => setAsked(false)}>
        {words.cancel}
      </button>
    </span>
  );
}
