import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

// The height of a row in pixels, as style.css has it.
const ROW = 120;
const AROUND = 5;

interface Props<T> {
  label: string;
  items: T[];
  keyOf: (item: T) => string;
  row: (item: T) => ComponentChildren;
  onEnd: () => void;
}

/** A list of which only the rows in sight are drawn, however many there are; its end asks for more. */
export function WindowedList<T>({ label, items, keyOf, row, onEnd }: Props<T>) {
  const box = useRef<HTMLUListElement>(null);
  const [top, setTop] = useState(0);
  const height = box.current?.clientHeight || 600;
  const first = Math.max(0, Math.floor(top / ROW) - AROUND);
  const last = Math.min(items.length, Math.ceil((top + height) / ROW) + AROUND);
  const nearEnd = last >= items.length;
  useEffect(() => {
    if (nearEnd && items.length > 0) onEnd();
  }, [nearEnd, items.length]);
  if (items.length === 0) return null;
  return (
    <ul ref={box} class="documents" tabIndex={0} aria-label={label} onScroll={(event) => setTop(event.currentTarget.scrollTop)}>
      <li class="space" aria-hidden="true" style={{ height: `${first * ROW}px` }} />
      {items.slice(first, last).map((item, at) => (
        <li key={keyOf(item)} class="row" aria-posinset={first + at + 1} aria-setsize={-1}>
          {row(item)}
        </li>
      ))}
      <li class="space" aria-hidden="true" style={{ height: `${(items.length - last) * ROW}px` }} />
    </ul>
  );
}
