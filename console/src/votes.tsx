import { useState } from "preact/hooks";
import { send } from "./api";
import { PageForm, TextField } from "./fields";
import { Trouble, useAct } from "./loaded";
import type { Answer } from "./shapes";
import { useWords } from "./speech";

type Vote = "up" | "down";

/** What the user says of an answer, where the tenant's query log keeps it: the vote at once, then why. */
export function Votes({ answer }: { answer: Answer }) {
  const words = useWords();
  const [vote, setVote] = useState<Vote | null>(null);
  const [comment, setComment] = useState("");
  const [right, setRight] = useState("");
  const [told, setTold] = useState(false);
  const { trouble, busy, act } = useAct();
  if (!answer.logged) return null;

  function give(given: Vote, more: boolean) {
    const said = { vote: given, ...(comment.trim() && { comment }), ...(right.trim() && { right_answer: right }) };
    act(async () => {
      await send("POST", `queries/${answer.id}/feedback`, said);
      setVote(given);
      setTold(more);
    });
  }

  return (
    <>
      <p class="row-of-buttons">
        {(["up", "down"] as const).map((each) => (
          <button key={each} type="button" class="quiet" aria-pressed={vote === each} disabled={busy} onClick={() => give(each, told)}>
            <span aria-hidden="true">{each === "up" ? "👍" : "👎"}</span> {each === "up" ? words.helpful : words.notHelpful}
          </button>
        ))}
      </p>
      <Trouble of={trouble} />
      {told && <p role="status">{words.thanks}</p>}
      {vote !== null && !told && (
        <PageForm onSend={() => give(vote, true)}>
          <TextField label={words.comment} rows={2} value={comment} onValue={setComment} />
          <TextField label={words.rightAnswer} rows={2} value={right} onValue={setRight} />
          <button type="submit" disabled={busy || (comment.trim() === "" && right.trim() === "")}>
            {words.send}
          </button>
        </PageForm>
      )}
    </>
  );
}
