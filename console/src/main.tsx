import { Fragment, render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ApiError, GROUPS_HEADER, get, session } from "./api";
import { ActsFor } from "./acts_for";
import { Adapters } from "./adapters";
import { Ask } from "./ask";
import { Audit } from "./audit";
import { Collections } from "./collections";
import { DocumentView } from "./document";
import { Documents, forgetDeletions } from "./documents";
import { Engines } from "./engines";
import { EvaluationView, Evaluations } from "./evaluations";
import { MapOfShelf } from "./map";
import { Prompt, Prompts } from "./prompts";
import { type Screen, currentRoute, follow } from "./route";
import { SignIn } from "./signin";
import { Speech } from "./speech";
import { TenantView, Tenants } from "./tenants";
import { Usage } from "./usage";
import { Webhooks } from "./webhooks";
import { type Language, WORDS, firstLanguage } from "./words";
import "./style.css";

const TENANTS: Screen[] = ["ask", "documents", "map", "collections", "prompts", "adapters", "evaluations", "usage", "webhooks", "audit"];
const OPERATORS: Screen[] = ["tenants", "engines", "usage", "audit"];

const pathOf = (screen: Screen) => (screen === "ask" ? "." : screen);

type Entry = "checking" | "in" | "out" | "refused";

function App() {
  const [language, setLanguage] = useState<Language>(firstLanguage);
  const [entry, setEntry] = useState<Entry>("checking");
  const [route, setRoute] = useState(currentRoute);
  const [groups, setGroups] = useState(session.groups);
  const words = WORDS[language];

  useEffect(() => {
    document.documentElement.lang = language;
    localStorage.setItem("kyujang-language", language);
  }, [language]);
  useEffect(() => {
    const moved = () => setRoute(currentRoute());
    addEventListener("popstate", moved);
    session.onRefused = () => {
      // Requests that were under way with the same key are refused after it is gone.
      setEntry((was) => (session.key !== null || was === "refused" ? "refused" : "out"));
      session.end();
    };
    void enter();
    return () => removeEventListener("popstate", moved);
  }, []);

  async function enter() {
    try {
      await get(session.isOperator ? "tenants?limit=1" : "documents?limit=1");
      setEntry("in");
    } catch (error) {
      // It acts for groups, and has named none yet.
      if (error instanceof ApiError && error.status === 403 && error.message.includes(GROUPS_HEADER)) actFor("");
      // A key that may not read documents is a key nevertheless; a service that is down says so on its screen.
      if (!(error instanceof ApiError && error.status === 401)) setEntry("in");
    }
  }

  function actFor(named: string) {
    session.actFor(named);
    setGroups(named);
  }

  function signIn(key: string) {
    session.start(key);
    setGroups(null);
    void enter();
  }

  const signedIn = entry === "in";
  const screens = session.isOperator ? OPERATORS : TENANTS;
  const screen = screens.includes(route.screen) ? route.screen : screens[0];
  return (
    <Speech.Provider value={words}>
      <header>
        <strong>Kyujang</strong>
        {signedIn && (
          <nav aria-label={words.menu}>
            {screens.map((each) => (
              <a
                key={each}
                href={pathOf(each)}
                aria-current={each === screen && "page"}
                onClick={(event) => follow(event, pathOf(each))}
              >
                {words[each]}
              </a>
            ))}
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
              forgetDeletions();
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
        {signedIn && groups !== null && <ActsFor groups={groups} onGroups={actFor} />}
        {signedIn && (
          // What others may see goes from the page with them.
          <Fragment key={groups}>
            {/* It stays, so that the conversation does. */}
            {!session.isOperator && (
              <div hidden={screen !== "ask"}>
                <Ask />
              </div>
            )}
            {screen === "documents" && route.id === "" && <Documents />}
            {screen === "documents" && route.id !== "" && (
              <DocumentView key={`${route.id} ${route.query}`} id={route.id} query={route.query} />
            )}
            {screen === "map" && <MapOfShelf />}
            {screen === "collections" && <Collections />}
            {screen === "prompts" && (route.id === "" ? <Prompts /> : <Prompt key={route.id} name={route.id} />)}
            {screen === "adapters" && <Adapters />}
            {screen === "evaluations" &&
              (route.id === "" ? <Evaluations /> : <EvaluationView key={route.id} id={route.id} />)}
            {screen === "usage" && <Usage />}
            {screen === "webhooks" && <Webhooks />}
            {screen === "audit" && <Audit />}
            {screen === "tenants" && (route.id === "" ? <Tenants /> : <TenantView key={route.id} id={route.id} />)}
            {screen === "engines" && <Engines />}
          </Fragment>
        )}
      </main>
    </Speech.Provider>
  );
}

const root = document.getElementById("app");
if (root !== null) render(<App />, root);
