// A process of its own, so that it shares no event loop with what it measures.
// Usage: node scripts/run.mjs bench/text_load <model> <words> <rounds> <token> <url> … ; prints a TextLoad for each URL as JSON.

import type { Terminal } from "../terminal.ts";

/** What the answers of one URL took, in milliseconds, in the order in which they came. */
export interface TextLoad {
  /** From the request to the first byte of the answer's text. */
  readonly firstByte: number[];
  /** From the first byte to the last. */
  readonly stream: number[];
}

/** What is asked for, and by whom. */
interface Asked {
  readonly model: string;
  readonly words: number;
  readonly token: string;
}

/** Asks for so many words, and reads them to the end. */
async function ask(
  url: string,
  { model, words, token }: Asked,
): Promise<{ firstByte: number; stream: number }> {
  const startedAt = performance.now();
  const response = await fetch(`${url}/chat/completions`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({
      model,
      messages: [{ role: "user", content: "a lighthouse at dusk" }],
      stream: true,
      max_tokens: words,
    }),
  });
  if (!response.ok) {
    throw new Error(`${url}: ${response.status} ${await response.text()}`);
  }
  let firstAt: number | undefined;
  let end = "";
  for await (const chunk of response.body!) {
    firstAt ??= performance.now();
    end = `${end}${Buffer.from(chunk).toString()}`.slice(-20);
  }
  if (firstAt === undefined || !end.includes("[DONE]")) {
    throw new Error(`${url}: the answer broke off: ${end}`);
  }
  return {
    firstByte: firstAt - startedAt,
    stream: performance.now() - firstAt,
  };
}

/** One client that asks each URL in turn. */
export async function main(
  { args: [model, words, rounds, token, ...urls], console }: Terminal,
): Promise<number> {
  const asked = { model: model!, words: Number(words), token: token! };
  const loads = urls.map((): TextLoad => ({ firstByte: [], stream: [] }));
  for (let round = 0; round < Number(rounds); round++) {
    for (const [place, url] of urls.entries()) {
      const { firstByte, stream } = await ask(url, asked);
      loads[place]!.firstByte.push(firstByte);
      loads[place]!.stream.push(stream);
    }
  }
  console.log(JSON.stringify(loads));
  return 0;
}
