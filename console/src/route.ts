// Where the page is: /console/, /console/documents, /console/documents/{id}?page=&start=&end=

const BASE = new URL(document.baseURI).pathname;

export interface Route {
  screen: "ask" | "documents" | "document";
  id: string;
  query: URLSearchParams;
}

export function currentRoute(): Route {
  const [screen, id] = location.pathname.slice(BASE.length).split("/");
  const query = new URLSearchParams(location.search);
  if (screen !== "documents") return { screen: "ask", id: "", query };
  return { screen: id ? "document" : "documents", id: decodeURIComponent(id ?? ""), query };
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
