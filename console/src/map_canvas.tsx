import { useEffect, useRef, useState } from "preact/hooks";
import { documentPath, get } from "./api";
import type { Colour, Picture, View } from "./map_picture";
import { documentRoute, go } from "./route";
import type { Placed, ShelfMap, TextPart } from "./shapes";
import { useWords } from "./speech";

const QUESTION: Colour = [0.85, 0.1, 0.15];
const REACH_PX = 10;
const HOVER_MS = 120;

interface Props {
  found: ShelfMap;
  colours: Colour[];
  placed: Placed | null;
}

/** The picture: the wheel and the buttons zoom, dragging moves, a chunk under the pointer tells its text. */
export function Canvas({ found, colours, placed }: Props) {
  const words = useWords();
  const canvas = useRef<HTMLCanvasElement>(null);
  const picture = useRef<Picture | null>(null);
  const view = useRef<View>({ x: 0, y: 0, scale: 1 });
  const held = useRef<{ x: number; y: number; moved: boolean } | null>(null);
  const [missing, setMissing] = useState(false);
  const [under, setUnder] = useState<number | null>(null);
  const { x, y } = found.points;

  function redraw() {
    const [red = 1, green = 1, blue = 1] = (getComputedStyle(document.documentElement).backgroundColor.match(/\d+/g) ?? []).map((part) => Number(part) / 255);
    picture.current?.draw({ ...view.current, scale: view.current.scale * ratio(canvas.current) }, [red, green, blue]);
  }
  function fill() {
    picture.current?.put("points", { places: x.flatMap((each, at) => [each, y[at]!]), colours });
    redraw();
  }
  function fit() {
    const box = canvas.current!.getBoundingClientRect();
    const across = extent(x);
    const upwards = extent(y);
    const scale = 0.9 * Math.min(box.width / (across.size || 1), box.height / (upwards.size || 1));
    view.current = { x: across.middle, y: upwards.middle, scale };
    redraw();
  }
  function zoom(by: number, at?: { offsetX: number; offsetY: number }) {
    const before = at === undefined ? null : placeAt(at);
    view.current = { ...view.current, scale: view.current.scale * by };
    if (before !== null && at !== undefined) {
      const after = placeAt(at);
      view.current = { ...view.current, x: view.current.x + before.x - after.x, y: view.current.y + before.y - after.y };
    }
    redraw();
  }
  function placeAt({ offsetX, offsetY }: { offsetX: number; offsetY: number }) {
    const { width, height } = canvas.current!.getBoundingClientRect();
    const { x: left, y: below, scale } = view.current;
    return { x: left + (offsetX - width / 2) / scale, y: below - (offsetY - height / 2) / scale };
  }
  function nearestTo(event: PointerEvent): number | null {
    const at = placeAt(event);
    let best = (REACH_PX / view.current.scale) ** 2;
    let nearest: number | null = null;
    for (let each = 0; each < x.length; each++) {
      const distance = (x[each]! - at.x) ** 2 + (y[each]! - at.y) ** 2;
      if (distance < best) [best, nearest] = [distance, each];
    }
    return nearest;
  }

  useEffect(() => {
    let gone = false;
    // Those who never look at the map do not load what draws it.
    void import("./map_picture").then(({ Picture }) => {
      if (gone || canvas.current === null) return;
      try {
        picture.current = new Picture(canvas.current);
      } catch {
        return setMissing(true);
      }
      fill();
      mark();
      fit();
    });
    const resized = new ResizeObserver(redraw);
    resized.observe(canvas.current!);
    return () => ((gone = true), resized.disconnect());
  }, []);
  useEffect(fill, [found, colours]);
  useEffect(mark, [placed]);

  function mark() {
    const { x: left, y: below, nearest = [] } = placed ?? {};
    const known = left == null || below == null ? [] : nearest.filter((each) => each.x !== null);
    const ends = known.flatMap((each) => [left!, below!, each.x!, each.y!]);
    const places = known.length > 0 ? [left!, below!] : [];
    picture.current?.put("lines", { places: ends, colours: known.flatMap(() => [QUESTION, QUESTION]) });
    picture.current?.put("marks", { places, colours: places.length > 0 ? [QUESTION] : [] });
    redraw();
  }

  if (missing) return <p role="alert">{words.noWebgl}</p>;
  return (
    <div class="map">
      <canvas
        ref={canvas}
        role="img"
        aria-label={words.mapPicture}
        onWheel={(event) => {
          event.preventDefault();
          zoom(Math.exp(-event.deltaY / 400), event);
        }}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          held.current = { x: event.clientX, y: event.clientY, moved: false };
        }}
        onPointerMove={(event) => {
          if (held.current === null) return setUnder(nearestTo(event));
          const { scale } = view.current;
          const [right, down] = [event.clientX - held.current.x, event.clientY - held.current.y];
          view.current = { ...view.current, x: view.current.x - right / scale, y: view.current.y + down / scale };
          held.current = { x: event.clientX, y: event.clientY, moved: held.current.moved || Math.hypot(right, down) > 2 };
          redraw();
        }}
        onPointerUp={(event) => {
          const dragged = held.current?.moved ?? false;
          held.current = null;
          const chosen = dragged ? null : nearestTo(event);
          if (chosen !== null) go(routeOf(found, chosen));
        }}
        onPointerLeave={() => setUnder(null)}
      />
      <p class="row-of-buttons">
        <button type="button" onClick={() => zoom(1.5)}>{words.zoomIn}</button>
        <button type="button" onClick={() => zoom(1 / 1.5)}>{words.zoomOut}</button>
        <button type="button" onClick={fit}>{words.wholeMap}</button>
      </p>
      <div class="hovered" role="status">{under !== null && <Hovered key={under} found={found} at={under} />}</div>
    </div>
  );
}

/** A chunk's text is fetched once the pointer rests on it. */
function Hovered({ found, at }: { found: ShelfMap; at: number }) {
  const [text, setText] = useState("");
  const shown = documentOf(found, at);
  useEffect(() => {
    const stop = new AbortController();
    const span = `start=${found.points.start[at]}&end=${found.points.end[at]}`;
    const timer = setTimeout(() => {
      if (shown === undefined) return;
      void get<TextPart>(`${documentPath(shown.id)}/text?${span}`, stop.signal).then((part) => setText(part.text), () => {});
    }, HOVER_MS);
    return () => (clearTimeout(timer), stop.abort());
  }, []);
  return (
    <>
      <strong>{shown?.title ?? shown?.id}</strong>
      <p class="quoted">{text}</p>
    </>
  );
}

const documentOf = ({ points, documents }: ShelfMap, at: number) => documents.find((each) => each.number === points.document[at]);

function routeOf(found: ShelfMap, at: number): string {
  const { start, end } = found.points;
  return documentRoute(documentOf(found, at)?.id ?? "", { start: start[at] ?? null, end: end[at] ?? null });
}

const ratio = (canvas: HTMLCanvasElement | null) => (canvas === null ? 1 : canvas.width / canvas.clientWidth || 1);

function extent(values: number[]): { middle: number; size: number } {
  const least = values.reduce((one, two) => Math.min(one, two), Infinity);
  const most = values.reduce((one, two) => Math.max(one, two), -Infinity);
  return { middle: (least + most) / 2, size: most - least };
}
