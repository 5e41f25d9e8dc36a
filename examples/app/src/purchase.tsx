import { CreditsError } from "@atomic-credits/client";
import { useEffect, useState } from "react";
import { credits } from "./client.ts";
import { creditsOf } from "./words.ts";

/** Says what became of a purchase: the buyer comes back with `checkout_id` in the address. */
export function Purchase() {
  const [message, setMessage] = useState("");
  useEffect(() => {
    const id = new URLSearchParams(location.search).get("checkout_id");
    if (!id) return;
    const controller = new AbortController();
    const { signal } = controller;
    const show = (text: string, isOver: boolean) => {
      if (signal.aborted) return;
      setMessage(text);
      if (isOver) history.replaceState(null, "", location.pathname);
    };
    // It books what was paid, too: the credits are there when this answers.
    credits.checkoutStatus(id, { signal }).then(
      ({ status, credits }) => show(outcomeOf(status, credits), true),
      (error) => {
        if (!(error instanceof CreditsError)) return;
        show(error.message, !error.isRetryable);
      },
    );
    return () => controller.abort();
  }, []);
  return <p className="purchase" role="status">{message}</p>;
}

function outcomeOf(status: string, amount: number): string {
  switch (status) {
    case "paid":
      return `Thank you: ${creditsOf(amount)} are yours.`;
    case "unpaid":
    case "waiting":
      return "Your payment is on its way. The credits come when it has arrived.";
    default:
      return "Nothing was bought.";
  }
}
