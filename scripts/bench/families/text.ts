import { join } from "node:path";
import postgres from "postgres";
import { type Functions, startFunctions } from "../../stack/functions.ts";
import { type Stack, startStack } from "../../stack/index.ts";
import { freePort } from "../../stack/port.ts";
import { runCommand } from "../../test/command.ts";
import type { Lab } from "../lab.ts";
import { median } from "../measure.ts";
import { peakOf } from "../memory.ts";
import { processorMilliseconds } from "../processor_time.ts";
import type { Family, Figure } from "../scenario.ts";
import type { TextLoad } from "../text_load.ts";
import { STEADY } from "../text_speed.ts";
import { openUsers } from "../users.ts";

/** As many tokens as a long answer has, and a tenth of them. */
const LONG = 20_000;
const SHORT = 2_000;
const FIRST_BYTES = { short: 40, long: 300 };
const STREAMS = { short: 2, long: 15 };

/** A provider, and the functions in front of it. */
interface Scene {
  readonly lab: Lab;
  readonly functions: Functions;
  /** Where the provider is, without its version's path. */
  readonly upstream: string;
  readonly token: string;
}

/** What is asked of each address, one after the other. */
interface Asked {
  /** As fast as it can, or as many tokens a second as STEADY says. */
  readonly speed: "fast" | "steady";
  readonly words: number;
  readonly rounds: number;
}

/** One client asks the provider and the functions in turn, or the functions alone. */
async function ask(
  { lab: { project }, functions, upstream, token }: Scene,
  { speed, words, rounds }: Asked,
  isAlone = false,
): Promise<[ours: TextLoad, own: TextLoad]> {
  const { code, stdout, output } = await runCommand(process.execPath, [
    "scripts/run.mjs",
    "bench/text_load",
    `bench-${speed}`,
    String(words),
    String(rounds),
    token,
    `${functions.url}/functions/v1/openai/v1`,
    ...(isAlone ? [] : [`${upstream}/${speed}`]),
  ], { cwd: project });
  if (code !== 0) throw new Error(output);
  return JSON.parse(stdout);
}

function inForm({ lab }: Scene, sizes: { short: number; long: number }) {
  return lab.short ? sizes.short : sizes.long;
}

async function firstByte(scene: Scene): Promise<Figure[]> {
  const rounds = inForm(scene, FIRST_BYTES);
  const loads = await ask(scene, { speed: "fast", words: 1, rounds });
  const [ours, own] = loads.map(({ firstByte }) => median(firstByte)) as [
    number,
    number,
  ];
  return [{
    name: "first byte, later than the provider's own, p50",
    value: ours - own,
    unit: `ms (${ours.toFixed(1)} - ${own.toFixed(1)})`,
    bar: { atMost: 30 },
  }];
}

/** Tokens a second, and what they take of the processor. */
async function long(scene: Scene, speed: Asked["speed"]): Promise<Figure[]> {
  const rounds = inForm(scene, STREAMS);
  let loads: TextLoad[] = [];
  const time = await processorMilliseconds(scene.functions.pid, async () => {
    loads = await ask(scene, { speed, words: LONG, rounds });
  });
  const [ours, own] = loads.map(({ stream }) =>
    LONG * 1000 / median(stream)
  ) as [number, number];
  const told = `(${ours.toFixed(0)} : ${own.toFixed(0)} tokens/s)`;
  const name = "a stream of 20,000 tokens";
  if (speed === "fast") {
    return [{ name: `${name}, at most`, value: ours, unit: `tokens/s` }];
  }
  return [
    {
      name: `${name}, ${STEADY} a second`,
      value: ours / own,
      unit: `of the provider's own speed ${told}`,
      bar: { atLeast: 0.9 },
    },
    ...(time === undefined ? [] : [{
      name: `${name}, processor time of the functions`,
      value: time / rounds,
      unit: "ms",
      bar: { atMost: 1000 },
    }]),
  ];
}

/** The memory of one long stream beside that of as many tokens in short ones. */
async function memory(scene: Scene): Promise<Figure[]> {
  const peak = (words: number) =>
    peakOf(
      scene.functions.pid,
      () =>
        ask(scene, { speed: "fast", words, rounds: 3 * LONG / words }, true),
    );
  const few = await peak(SHORT);
  const many = await peak(LONG);
  if (!few || !many) return [];
  return [{
    name: "streams of 20,000 tokens, memory",
    value: many / few,
    unit: `× that of 2,000 (${many.toFixed(0)} : ${few.toFixed(0)} MiB)`,
    bar: { atMost: 1.5 },
  }];
}

async function measure(lab: Lab, stack: Stack, port: number) {
  await priceModels(stack);
  const [token] = await openUsers(stack, 1) as [string];
  const upstream = await startFunctions({
    project: lab.project,
    keys: stack.keys,
    supabaseUrl: stack.url,
    port,
    databaseUrl: stack.database.url(),
    program: "scripts/bench/text_upstream.ts",
  });
  const { functions } = stack;
  const scene = { lab, functions, upstream: upstream.url, token };
  try {
    return [
      ...await firstByte(scene),
      ...await long(scene, "steady"),
      ...await long(scene, "fast"),
      ...await memory(scene),
    ];
  } finally {
    await upstream.stop();
  }
}

async function priceModels(stack: Stack): Promise<void> {
  const sql = postgres(stack.database.url(), { max: 1 });
  for (const speed of ["fast", "steady"]) {
    const settings = {
      provider: speed,
      provider_model: "bench",
      max_output_tokens: LONG,
    };
    await sql`select public.set_model_price(${`bench-${speed}`},
      '{"input_token": 1, "output_token": 1}', now(), ${sql.json(settings)})`;
  }
  await sql.end();
}

async function figures(lab: Lab): Promise<Figure[]> {
  const port = await freePort();
  const at = (speed: string) => ({
    base_url: `http://127.0.0.1:${port}/${speed}`,
  });
  const upstreams = { fast: at("fast"), steady: at("steady") };
  const stack = await startStack({
    project: lab.project,
    home: join(lab.folder, "text-stack"),
    port: 0,
    dbPort: 0,
    env: { TEXT_UPSTREAMS: JSON.stringify(upstreams) },
  });
  try {
    return await measure(lab, stack, port);
  } finally {
    await stack.stop();
  }
}

/** The edge function openai over HTTP, beside the provider behind it. */
export const text: Family = {
  name: "text",
  prepare: () => Promise.resolve(),
  probes: [{ name: "openai", figures }],
};
