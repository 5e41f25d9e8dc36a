import { createCredits, CreditsError } from "../../../client/index.ts";
import { useCredits, useGenerate, useJob } from "../../../client/react.ts";
import { createClient } from "@supabase/supabase-js";
import { createElement as h, StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";

declare const PROJECT: { url: string; key: string };
declare const location: { href: string; search: string };

const supabase = createClient(PROJECT.url, PROJECT.key);
const credits = createCredits(supabase, { broadcasts: true });
const PASSWORD = "correct horse battery staple";
const SIZE = { width: 64, height: 64 };

/** An app of one page: sign in, balance, buy, generate, and what went wrong. */
function App() {
  const { balance, isLoading } = useCredits(credits, { intervalMs: 60_000 });
  const { generate, generation, error, isGenerating } = useGenerate(credits);
  const { job } = useJob(credits, generation?.job_id ?? null);
  const [email, setEmail] = useState("");
  if (isLoading) return h("p", null, "…");
  if (!balance) {
    const signIn = () =>
      supabase.auth.signInWithPassword({ email, password: PASSWORD });
    return h(
      "main",
      null,
      h("input", {
        value: email,
        onChange: (event) =>
          setEmail((event.target as unknown as { value: string }).value),
      }),
      h("button", { onClick: signIn }, "Sign in"),
    );
  }
  const draw = () => generate({ prompt: "a lighthouse at dusk", ...SIZE });
  return h(
    "main",
    null,
    h("output", { id: "balance" }, balance.balance),
    h("button", { onClick: buy }, "Buy"),
    h("button", { onClick: draw, disabled: isGenerating }, "Generate"),
    h("button", { onClick: () => supabase.auth.signOut() }, "Sign out"),
    generation && h("img", {
      src: generation.outputs[0]!.url,
      crossOrigin: "anonymous",
    }),
    job && h("p", { id: "job" }, `${job.status}, ${job.charged} credits`),
    error && h(Failure, { error }),
  );
}

function Failure({ error }: { error: CreditsError }) {
  const { balance, required } = error.details;
  const text = error.code === "insufficient_credits"
    ? `It costs ${required}, you have ${balance}.`
    : error.message;
  return h("p", { role: "alert" }, text);
}

async function buy() {
  const [product] = await credits.products();
  const { url } = await credits.checkout({ product: product!.name });
  location.href = url;
}

// deno-lint-ignore no-explicit-any
const { document } = globalThis as any;
createRoot(document.querySelector("#app")).render(
  h(StrictMode, null, h(App)),
);
