import { useState } from "preact/hooks";
import { useWords } from "./speech";

export function SignIn({ refused, onKey }: { refused: boolean; onKey: (key: string) => void }) {
  const words = useWords();
  const [key, setKey] = useState("");
  return (
    <form
      class="signin"
      onSubmit={(event) => {
        event.preventDefault();
        if (key.trim() !== "") onKey(key.trim());
      }}
    >
      <h1>{words.signIn}</h1>
      {refused && <p role="alert">{words.keyRefused}</p>}
      <label for="key">{words.key}</label>
      <input
        id="key"
        type="password"
        autocomplete="off"
        value={key}
        aria-describedby="key-help"
        onInput={(event) => setKey(event.currentTarget.value)}
      />
      <p id="key-help" class="small">
        {words.keyHelp}
      </p>
      <button type="submit">{words.signIn}</button>
    </form>
  );
}
