import { useGenerate, useText } from "@atomic-credits/client/react";
import { type FormEvent, useState } from "react";
import { credits } from "./client.ts";
import { demo } from "./demo.ts";
import { Failure } from "./failure.tsx";
import { KINDS, requestOf, type Wish } from "./kinds.ts";
import { Outputs } from "./outputs.tsx";
import { useQuote } from "./use_quote.ts";
import { WishFields } from "./wish_fields.tsx";
import { creditsOf } from "./words.ts";
import { Writing } from "./writing.tsx";

/** The form, and what comes of it. */
export function Maker({ onEnd }: { onEnd: () => void }) {
  const [wish, setWish] = useState<Wish>({
    kind: "picture",
    prompt: KINDS.picture.prompt,
    count: 1,
  });
  const { generate, generation, error, isGenerating, reset } = useGenerate(
    credits,
  );
  const text = useText(credits);
  const request = requestOf(wish);
  const cost = useQuote(request);
  const isBusy = isGenerating || text.isWriting;

  async function make(failingModel?: string) {
    reset();
    text.reset();
    if (!request) {
      const { prompt: content } = wish;
      await text.write({ messages: [{ role: "user", content }] });
    } else if (failingModel) {
      await generate({ prompt: wish.prompt, model: failingModel });
    } else {
      // What the button says is the most that it may cost.
      await generate({ ...request, max_cost: cost });
    }
    onEnd();
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    void make();
  }

  const price = request
    ? cost !== undefined && ` for ${creditsOf(cost)}`
    : ", paid by the word";
  return (
    <section aria-label="Generate">
      <form onSubmit={submit}>
        <WishFields wish={wish} onChange={setWish} />
        <div className="row">
          <button className="primary" disabled={isBusy}>
            Generate{price}
          </button>
          {demo && wish.kind === "picture" && (
            <button
              type="button"
              className="plain"
              disabled={isBusy}
              onClick={() => make(demo!.failingModel)}
            >
              One that fails
            </button>
          )}
        </div>
      </form>
      <div className="result" aria-busy={isBusy}>
        {isGenerating && <p className="wait" role="status">Generating …</p>}
        {generation && <Outputs generation={generation} prompt={wish.prompt} />}
        <Writing {...text} />
        <Failure error={error ?? text.error} />
        {!isBusy && !generation && !text.text && !error && !text.error && (
          <p className="empty">What you make is shown here.</p>
        )}
      </div>
    </section>
  );
}
