import type { TextState } from "@atomic-credits/client/react";
import { creditsOf } from "./words.ts";

/** A text as it grows, and at its end what it cost. */
export function Writing({ text, answer, isWriting }: TextState) {
  if (!text && !isWriting) return null;
  return (
    <>
      <p className="text">{text}{isWriting && <span className="caret" />}</p>
      <p className="note" role="status">
        {answer
          ? `Done. It cost ${creditsOf(answer.cost)}.`
          : isWriting && "Writing …"}
      </p>
    </>
  );
}
