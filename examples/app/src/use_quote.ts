import type { GenerationRequest } from "@atomic-credits/client";
import { useEffect, useState } from "react";
import { credits } from "./client.ts";

/** Typing goes on: ask no sooner. */
const PAUSE_MS = 300;

/** What a request would cost now; undefined until that is known. */
export function useQuote(
  request: GenerationRequest | undefined,
): number | undefined {
  const [cost, setCost] = useState<number>();
  const asked = JSON.stringify(request);
  useEffect(() => {
    setCost(undefined);
    if (!request?.prompt.trim()) return;
    const controller = new AbortController();
    const { signal } = controller;
    const ask = () =>
      credits.quote(request, { signal }).then(
        (quote) => signal.aborted || setCost(quote.cost),
        // The form goes on without a price: what is wrong is said when it is sent.
        () => {},
      );
    const timer = setTimeout(ask, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [asked]);
  return cost;
}
