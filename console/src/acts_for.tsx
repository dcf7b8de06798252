import { useState } from "preact/hooks";
import { PageForm, TextField } from "./fields";
import { useWords } from "./speech";

/** For which groups of users a key asks that acts for them. */
export function ActsFor({ groups, onGroups }: { groups: string; onGroups: (groups: string) => void }) {
  const words = useWords();
  const [named, setNamed] = useState(groups);
  return (
    <PageForm onSend={() => onGroups(named)}>
      <TextField label={words.actsFor} value={named} onValue={setNamed} />
      <button type="submit" disabled={named === groups}>
        {words.actFor}
      </button>
    </PageForm>
  );
}
