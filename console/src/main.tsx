import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ApiError, get, session } from "./api";
import { Ask } from "./ask";
import { DocumentView } from "./document";
import { Documents } from "./documents";
import { currentRoute, follow } from "./route";
import { SignIn } from "./signin";
import { Speech } from "./speech";
import { type Language, WORDS, firstLanguage } from "./words";
import "./style.css";

type Entry = "checking" | "in" | "out" | "refused";

function App() {
  const [language, setLanguage] = useState<Language>(firstLanguage);
  const [entry, setEntry] = useState<Entry>("checking");
  const [route, setRoute] = useState(currentRoute);
  const words = WORDS[language];

  useEffect(() => {
    document.documentElement.lang = language;
    localStorage.setItem("kyujang-language", language);
  }, [language]);
  useEffect(() => {
    const moved = () => setRoute(currentRoute());
    addEventListener("popstate", moved);
    session.onRefused = () => {
      setEntry(session.key === null ? "out" : "refused");
      session.end();
    };
    void enter();
    return () => removeEventListener("popstate", moved);
  }, []);

  async function enter() {
    try {
      await get("documents?limit=1");
      setEntry("in");
    } catch (error) {
      // A key that may not read documents is a key nevertheless; a service that is down says so on its screen.
      if (!(error instanceof ApiError && error.status === 401)) setEntry("in");
    }
  }

  function signIn(key: string) {
    session.start(key);
    void enter();
  }

  const signedIn = entry === "in";
  return (
    <Speech.Provider value={words}>
      <header>
        <strong>Kyujang</strong>
        {signedIn && (
          <nav>
            <a href="." aria-current={route.screen === "ask" && "page"} onClick={(event) => follow(event, ".")}>
              {words.ask}
            </a>
            <a
              href="documents"
              aria-current={route.screen !== "ask" && "page"}
              onClick={(event) => follow(event, "documents")}
            >
              {words.documents}
            </a>
          </nav>
        )}
        <span class="grow" />
        <button type="button" class="quiet" onClick={() => setLanguage(language === "en" ? "ko" : "en")}>
          {words.language}
        </button>
        {signedIn && session.key !== null && (
          <button
            type="button"
            class="quiet"
            onClick={() => {
              session.end();
              setEntry("out");
            }}
          >
            {words.signOut}
          </button>
        )}
      </header>
      <main>
        {(entry === "out" || entry === "refused") && <SignIn refused={entry === "refused"} onKey={signIn} />}
        {signedIn && (
          <>
            {/* It stays, so that the conversation does. */}
            <div hidden={route.screen !== "ask"}>
              <Ask />
            </div>
            {route.screen === "documents" && <Documents />}
            {route.screen === "document" && (
              <DocumentView key={`${route.id} ${route.query}`} id={route.id} query={route.query} />
            )}
          </>
        )}
      </main>
    </Speech.Provider>
  );
}

const root = document.getElementById("app");
if (root !== null) render(<App />, root);
