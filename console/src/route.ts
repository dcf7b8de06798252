// Where the page is: /console/, /console/documents, /console/documents/{id}?page=&start=&end=, /console/prompts/{name}, …

const BASE = new URL(document.baseURI).pathname;

export const SCREENS = ["ask", "documents", "map", "collections", "prompts", "adapters", "evaluations", "usage", "webhooks", "audit", "tenants", "engines"] as const;
export type Screen = (typeof SCREENS)[number];

export interface Route {
  screen: Screen;
  id: string;
  query: URLSearchParams;
}

export function currentRoute(): Route {
  const [first, id] = location.pathname.slice(BASE.length).split("/");
  const screen = SCREENS.find((each) => each === first) ?? "ask";
  return { screen, id: decodeURIComponent(id ?? ""), query: new URLSearchParams(location.search) };
}

export function documentRoute(id: string, query: Record<string, number | null> = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== null);
  const asked = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return `documents/${encodeURIComponent(id)}${asked ? `?${asked}` : ""}`;
}

export function go(path: string): void {
  history.pushState(null, "", new URL(path, document.baseURI));
  dispatchEvent(new PopStateEvent("popstate"));
}

export function follow(event: MouseEvent, path: string): void {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go(path);
}
