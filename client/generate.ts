import type { CallFunction } from "./call.ts";
import { CreditsError, mayRepeat } from "./error.ts";
import { pause } from "./pause.ts";
import type { Generation, GenerationRequest, Job } from "./types.ts";

/** A generation that is charged and goes on: its provider calls back. */
export interface RunningGeneration {
  job_id: string;
  status: "pending" | "running";
  model: string;
  cost: number;
  balance: number;
  created_at: string;
}

/** How a generation is asked for. */
export interface GenerateOptions {
  /** Names the request, so that it is charged once; a random one for each call if left out. */
  idempotencyKey?: string;
  /** Ends the waiting. The job goes on; `cancel` ends it. */
  signal?: AbortSignal;
  /** The longest to wait for its end; 15 minutes if left out. */
  timeoutMs?: number;
  /** Hears of the job once it is charged, where its provider takes its time. */
  onRunning?: (job: RunningGeneration) => void;
}

const REPEATS = 4;
const TIMEOUT_MS = 15 * 60_000;
/** How long to wait before a job is looked at again. */
export const LOOK_AGAIN_MS = 2_000;

/** Charges, generates and waits. Every request has the same key, so it is charged once. */
export async function generate(
  call: CallFunction,
  body: GenerationRequest & { account_id?: string },
  {
    idempotencyKey = randomKey(),
    signal,
    timeoutMs = TIMEOUT_MS,
    onRunning,
  }: GenerateOptions = {},
): Promise<Generation> {
  const until = Date.now() + timeoutMs;
  const ask = () =>
    call<Generation | RunningGeneration>("generate", {
      method: "POST",
      body: { ...body },
      idempotencyKey,
      signal,
      repeats: REPEATS,
      until,
    });
  let answer = await ask();
  if (answer.status !== "succeeded") {
    onRunning?.(answer);
    await jobEnd(call, answer.job_id, until, signal);
    // The same key again answers what became of it, its error too.
    answer = await ask();
  }
  if (answer.status !== "succeeded") throw waitTimeout(answer.job_id);
  return answer;
}

/** Looks at a job until it has ended. */
export async function jobEnd(
  call: CallFunction,
  id: string,
  until = Date.now() + TIMEOUT_MS,
  signal?: AbortSignal,
): Promise<Job> {
  for (;;) {
    if (Date.now() >= until) throw waitTimeout(id);
    await pause(LOOK_AGAIN_MS, signal);
    const job = await call<Job>(`jobs/${id}`, { signal }).catch((error) => {
      if (error instanceof CreditsError && mayRepeat(error)) return undefined;
      throw error;
    });
    if (job && !isOpen(job)) return job;
  }
}

/** Whether a job may still change. */
export function isOpen({ status }: Pick<Job, "status">): boolean {
  return status === "pending" || status === "running";
}

function waitTimeout(job_id: string): CreditsError {
  return new CreditsError({
    code: "wait_timeout",
    message: "The generation has not ended yet. It goes on: look at its job.",
    details: { job_id },
  });
}

/** 128 random bits. Unlike crypto.randomUUID, also on a page without https. */
export function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  );
}
