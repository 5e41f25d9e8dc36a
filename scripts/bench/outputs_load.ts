// A process of its own, so that it shares no event loop with what it measures.
// Usage: node scripts/run.mjs bench/outputs_load <functions url> <job> <its user's token> <another's token> <at once>
//   <rounds>; prints OutputsLoad as JSON.

import type { Terminal } from "../terminal.ts";

/** What became of another user's requests beside many for one job. Times in milliseconds. */
export interface OutputsLoad {
  /** What a `GET credits` takes while nothing else is asked. */
  readonly idle: number[];
  /** What it takes while the jobs are asked for. */
  readonly busy: number[];
  /** How long all requests for the job take together, by round. */
  readonly together: number[];
  /** Bytes of one answer. */
  readonly bytes: number;
}

const IDLE_REQUESTS = 20;

/** Reads an answer as it comes, and keeps nothing of it. */
async function read(url: string, token: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(url, { headers });
  if (!answer.ok) {
    throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  }
  let bytes = 0;
  for await (const part of answer.body!) bytes += part.length;
  return bytes;
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await act();
  return performance.now() - begun;
}

/** Asks for the job many times at once, and for credits one after the other until all have answered. */
export async function main(
  { args: [url, job, token, other, atOnce, rounds] }: Terminal,
): Promise<number> {
  const credits = () => timed(() => read(`${url}/credits`, other!));
  const show = () => read(`${url}/jobs/${job}`, token!);
  const bytes = await show();
  await credits();
  const [idle, busy, together]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < Number(rounds); round++) {
    for (let each = 0; each < IDLE_REQUESTS; each++) idle.push(await credits());
    let isOver = false;
    const shown = timed(() =>
      Promise.all(Array.from({ length: Number(atOnce) }, show))
    ).finally(() => isOver = true);
    do busy.push(await credits()); while (!isOver);
    together.push(await shown);
  }
  const load: OutputsLoad = { idle, busy, together, bytes };
  console.log(JSON.stringify(load));
  return 0;
}
