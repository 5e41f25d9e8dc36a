import { CreditsError, type Product } from "@atomic-credits/client";
import { useState } from "react";
import { credits } from "./client.ts";
import { useLoad } from "./use_load.ts";
import { creditsOf, priceOf } from "./words.ts";

/** What can be bought: a press on it leads to the page to pay on. */
export function Products({ isOffer = false }: { isOffer?: boolean }) {
  const { rows, error } = useLoad<Product>(
    (signal) => credits.products({ signal }),
    "once",
  );
  const [chosen, setChosen] = useState<string>();
  const [failure, setFailure] = useState<CreditsError | null>(null);

  async function buy({ name }: Product) {
    setChosen(name);
    setFailure(null);
    try {
      const { url } = await credits.checkout({
        product: name,
        return_to: location.origin + location.pathname,
      });
      location.assign(url);
    } catch (error) {
      if (!(error instanceof CreditsError)) throw error;
      setFailure(error);
      setChosen(undefined);
    }
  }

  const problem = error ?? failure;
  const list = (
    <ul className="products">
      {rows?.map((product) => (
        <li key={product.name}>
          <button disabled={!!chosen} onClick={() => buy(product)}>
            <span>{creditsOf(product.credits)}</span>
            <span className="price">{priceOf(product)}</span>
          </button>
        </li>
      ))}
    </ul>
  );
  if (isOffer) return list;
  return (
    <section aria-labelledby="buy">
      <h2 id="buy">Buy credits</h2>
      {!rows && !error && <p className="wait" role="status">Loading …</p>}
      {rows?.length === 0 && <p className="empty">Nothing is on sale now.</p>}
      {list}
      <p className="note" role="alert">{problem && sentenceOf(problem)}</p>
    </section>
  );
}

function sentenceOf({ code, message }: CreditsError): string {
  return code === "payments_not_set_up"
    ? "This app does not sell credits yet."
    : message;
}
