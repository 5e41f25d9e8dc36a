import { join } from "node:path";
import postgres, { type Sql } from "postgres";
import { type Stack, startStack } from "../../stack/index.ts";
import { runCommand } from "../../test/command.ts";
import type { Lab } from "../lab.ts";
import { median } from "../measure.ts";
import { residentPeakOf } from "../memory.ts";
import type { OutputsLoad } from "../outputs_load.ts";
import type { Family, Figure } from "../scenario.ts";
import { openUsers } from "../users.ts";

const AT_ONCE = 20;
const MEBIBYTE = 1024 * 1024;
/** What a worker of a hosted project may have. */
const WORKER_MEBIBYTES = 256;
const ROUNDS = { short: 2, long: 10 };

/** How a job's files are answered: by an address, or as many pictures as an answer has in itself. */
const FORMS = [
  { format: "url", files: 1, bytes: 1024, told: "1 KiB by URL" },
  { format: "url", files: 1, bytes: 16 * MEBIBYTE, told: "16 MiB by URL" },
  { format: "base64", files: 3, bytes: 4 * MEBIBYTE, told: "12 MiB in base64" },
] as const;
type Form = typeof FORMS[number];

/** A stack with two users: one asks for a job, the other for credits. */
interface Scene {
  readonly lab: Lab;
  readonly stack: Stack;
  readonly sql: Sql;
  readonly token: string;
  readonly other: string;
}

/** Has a picture made, and puts larger files in its place; the job's id. */
async function makeJob({ stack, sql, token }: Scene, form: Form) {
  const answer = await fetch(`${stack.url}/functions/v1/generate`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({
      prompt: "a lighthouse",
      width: 64,
      height: 64,
      response_format: form.format,
    }),
  });
  const job = await answer.json();
  if (!answer.ok) throw new Error(JSON.stringify(job));
  const [made] = await sql`
    select output -> 'outputs' -> 0 as file from public.generation_jobs where id = ${job.job_id}`;
  const outputs = Array.from({ length: form.files }, (_, at) => ({
    ...made!.file,
    path: made!.file.path.replace("0.", `${at}.`),
    bytes: form.bytes,
  }));
  for (const { path, media_type } of outputs) {
    await putFile(stack, path, media_type, form.bytes);
  }
  await sql`
    update public.generation_jobs set output = ${
    sql.json({ outputs })
  } where id = ${job.job_id}`;
  return String(job.job_id);
}

async function putFile(
  { url, keys }: Stack,
  path: string,
  type: string,
  bytes: number,
): Promise<void> {
  const answer = await fetch(`${url}/storage/v1/object/generations/${path}`, {
    method: "POST",
    headers: { apikey: keys.secret, "content-type": type, "x-upsert": "true" },
    body: new Uint8Array(bytes),
  });
  if (!answer.ok) throw new Error(await answer.text());
}

async function askForJobs(scene: Scene, job: string): Promise<OutputsLoad> {
  const { lab: { project, short }, stack, token, other } = scene;
  const { code, stdout, output } = await runCommand(process.execPath, [
    "scripts/run.mjs",
    "bench/outputs_load",
    `${stack.functions.url}/functions/v1`,
    job,
    token,
    other,
    String(AT_ONCE),
    String(short ? ROUNDS.short : ROUNDS.long),
  ], { cwd: project });
  if (code !== 0) throw new Error(output);
  return JSON.parse(stdout);
}

async function loadOf(scene: Scene, form: Form) {
  const job = await makeJob(scene, form);
  let load: OutputsLoad | undefined;
  const peak = await residentPeakOf(scene.stack.functions.pid, async () => {
    load = await askForJobs(scene, job);
  });
  return { ...load!, peak };
}

async function jobs(scene: Scene): Promise<Figure[]> {
  const found: Figure[] = [];
  let small: number | undefined;
  for (const form of FORMS) {
    const { idle, busy, together, peak } = await loadOf(scene, form);
    const name = `${AT_ONCE} × GET jobs/<id> at once, ${form.told}`;
    const [alone, beside] = [median(idle), median(busy)];
    const slower = beside / alone;
    small ??= slower;
    found.push(
      { name, value: median(together), unit: "ms for all" },
      {
        name: `${name}: another user's GET credits beside them`,
        value: slower,
        unit: `× when idle (${beside.toFixed(0)} : ${alone.toFixed(0)} ms)`,
      },
    );
    if (form.format === "url" && form !== FORMS[0]) {
      found.push({
        name: `${name}: that`,
        value: slower / small,
        unit: `× what it is beside ${FORMS[0].told}`,
        bar: { atMost: 1.5 },
      });
    }
    if (peak !== undefined) {
      found.push({
        name: `${name}: memory of the functions, Deno's own included`,
        value: peak,
        unit: "MiB",
        ...(form.format === "url" && { bar: { atMost: WORKER_MEBIBYTES } }),
      });
    }
  }
  return found;
}

async function figures(lab: Lab): Promise<Figure[]> {
  const stack = await startStack({
    project: lab.project,
    home: join(lab.folder, "outputs-stack"),
    port: 0,
    dbPort: 0,
  });
  const sql = postgres(stack.database.url(), { max: 1 });
  try {
    const [token, other] = await openUsers(stack, 2) as [string, string];
    return await jobs({ lab, stack, sql, token, other });
  } finally {
    await sql.end();
    await stack.stop();
  }
}

/** The edge function jobs over HTTP, with outputs as large as they may be. */
export const outputs: Family = {
  name: "outputs",
  prepare: () => Promise.resolve(),
  probes: [{ name: "jobs", figures }],
};
